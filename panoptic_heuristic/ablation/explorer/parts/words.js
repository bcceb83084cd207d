// Words for people: numbers, names of settings, and why a candidate is in the map or not.

import { NOBODY, keysOf } from "explorer/ranking.js";

const NUMBER = new Intl.NumberFormat("en-US");

export const count = (value) => NUMBER.format(value);
export const pixels = (value) => `${count(value)} px`;
export const short = (value) => String(Number(value.toPrecision(4)));
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** PQ in percent. */
export function percent(value) {
  return Number.isNaN(value) ? "–" : (100 * value).toFixed(1);
}

/** A change of PQ in points, with its sign. */
export function change(from, to) {
  const points = Number((100 * (to - from)).toFixed(1));
  if (Number.isNaN(points)) return "–";
  return points === 0 ? "±0.0" : `${points > 0 ? "+" : "−"}${Math.abs(points).toFixed(1)}`;
}

/** Labels of the settings by their paths. */
export const LABELS = {
  instances_score_thresh: "Least score of an instance",
  "claim.overlap_threshold": "Most overlap with better ones",
  stuff_area_thresh: "Least pixels of stuff",
  stuff_area_fraction: "Least part of the image of stuff",
  thing_area_thresh: "Least pixels of a thing",
  island_area_fraction: "Islands of labels below this go",
  "claim.duplicate_threshold": "Least shared part of a duplicate",
  "claim.free_fraction": "Least part that is free",
  "claim.intersection_threshold": "Least shared part to take back",
  "claim.area_ratio": "On top: most of the other's size",
  "suppress.iou_threshold": "IoU that suppresses",
  "suppress.kind": "IoU of",
  "suppress.keep": "Least part that labels leave",
  "order.score_exponent": "Exponent of the score",
  "order.quality_exponent": "Exponent of mask quality",
  "order.agreement_exponent": "Exponent of label agreement",
  "order.key_cutoff": "Least key of an instance",
  "order.default_cut": "Least probability of an instance",
  "order.calibration": "Calibration",
  "veto.majority": "Least part that labels call stuff",
  "stuff.counted": "Stuff is counted",
  suppress: "Suppress",
  order: "Order",
  claim: "Claim",
  veto: "Veto",
  stuff: "Stuff",
  leftover: "Leftover",
  border: "Border",
};

/** An instance in a few words: class, and score or what else orders. */
export function instanceName(image, instance, page) {
  return `${page.categories[image.places[instance]].name} ${short(image.scores[instance])}`;
}

/** A sentence on why an instance is not in the map. */
export function whyThing(fusedImage, instance, settings, page) {
  const { image, result } = fusedImage;
  const reason = result.reasons[instance];
  const other = result.droppedBy[instance];
  const by = other === NOBODY ? "better ones" : instanceName(image, other, page);
  const limit = (path) => short(thresholdOf(settings, path, image.places[instance], page));
  const key = () => short(keysOf(image, settings, page)[instance]);
  const sentences = {
    not_finite: () => "its score is no finite number",
    score: () => `score ${short(image.scores[instance])} is below ${limit("instances_score_thresh")}`,
    nms: () => `it overlaps ${by} too much`,
    gate: () => "the semantic labels agree with too little of it",
    probability: () => `its probability ${key()} is below ${limit("order.default_cut")}`,
    key: () => `its key ${key()} is below ${short(settings["order.key_cutoff"])}`,
    empty: () => "its mask has no pixel",
    overlap: () => `more than ${limit("claim.overlap_threshold")} of it is taken, mostly by ${by}`,
    covered: () => `all of it is taken, mostly by ${by}`,
    duplicate: () => `it is a duplicate of ${by}`,
    no_room: () => `too little of it is free, mostly because of ${by}`,
    veto: () => `the semantic labels say it is ${page.categories[result.becomes.get(instance)].name}`,
    thing_area: () => `it has fewer than ${pixels(settings.thing_area_thresh)}`,
  };
  return sentences[reason]();
}

/** A sentence on why stuff is not in the map. */
export function whyStuff(reason, place, settings, page) {
  const fraction = thresholdOf(settings, "stuff_area_fraction", place, page);
  const part = fraction > 0 ? ` or ${short(100 * fraction)} % of the image` : "";
  return {
    covered: "things have all of it",
    stuff_area: `it has fewer than ${pixels(thresholdOf(settings, "stuff_area_thresh", place, page))}${part}`,
    island: "it was only islands of labels, which others took over",
  }[reason];
}

function thresholdOf(settings, path, place, page) {
  const of = { "order.default_cut": "order.cut" }[path] ?? `${path}_of`;
  const id = page.categories[place].id;
  return (settings[of] ?? []).find(([one]) => one === id)?.[1] ?? settings[path];
}

/** What a segment is worth, in words. */
export function worthOf(segment, worth, gt, page) {
  if (worth.match !== NOBODY) return `IoU ${worth.best.toFixed(2)}, matched`;
  if (!worth.isFalse) return "not counted: on void or a crowd";
  const name = page.categories[segment.place].name;
  return worth.best > 0 ? `false: IoU ${worth.best.toFixed(2)} with the nearest ${name}` : `false: no ${name} there`;
}

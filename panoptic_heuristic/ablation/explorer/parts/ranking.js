// The stages before the claim: who takes part, in which order, with which masks.

import { areasOf } from "explorer/image.js";
import { byPlace } from "explorer/settings.js";

export const NOBODY = -1;

/**
 * The instances that claim, best first, their masks, and of each other one why it does not, and for whom.
 * `labels` is the reading of the semantic labels.
 */
export function rank(image, labels, settings, page) {
  const reasons = new Array(image.scores.length).fill(null);
  const droppedBy = new Int32Array(image.scores.length).fill(NOBODY);
  const cutoffs = byPlace(settings, "instances_score_thresh", page);
  let candidates = [];
  image.scores.forEach((score, instance) => {
    if (!Number.isFinite(score)) reasons[instance] = "not_finite";
    else if (score < cutoffs[image.places[instance]]) reasons[instance] = "score";
    else candidates.push(instance);
  });
  let masks = image.masks;
  if (settings.suppress === "nms") suppress(image, settings, candidates, reasons, droppedBy);
  if (settings.suppress === "semantic_gate") masks = gate(image, labels, settings, candidates, reasons);
  candidates = candidates.filter((instance) => reasons[instance] === null);
  const keys = keysOf(image, settings, page);
  cut(image, settings, page, keys, candidates, reasons);
  const ranked = sorted(
    candidates.filter((instance) => reasons[instance] === null),
    keys,
  );
  return { ranked, keys, masks, reasons, droppedBy };
}

/** Highest key first; equal ones keep their order. */
function sorted(instances, keys) {
  return [...instances].sort((one, other) => keys[other] - keys[one] || one - other);
}

function suppress(image, settings, candidates, reasons, droppedBy) {
  const ious = settings["suppress.kind"] === "box" ? boxIou : maskIous(image);
  const kept = [];
  for (const instance of sorted(candidates, image.scores)) {
    const better = kept.find((other) => ious(image, other, instance) > settings["suppress.iou_threshold"]);
    if (better === undefined) {
      kept.push(instance);
    } else {
      reasons[instance] = "nms";
      droppedBy[instance] = better;
    }
  }
}

function boxIou({ boxes }, one, other) {
  const [x0, y0, x1, y1] = boxes.subarray(4 * one, 4 * one + 4);
  const [u0, v0, u1, v1] = boxes.subarray(4 * other, 4 * other + 4);
  const areas = Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0) + Math.max(u1 - u0, 0) * Math.max(v1 - v0, 0);
  const width = Math.min(x1, u1) - Math.max(x0, u0);
  const height = Math.min(y1, v1) - Math.max(y0, v0);
  const intersection = Math.max(width, 0) * Math.max(height, 0);
  const union = areas - intersection;
  return union > 0 ? intersection / union : 0;
}

/** A function that gives the IoU of two masks; it marks the regions of one, which is asked for again and again. */
function maskIous(image) {
  const { pixels, masks } = image;
  const inside = new Uint8Array(pixels.length);
  let marked = null;
  return (_, other, instance) => {
    if (marked !== instance) {
      inside.fill(0);
      for (const region of masks.members[instance]) inside[region] = 1;
      marked = instance;
    }
    let shared = 0;
    for (const region of masks.members[other]) if (inside[region]) shared += pixels[region];
    const union = masks.areas[instance] + masks.areas[other] - shared;
    return union > 0 ? shared / union : 0;
  };
}

/** The masks where the labels agree with them; those of which too little is left are dropped. */
function gate(image, labels, settings, candidates, reasons) {
  const members = image.masks.members.map((regions, instance) =>
    regions.filter((region) => labels.semantic[region] === labels.agreeing[instance]),
  );
  const areas = areasOf(members, image.pixels);
  for (const instance of candidates) {
    const area = image.masks.areas[instance];
    const left = areas[instance];
    if (area > 0 && (left === 0 || left / area < settings["suppress.keep"])) reasons[instance] = "gate";
  }
  return { members, areas };
}

/** What orders the instances. Powers and probabilities were computed by Python, whose bits they have. */
export function keysOf(image, settings, page) {
  if (settings.order === "calibrated") return image.probabilities[settings["order.calibration"]];
  if (settings.order !== "power") return image.scores;
  const powersAt = (rows, path) => rows[page.exponents[path].indexOf(settings[path])];
  const keys = Float64Array.from(powersAt(image.scorePowers, "order.score_exponent"));
  for (const [rows, path] of [
    [image.qualityPowers, "order.quality_exponent"],
    [image.agreementPowers, "order.agreement_exponent"],
  ]) {
    if (settings[path]) {
      const powers = powersAt(rows, path);
      for (let instance = 0; instance < keys.length; instance += 1) keys[instance] *= powers[instance];
    }
  }
  return keys;
}

function cut(image, settings, page, keys, candidates, reasons) {
  if (settings.order === "power") {
    for (const one of candidates) if (keys[one] < settings["order.key_cutoff"]) reasons[one] = "key";
  } else if (settings.order === "calibrated") {
    const cuts = byPlace(settings, "order.default_cut", page);
    for (const one of candidates) if (keys[one] < cuts[image.places[one]]) reasons[one] = "probability";
  }
}

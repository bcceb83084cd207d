// Fusing an image on its regions: the map, its segments, and why each other candidate is not in it.
//
// Every step is the one of Python's panoptic_heuristic.fusion on pixels, with the same integers and divisions.

import { claim } from "explorer/claims.js";
import { NOBODY, rank } from "explorer/ranking.js";
import { byPlace } from "explorer/settings.js";

/**
 * Fuses an image.
 *
 * The result has `segments`, things by rank and then stuff by label, each with `isThing`, `place` (of its category),
 * `area`, and `instance` of things; `segmentOf`, of each region the place of its segment or NOBODY; `reasons` and
 * `droppedBy` of each instance, null and NOBODY if it is in the map; `stuffReasons` of stuff that is not, by place;
 * `ranked` and `keys`.
 */
export function fuse(image, settings, page) {
  const labels = readingOf(image, settings);
  const ranking = rank(image, labels, settings, page);
  const claimed = claim(image, ranking, settings, page);
  const { owner, areas } = claimed;
  const reasons = ranking.reasons.slice();
  const droppedBy = ranking.droppedBy.slice();
  for (const [instance, reason] of claimed.reasons) reasons[instance] = reason;
  for (const [instance, other] of claimed.blockers) droppedBy[instance] = other;
  const release = (instance, reason) => {
    reasons[instance] = reason;
    areas.delete(instance);
  };

  const becomes = settings.veto === "semantic_veto" ? vetoed(image, labels, claimed, settings) : new Map();
  for (const instance of becomes.keys()) release(instance, "veto");
  for (const [instance, area] of [...areas]) {
    if (area < settings.thing_area_thresh) release(instance, "thing_area");
  }
  const things = [...areas].map(([instance, area]) => ({
    isThing: true,
    place: image.places[instance],
    area,
    instance,
  }));
  const filled = fillStuff(image, labels, owner, areas, becomes, settings, page);
  const segments = [...things, ...filled.stuff];
  const segmentOf = segmentsOfRegions(image, owner, segments, filled.fills);
  return {
    segments,
    segmentOf,
    reasons,
    droppedBy,
    stuffReasons: filled.reasons,
    becomes,
    ranked: ranking.ranked,
    keys: ranking.keys,
    masks: ranking.masks,
  };
}

/** The reading of the labels that settings ask for: without small islands, or the head's own. */
export function readingOf(image, settings) {
  return image.labels.find(({ fraction }) => fraction === settings.island_area_fraction);
}

/** The stuff that the labels make of some instances: of those with enough pixels of one stuff. */
function vetoed(image, labels, { owner, areas }, settings) {
  const { stuff } = labels;
  const pixelsOf = new Map([...areas.keys()].map((instance) => [instance, new Map()]));
  owner.forEach((instance, region) => {
    if (instance === NOBODY) return;
    const pixels = pixelsOf.get(instance);
    const place = labels.semantic[region];
    pixels.set(place, (pixels.get(place) ?? 0) + image.pixels[region]);
  });
  const becomes = new Map();
  for (const [instance, area] of areas) {
    const counts = stuff.map((place) => pixelsOf.get(instance).get(place) ?? 0);
    const most = Math.max(0, ...counts);
    if (most && most / area >= settings["veto.majority"]) becomes.set(instance, stuff[counts.indexOf(most)]);
  }
  return becomes;
}

/** The stuff that stays, the stuff that fills each region (NOBODY for none), and why other stuff is not there. */
function fillStuff(image, labels, owner, areas, becomes, settings, page) {
  const { pixels } = image;
  const count = page.categories.length;
  const fills = new Int32Array(pixels.length).fill(NOBODY);
  const free = new Float64Array(count);
  const whole = new Float64Array(count);
  owner.forEach((instance, region) => {
    const place = becomes.get(instance) ?? labels.semantic[region];
    if (place === NOBODY || page.categories[place].isthing) return;
    whole[place] += pixels[region];
    if (areas.has(instance)) return;
    free[place] += pixels[region];
    fills[region] = place;
  });
  const limits = byPlace(settings, "stuff_area_thresh", page);
  const fractions = byPlace(settings, "stuff_area_fraction", page);
  const counted = settings["stuff.counted"] === "before" ? whole : free;
  const imageArea = image.height * image.width;
  const reasons = new Map(image.labels[0].stuff.map((place) => [place, "island"]));
  const stays = new Set();
  for (const place of labels.stuff) {
    const isSmall = counted[place] < limits[place] || counted[place] < fractions[place] * imageArea;
    if (free[place] === 0) reasons.set(place, "covered");
    else if (isSmall) reasons.set(place, "stuff_area");
    else stays.add(place);
  }
  for (const place of stays) reasons.delete(place);
  if (settings.leftover === "best_stuff") fillLeftover(labels, owner, areas, fills);
  const total = new Float64Array(count);
  fills.forEach((place, region) => {
    if (!stays.has(place)) fills[region] = NOBODY;
    else total[place] += pixels[region];
  });
  const stuff = [...stays].map((place) => ({ isThing: false, place, area: total[place] }));
  return { stuff, fills, reasons };
}

/** Regions whose label means no stuff, and that no instance took, get their best stuff. */
function fillLeftover(labels, owner, areas, fills) {
  labels.bestStuff.forEach((place, region) => {
    if (place !== NOBODY && !areas.has(owner[region])) fills[region] = place;
  });
}

function segmentsOfRegions(image, owner, segments, fills) {
  const ofInstance = new Map();
  const ofStuff = new Map();
  segments.forEach((one, segment) =>
    one.isThing ? ofInstance.set(one.instance, segment) : ofStuff.set(one.place, segment),
  );
  return Int32Array.from(
    image.pixels,
    (_, region) => ofInstance.get(owner[region]) ?? ofStuff.get(fills[region]) ?? NOBODY,
  );
}

// The data of an image, ready to be fused and scored.
//
// G regions, N instances, T ground-truth segments. A region's place of the ground truth is 0 for void, k for the
// k-th segment, T + 1 for pixels that the ground truth does not list. Categories go by their place in the list.

import { unpack, unpackMap, unpackRows } from "explorer/arrays.js";

/** Reads one image; `raw` is what image.py made, `info` its id, file name, height and width. */
export async function readImage(raw, info, page) {
  const [id, name, height, width] = info;
  const placeOf = page.placeOf;
  const [pixels, cover, gtPlace, scores, boxes] = await Promise.all(
    [raw.pixels, raw.cover, raw.gt_place, raw.scores, raw.boxes].map(unpack),
  );
  const places = Int32Array.from(raw.category_ids, (one) => placeOf.get(one));
  const members = membersOf(cover, pixels.length, scores.length);
  return {
    id,
    name,
    height,
    width,
    pixels,
    gtPlace,
    scores,
    boxes,
    places,
    categoryIds: raw.category_ids,
    masks: { members, areas: areasOf(members, pixels) },
    labels: await Promise.all(raw.labels.map((one) => readLabels(one, page))),
    gt: groundTruth(raw, gtPlace, pixels, placeOf),
    scorePowers: await unpackRows(raw.score_powers),
    qualityPowers: await unpackRows(raw.quality_powers),
    agreementPowers: await unpackRows(raw.agreement_powers),
    probabilities: await unpackRows(raw.probabilities),
    shown: { height: raw.map.shape[0], width: raw.map.shape[1], step: raw.step },
    readMap: once(() => unpackMap(raw.map)),
    photo: raw.photo ? `data:image/webp;base64,${raw.photo}` : null,
  };
}

/** The pixels of each mask, given the regions it covers. */
export function areasOf(members, pixels) {
  return Float64Array.from(members, (regions) => regions.reduce((sum, region) => sum + pixels[region], 0));
}

function once(make) {
  let made = null;
  return () => (made = made ?? make());
}

/** One reading of the labels; `stuff` are the places of the stuff that it holds, by the first label. */
async function readLabels(raw, page) {
  const [semantic, agreeing, firstLabels] = await Promise.all(
    [raw.semantic, raw.agreeing, raw.first_labels].map(unpack),
  );
  const bestStuff = raw.best_stuff ? await unpack(raw.best_stuff) : null;
  const stuff = [...new Set(semantic)].filter((place) => place >= 0 && !page.categories[place].isthing);
  stuff.sort((one, other) => firstLabels[one] - firstLabels[other]);
  return { fraction: raw.island_area_fraction, semantic, agreeing, bestStuff, stuff };
}

/** Of each instance the regions it covers, ascending, from a bit per region and instance. */
function membersOf(cover, regions, instances) {
  const members = Array.from({ length: instances }, () => []);
  const bytes = regions ? cover.length / regions : 0;
  for (let region = 0; region < regions; region += 1) {
    for (let byte = 0; byte < bytes; byte += 1) {
      const bits = cover[region * bytes + byte];
      for (let bit = 0; bits >> bit; bit += 1) if ((bits >> bit) & 1) members[8 * byte + bit].push(region);
    }
  }
  return members.map((one) => Int32Array.from(one));
}

function groundTruth(raw, gtPlace, pixels, placeOf) {
  const ids = raw.gt_ids;
  const places = raw.gt_category_ids.map((one) => placeOf.get(one));
  const areas = new Float64Array(ids.length + 2);
  gtPlace.forEach((place, region) => (areas[place] += pixels[region]));
  // A prediction on the last crowd of its category is no false positive, as panopticapi has it.
  const lastCrowd = new Map();
  raw.gt_iscrowd.forEach((isCrowd, segment) => isCrowd && lastCrowd.set(places[segment], segment));
  return { ids, places, isCrowd: raw.gt_iscrowd.map(Boolean), areas, lastCrowd };
}

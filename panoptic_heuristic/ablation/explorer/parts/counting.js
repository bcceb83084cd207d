// PQ of fused images, in the integers of panoptic_heuristic.quality: IoU in units of 2**-40.

import { NOBODY } from "explorer/ranking.js";

const UNIT = 40n;

/**
 * What each segment of a fused image is worth: its `match`, the place of a ground-truth segment or NOBODY; `iou` with
 * it, a BigInt in units; `isFalse`; and `best`, the largest IoU with one of its category, as a number.
 */
export function score(image, { segments, segmentOf }) {
  const { gt, pixels, gtPlace } = image;
  const places = gt.ids.length + 2;
  const shared = segments.map(() => new Float64Array(places));
  segmentOf.forEach((segment, region) => {
    if (segment !== NOBODY) shared[segment][gtPlace[region]] += pixels[region];
  });
  return segments.map(({ place, area }, segment) => {
    const own = shared[segment];
    const worth = { match: NOBODY, iou: 0n, isFalse: false, best: 0 };
    gt.places.forEach((gtCategory, other) => {
      if (gtCategory !== place || gt.isCrowd[other]) return;
      const intersection = own[other + 1];
      const union = gt.areas[other + 1] + area - own[0] - intersection;
      worth.best = Math.max(worth.best, union > 0 ? intersection / union : 0);
      if (2 * intersection > union) {
        worth.match = other;
        worth.iou = inUnits(intersection, union);
      }
    });
    const crowd = gt.lastCrowd.get(place);
    const excused = own[0] + (crowd === undefined ? 0 : own[crowd + 1]);
    worth.isFalse = worth.match === NOBODY && 2 * excused <= area;
    return worth;
  });
}

/** intersection / union in units, rounded half up. */
export function inUnits(intersection, union) {
  const [part, whole] = [BigInt(intersection), BigInt(union)];
  return ((part << (UNIT + 1n)) + whole) / (2n * whole);
}

/** The counts of an image: place of a category -> `{ iouSum, tp, fp, fn }`, of those that occur. */
export function countImage(image, { segments }, worths) {
  const counts = new Map();
  const of = (place) => {
    if (!counts.has(place)) counts.set(place, { iouSum: 0n, tp: 0, fp: 0, fn: 0 });
    return counts.get(place);
  };
  image.gt.places.forEach((place, segment) => {
    if (!image.gt.isCrowd[segment]) of(place).fn += 1;
  });
  worths.forEach(({ match, iou, isFalse }, segment) => {
    if (match !== NOBODY) {
      const own = of(segments[segment].place);
      own.iouSum += iou;
      own.tp += 1;
      own.fn -= 1;
    } else if (isFalse) {
      of(segments[segment].place).fp += 1;
    }
  });
  return counts;
}

/** The counts of several images together. */
export function sumCounts(all) {
  const total = new Map();
  for (const counts of all) {
    for (const [place, { iouSum, tp, fp, fn }] of counts) {
      const own = total.get(place) ?? { iouSum: 0n, tp: 0, fp: 0, fn: 0 };
      total.set(place, { iouSum: own.iouSum + iouSum, tp: own.tp + tp, fp: own.fp + fp, fn: own.fn + fn });
    }
  }
  return total;
}

/** PQ of one category, 0 to 1; NaN if it does not occur. */
export function categoryPq({ iouSum, tp, fp, fn }) {
  return Number(iouSum) / 2 ** Number(UNIT) / (tp + fp / 2 + fn / 2);
}

/** PQ over the categories that occur, 0 to 1, of those that `isChosen` takes; NaN where none does. */
export function meanPq(counts, isChosen = () => true) {
  const values = [...counts].filter(([place]) => isChosen(place)).map(([, one]) => categoryPq(one));
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Misses and false positives. */
export function errors(counts) {
  return [...counts.values()].reduce((sum, { fp, fn }) => sum + fp + fn, 0);
}

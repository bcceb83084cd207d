// Fuses and counts images, and remembers what was asked for last.

import { countImage, score, sumCounts } from "explorer/counting.js";
import { fuse } from "explorer/fusing.js";

// Settings whose results are kept: current, default, recommended, pinned and the ones before.
const KEPT = 6;

/** An engine of a page: `read` gives the functions that read its images. */
export function makeEngine(page, read) {
  const images = new Array(read.length).fill(null);
  const kept = new Map();

  const load = async (number) => {
    images[number] = images[number] ?? (await read[number]());
    return images[number];
  };

  const resultsOf = (settings) => {
    const key = JSON.stringify(settings);
    const results = kept.get(key) ?? new Array(read.length).fill(null);
    kept.delete(key);
    kept.set(key, results);
    for (const oldest of [...kept.keys()].slice(0, -KEPT)) kept.delete(oldest);
    return results;
  };

  /** The result, worths and counts of an image that is loaded. */
  const fused = (number, settings) => {
    const results = resultsOf(settings);
    if (!results[number]) {
      const image = images[number];
      const result = fuse(image, settings, page);
      const worths = score(image, result);
      results[number] = { image, result, worths, counts: countImage(image, result, worths) };
    }
    return results[number];
  };

  /** The counts of each image, and their sum. */
  const countAll = (settings) => {
    const each = images.map((_, number) => fused(number, settings).counts);
    return { each, total: sumCounts(each) };
  };

  return { load, fused, countAll, image: (number) => images[number], size: read.length };
}

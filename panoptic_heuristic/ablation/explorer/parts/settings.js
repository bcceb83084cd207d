// Settings: path -> value, such as "claim" -> "greedy" and "claim.overlap_threshold" -> 0.5.
//
// Values of single categories are lists of [category id, value] at the path of what they replace.

const OF = {
  instances_score_thresh: "instances_score_thresh_of",
  "claim.overlap_threshold": "claim.overlap_threshold_of",
  stuff_area_thresh: "stuff_area_thresh_of",
  stuff_area_fraction: "stuff_area_fraction_of",
  "order.default_cut": "order.cut",
};

/** The path of the values of single categories; undefined if there are none of this value. */
export function pathOfCategories(path) {
  return OF[path];
}

/** The value of each category, by its place. */
export function byPlace(settings, path, page) {
  const values = new Float64Array(page.categories.length).fill(settings[path]);
  for (const [id, value] of settings[OF[path]] ?? []) values[page.placeOf.get(id)] = value;
  return values;
}

/** A category's own value; undefined if it has none. */
export function ownValue(settings, path, categoryId) {
  return (settings[OF[path]] ?? []).find(([id]) => id === categoryId)?.[1];
}

/** The settings with another value of a single category; undefined takes its own value away. */
export function withOwnValue(settings, path, categoryId, value) {
  const others = (settings[OF[path]] ?? []).filter(([id]) => id !== categoryId);
  const pairs = value === undefined ? others : [...others, [categoryId, value]];
  return { ...settings, [OF[path]]: pairs.sort(([one], [other]) => one - other) };
}

/** The settings with another rule of a stage, with its defaults; parameters that both rules have stay. */
export function withRule(settings, stage, name, page) {
  const own = page.rules[stage][name];
  const kept = Object.entries(settings).filter(([path]) => !path.startsWith(`${stage}.`) || path in own);
  return { ...own, ...Object.fromEntries(kept), [stage]: name };
}

/** True if two settings are the same. */
export function same(one, other) {
  const paths = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...paths].every((path) => JSON.stringify(one[path]) === JSON.stringify(other[path]));
}

/** The paths at which two settings differ. */
export function differing(one, other) {
  const paths = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...paths].filter((path) => JSON.stringify(one[path]) !== JSON.stringify(other[path]));
}

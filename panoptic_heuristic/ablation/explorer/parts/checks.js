// Settings that come from outside, such as from a link: only what a page can fuse by passes.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isFraction = (value) => isNumber(value) && value >= 0 && value <= 1;
const isArea = (value) => isNumber(value) && value >= 0;

/** True if a page can fuse by a value at a path. */
export function isGood(path, value, page) {
  if (path in page.rules) return typeof page.rules[path][value] === "object";
  const name = path.split(".").at(-1);
  if (name in checks) return checks[name](value, page);
  if (path.endsWith("_of") || path === "order.cut") {
    return arePairs(value, page, path.includes("area_thresh") ? isArea : isFraction);
  }
  return path.includes("area_thresh") ? isArea(value) : isFraction(value);
}

const checks = {
  instances_score_thresh: isNumber,
  instances_score_thresh_of: (value, page) => arePairs(value, page, isNumber),
  key_cutoff: isArea,
  score_exponent: (value, page) => page.exponents["order.score_exponent"].includes(value),
  quality_exponent: (value, page) => page.exponents["order.quality_exponent"].includes(value),
  agreement_exponent: (value, page) => page.exponents["order.agreement_exponent"].includes(value),
  island_area_fraction: (value, page) => page.island_area_fractions.includes(value),
  calibration: (value, page) => Number.isInteger(value) && value >= 0 && value < page.calibrations.length,
  floor: (value, page) => value === page.floors.stuff_probability,
  probability_floor: (value) => value === 0,
  counted: (value) => ["after", "before"].includes(value),
  kind: (value) => ["mask", "box"].includes(value),
  on_top: (value) => ["area", "precedence"].includes(value),
  precedence: (value, page) => Array.isArray(value) && value.every((pair) => isPairOf(pair, page)),
};

function isPairOf(pair, page) {
  return Array.isArray(pair) && pair.length === 2 && pair.every((id) => page.placeOf.has(id));
}

function arePairs(value, page, isValue) {
  return Array.isArray(value) && value.every((pair) => page.placeOf.has(pair?.[0]) && isValue(pair[1]));
}

/** True if rules can work together on regions: after a veto, what is left depends on which stuff stays. */
export function areGoodTogether(settings) {
  return settings.veto === "none" || (settings["stuff.counted"] === "after" && settings.leftover === "void");
}

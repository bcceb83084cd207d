// Colours of segments and of what became of them, as 32 bits of RGBA in the order of a canvas.

import { NOBODY } from "explorer/ranking.js";

// Lightness of the k-th instance of a class against the first.
const SHADES = [0, 0.14, -0.13, 0.24, -0.07, 0.07, -0.2];

// Told apart by people who confuse red and green, too (after Okabe and Ito, "Color Universal Design").
export const MEANINGS = [
  { name: "void or crowd, not counted", color: [90, 90, 90], opacity: 0.75 },
  { name: "matched", color: [0, 158, 115], opacity: 0.4 },
  { name: "matched, but not in this place", color: [240, 228, 66], opacity: 0.7 },
  { name: "missed", color: [213, 50, 0], opacity: 0.75 },
  { name: "false", color: [100, 70, 230], opacity: 0.75 },
];
const [VOID, MATCHED, ELSEWHERE, MISSED, FALSE] = [0, 1, 2, 3, 4];

export function rgba([red, green, blue], opacity) {
  return ((Math.round(255 * opacity) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The colour of the k-th segment of a class. */
export function shade(color, number) {
  const step = SHADES[number % SHADES.length];
  const towards = step < 0 ? 0 : 255;
  return color.map((channel) => Math.round(channel + (towards - channel) * Math.abs(step)));
}

/** The colour of each segment, `places` the places of their categories. */
export function segmentColors(places, page) {
  const seen = new Map();
  return places.map((place) => {
    const number = seen.get(place) ?? 0;
    seen.set(place, number + 1);
    return shade(page.categories[place].color, number);
  });
}

/**
 * Of each region two of MEANINGS, which differ where a missed segment lies under a false one, by what became of the
 * ground truth's segment and the predicted one.
 */
export function differences(image, { segmentOf }, worths) {
  const { gt, gtPlace } = image;
  const matchOf = new Int32Array(gt.ids.length).fill(NOBODY);
  worths.forEach(({ match }, segment) => match !== NOBODY && (matchOf[match] = segment));
  return Array.from(gtPlace, (place, region) => {
    const listed = place > 0 && place <= gt.ids.length;
    const isFalse = segmentOf[region] !== NOBODY && worths[segmentOf[region]].isFalse;
    if (place === 0) return [VOID, VOID];
    if (!listed || gt.isCrowd[place - 1]) return isFalse ? [FALSE, FALSE] : [VOID, VOID];
    const match = matchOf[place - 1];
    if (match === NOBODY) return isFalse ? [MISSED, FALSE] : [MISSED, MISSED];
    if (match === segmentOf[region]) return [MATCHED, MATCHED];
    return isFalse ? [FALSE, FALSE] : [ELSEWHERE, ELSEWHERE];
  });
}

// Draws an image's map on a canvas that lies over the photo.

import { MEANINGS, differences, rgba, segmentColors } from "explorer/colors.js";
import { NOBODY } from "explorer/ranking.js";

const STRIPE = 7;
const FADED = 0.18;
const LINE = rgba([255, 255, 255], 1);
const EDGE = [rgba([0, 0, 0], 1), rgba([255, 213, 0], 1)];

/**
 * Draws.
 *
 * `what` has the `image`, its `map`, the `result` and `worths` of fusing it; `view` and `opacity`; `borders`;
 * `category`, whose pixels alone are not faded, or null; `differs`, of each region whether it is to stand out, or null;
 * `candidate`, an instance whose mask is outlined, or null.
 */
export function draw(canvas, what, page) {
  const { image, map, view } = what;
  const { height, width } = image.shown;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (view === "photo" && what.candidate === null) {
    context.clearRect(0, 0, width, height);
    return;
  }
  const { palettes, parts } = viewOf(what, page);
  const pixels = new Uint32Array(width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const region = map[at];
      pixels[at] = palettes[Math.trunc((x + y) / STRIPE) % 2][region];
      if (what.borders && parts !== null) {
        const part = parts[region];
        if ((x > 0 && parts[map[at - 1]] !== part) || (y > 0 && parts[map[at - width]] !== part)) pixels[at] = LINE;
      }
    }
  }
  if (what.candidate !== null) outline(pixels, image, map, what.candidate);
  context.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
}

/** Two palettes by region, for stripes, and what borders are drawn between, by region. */
function viewOf(what, page) {
  const { image, result, worths, view, opacity } = what;
  const regions = image.pixels.length;
  if (view === "photo") return { palettes: [new Uint32Array(regions), new Uint32Array(regions)], parts: null };
  if (view === "difference") {
    const meanings = differences(image, result, worths);
    const paint = (side) =>
      Uint32Array.from(meanings, (pair, region) => {
        const { color, opacity: own } = MEANINGS[pair[side]];
        return rgba(color, own * strength(what, region, categoryAt(what, region)));
      });
    return { palettes: [paint(0), paint(1)], parts: Array.from(image.gtPlace, Number) };
  }
  const isGt = view === "gt";
  const places = isGt ? image.gt.places : result.segments.map(({ place }) => place);
  const colors = segmentColors(places, page);
  const parts = isGt
    ? Int32Array.from(image.gtPlace, (place) => (place > places.length ? NOBODY : place - 1))
    : result.segmentOf;
  const palette = Uint32Array.from(parts, (part, region) =>
    part === NOBODY
      ? rgba([0, 0, 0], opacity * strength(what, region, NOBODY))
      : rgba(colors[part], opacity * strength(what, region, places[part])),
  );
  return { palettes: [palette, palette], parts };
}

/** The category that an error or a match is about. */
function categoryAt({ image, result, category }, region) {
  const place = image.gt.places[image.gtPlace[region] - 1];
  const segment = result.segments[result.segmentOf[region]];
  return place === category || segment === undefined ? place : segment.place;
}

function strength({ category, differs }, region, place) {
  const fades = (category !== null && category !== place) || (differs !== null && !differs[region]);
  return fades ? FADED : 1;
}

/** Outlines the mask of an instance in black and yellow, which show on every colour. */
function outline(pixels, image, map, candidate) {
  const inside = new Uint8Array(image.pixels.length);
  for (const region of image.masks.members[candidate] ?? []) inside[region] = 1;
  const { width, height } = image.shown;
  const isIn = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside[map[y * width + x]] === 1;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!isIn(x, y)) continue;
      const depth = [1, 2, 3].find(
        (far) => !isIn(x - far, y) || !isIn(x + far, y) || !isIn(x, y - far) || !isIn(x, y + far),
      );
      if (depth !== undefined) pixels[y * width + x] = EDGE[depth === 3 ? 0 : 1];
    }
  }
}

/** Of each region whether two results of an image give it to another candidate. */
export function differingRegions(one, other) {
  const key = ({ segments, segmentOf }, region) => {
    const segment = segments[segmentOf[region]];
    if (segment === undefined) return "void";
    return segment.isThing ? `thing ${segment.instance}` : `stuff ${segment.place}`;
  };
  return Array.from(one.segmentOf, (_, region) => key(one, region) !== key(other, region));
}

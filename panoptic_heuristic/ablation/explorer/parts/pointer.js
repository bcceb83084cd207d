// What is under the pointer: the segment, the ground truth, and the candidates that lost there.

import { byId, make, swatch } from "explorer/dom.js";
import { NOBODY } from "explorer/ranking.js";
import { instanceName, pixels, short, whyThing, worthOf } from "explorer/words.js";

const HINT = "Point at the image, or tap it: what is there, why it is kept, and what lost. Click to choose a class.";
const MOST_LOSERS = 4;
const STEP = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Listens to both canvases; returns a function that shows a state. */
export function makePointer({ page, engine, keeper }) {
  const place = byId("pointer");
  let at = null;

  const tell = async () => {
    const state = keeper.get();
    const image = engine.image(state.image);
    if (at === null || !image) {
      place.replaceChildren(make("p", { className: "faint" }, HINT));
      return null;
    }
    const map = await image.readMap();
    const [x, y] = at.map((part, axis) => Math.min(Math.floor(part * size(image)[axis]), size(image)[axis] - 1));
    const region = map[y * image.shown.width + x];
    const fused = engine.fused(state.image, state.settings);
    place.replaceChildren(...describe(fused, region, state.settings, page));
    return fused.result.segments[fused.result.segmentOf[region]]?.place ?? null;
  };

  for (const canvas of document.querySelectorAll(".layers canvas")) {
    const move = (event) => {
      const box = canvas.getBoundingClientRect();
      at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((one) =>
        Math.min(Math.max(one, 0), 1),
      );
      cross(at);
      return tell();
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("click", async (event) => {
      const category = await move(event);
      keeper.change({ category: category === keeper.get().category ? null : category });
    });
    canvas.addEventListener("keydown", async (event) => {
      if (event.key === "Enter") keeper.change({ category: await tell() });
      if (!(event.key in STEP)) return;
      event.preventDefault();
      event.stopPropagation();
      at = (at ?? [0.5, 0.5]).map((one, axis) => Math.min(Math.max(one + 0.02 * STEP[event.key][axis], 0), 1));
      cross(at);
      tell();
    });
  }

  return (state, before) => {
    if (before && state.image !== before.image) {
      at = null;
      cross(null);
    }
    tell();
  };
}

function size({ shown }) {
  return [shown.width, shown.height];
}

/** A cross on both panes, at the same place. */
function cross(at) {
  for (const layers of document.querySelectorAll(".layers")) {
    const mark =
      layers.querySelector(".cross") ?? layers.appendChild(make("span", { className: "cross", "aria-hidden": "true" }));
    mark.hidden = at === null;
    if (at) Object.assign(mark.style, { left: `${100 * at[0]}%`, top: `${100 * at[1]}%` });
  }
}

function describe(fused, region, settings, page) {
  const { image, result } = fused;
  const lines = [segmentLine(fused, region, page), gtLine(image, region, page)];
  const losers = result.ranked
    .concat(result.reasons.flatMap((reason, one) => (result.ranked.includes(one) || reason === null ? [] : [one])))
    .filter((one) => result.reasons[one] !== null && image.masks.members[one].includes(region));
  const listed = losers
    .slice(0, MOST_LOSERS)
    .map((one) => make("li", {}, `${instanceName(image, one, page)}: ${whyThing(fused, one, settings, page)}`));
  if (losers.length > MOST_LOSERS)
    listed.push(make("li", { className: "faint" }, `and ${losers.length - MOST_LOSERS} more`));
  return listed.length ? [...lines, make("p", { className: "faint" }, "Lost here:"), make("ul", {}, ...listed)] : lines;
}

function segmentLine({ image, result, worths }, region, page) {
  const number = result.segmentOf[region];
  if (number === NOBODY) return make("p", {}, make("strong", {}, "Void"), ": no segment is here.");
  const segment = result.segments[number];
  const { name, color } = page.categories[segment.place];
  const score = segment.isThing ? `score ${short(image.scores[segment.instance])}, ` : "stuff, ";
  const worth = worthOf(segment, worths[number], image.gt, page);
  return make("p", {}, swatch(color), make("strong", {}, name), ` is kept: ${score}${pixels(segment.area)}, ${worth}.`);
}

function gtLine({ gt, gtPlace }, region, page) {
  const place = gtPlace[region];
  if (place === 0) return make("p", { className: "faint" }, "The ground truth is void here.");
  if (place > gt.ids.length)
    return make("p", { className: "faint" }, "The ground truth lists no segment of this pixel's id.");
  const { name } = page.categories[gt.places[place - 1]];
  const crowd = gt.isCrowd[place - 1] ? ", a crowd" : "";
  return make("p", { className: "faint" }, `Ground truth: ${name}${crowd}, ${pixels(gt.areas[place])}.`);
}

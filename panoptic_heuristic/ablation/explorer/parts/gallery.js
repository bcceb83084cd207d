// The list of images: sorted by change, errors, PQ or name, and filtered by class.

import { errors, meanPq } from "explorer/counting.js";
import { byId, make } from "explorer/dom.js";
import { SORTS } from "explorer/state.js";
import { change, percent, plural } from "explorer/words.js";

const NAMES = { given: "as packed", pq: "lowest PQ", errors: "most errors", change: "most change", name: "name" };

/** Returns functions: `show` a state, and `step` to the next or the previous image of the list. */
export function makeGallery({ page, engine, keeper }) {
  const sort = byId("sort");
  sort.append(...SORTS.map((one) => make("option", { value: one }, NAMES[one])));
  sort.addEventListener("change", () => keeper.change({ sort: sort.value }));
  let listed = [];

  const show = (state, all, defaults) => {
    sort.value = state.sort;
    const rows = page.images.map(([id, name], number) => {
      const counts = all?.each[number];
      const before = defaults?.each[number];
      return { number, name: name || String(id), counts, before };
    });
    listed = rows.filter((one) => one.number === state.image || hasClass(one, state.category)).sort(orders[state.sort]);
    byId("image-list").replaceChildren(...listed.map((one) => item(one, state)));
  };

  const item = ({ number, name, counts, before }, state) => {
    const photo = engine.image(number)?.photo;
    const label = counts ? `PQ ${percent(meanPq(counts))} (${change(meanPq(before), meanPq(counts))}), ${plural(errors(counts), "error")}` : "";
    const button = make("button", {
      type: "button", title: name, "aria-current": number === state.image ? "true" : null,
      onclick: () => keeper.change({ image: number, candidate: null }),
    }, photo ? make("img", { src: photo, alt: "", loading: "lazy" }) : null, make("span", { className: "name" }, name), make("span", { className: "faint" }, label));
    return make("li", {}, button);
  };

  const step = (by) => {
    const at = listed.findIndex(({ number }) => number === keeper.get().image);
    const next = listed[(at + by + listed.length) % listed.length];
    keeper.change({ image: next.number, candidate: null });
    byId("image-list").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  return { show, step };
}

function hasClass({ counts }, category) {
  return category === null || !counts || counts.has(category);
}

const worse = (one, other) => one - other || (Number.isNaN(one) ? 1 : 0) - (Number.isNaN(other) ? 1 : 0);
const changed = ({ before, counts }) => (counts ? Math.abs(errors(counts) - errors(before)) : 0);
const moved = ({ before, counts }) => (counts ? Math.abs(meanPq(counts) - meanPq(before)) || 0 : 0);
const orders = {
  given: (one, other) => one.number - other.number,
  pq: (one, other) => (one.counts ? worse(meanPq(one.counts), meanPq(other.counts)) : 0),
  errors: (one, other) => (one.counts ? errors(other.counts) - errors(one.counts) : 0),
  change: (one, other) => changed(other) - changed(one) || moved(other) - moved(one),
  name: (one, other) => one.name.localeCompare(other.name, "en", { numeric: true }),
};

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
  const items = page.images.map(([id, name], number) =>
    item(name || String(id), () => keeper.change({ image: number, candidate: null })),
  );

  const show = (state, all, defaults) => {
    sort.value = state.sort;
    const rows = page.images.map(([id, name], number) => {
      const counts = all?.each[number];
      const before = defaults?.each[number];
      return { number, name: name || String(id), counts, before };
    });
    listed = rows.filter((one) => one.number === state.image || hasClass(one, state.category)).sort(orders[state.sort]);
    for (const { number, counts, before } of listed) {
      const words = counts ? quality(counts, before) : "";
      items[number].show(engine.image(number)?.photo, words, number === state.image);
    }
    const wanted = listed.map(({ number }) => items[number].element);
    const list = byId("image-list");
    // Elements stay where they are if they can: whoever works with keys stands on one.
    if (wanted.length !== list.children.length || wanted.some((one, place) => one !== list.children[place])) {
      list.replaceChildren(...wanted);
    }
  };

  const step = (by) => {
    const at = listed.findIndex(({ number }) => number === keeper.get().image);
    const next = listed[(at + by + listed.length) % listed.length];
    keeper.change({ image: next.number, candidate: null });
    byId("image-list").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  return { show, step };
}

/** An image of the list, made once. */
function item(name, choose) {
  const [photo, label] = [make("img", { alt: "", hidden: true }), make("span", { className: "faint" })];
  const button = make(
    "button",
    { type: "button", title: name, onclick: choose },
    photo,
    make("span", { className: "name" }, name),
    label,
  );
  const show = (source, words, isCurrent) => {
    if (source && photo.hidden) Object.assign(photo, { src: source, hidden: false });
    label.textContent = words;
    if (isCurrent) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  };
  return { element: make("li", {}, button), show };
}

function quality(counts, before) {
  const [now, then] = [counts, before].map((one) => meanPq(one));
  return `PQ ${percent(now)} (${change(then, now)}), ${plural(errors(counts), "error")}`;
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

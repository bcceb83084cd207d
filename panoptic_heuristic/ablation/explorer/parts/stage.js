// The image: what is drawn of it, beside what, and the buttons that say so.

import { MEANINGS } from "explorer/colors.js";
import { byId, make, swatch } from "explorer/dom.js";
import { differingRegions, draw } from "explorer/drawing.js";
import { meanPq } from "explorer/counting.js";
import { COMPARED, VIEWS, comparedWith } from "explorer/state.js";
import { percent } from "explorer/words.js";

const NAMES = { fused: "Fused", gt: "Ground truth", difference: "Difference", photo: "Photo" };
const BESIDE = {
  none: "nothing",
  default: "the default",
  recommended: "the recommended",
  pinned: "the pinned settings",
};

/** Makes the controls; returns a function that shows a state. */
export function makeStage({ page, engine, keeper }) {
  const views = VIEWS.map((view, number) =>
    make(
      "label",
      { title: `key ${number + 1}` },
      make("input", { type: "radio", name: "view", value: view, onchange: () => keeper.change({ view }) }),
      NAMES[view],
    ),
  );
  byId("views").append(...views);
  byId("opacity").addEventListener("input", ({ target }) => keeper.change({ opacity: Number(target.value) }));
  byId("borders").addEventListener("change", ({ target }) => keeper.change({ borders: target.checked }));
  const compare = byId("compare");
  compare.append(...COMPARED.map((one) => make("option", { value: one }, BESIDE[one])));
  compare.addEventListener("change", () => keeper.change({ compare: compare.value }));
  byId("legend").append(
    ...MEANINGS.slice(1).map(({ name, color }) => make("li", {}, swatch(color), name)),
    make("li", {}, "striped: missed and false"),
  );

  return async (state) => {
    for (const { firstChild } of views) firstChild.checked = firstChild.value === state.view;
    byId("opacity").value = state.opacity;
    byId("borders").checked = state.borders;
    for (const option of compare.options) {
      option.disabled = option.value !== "none" && !comparedWith({ ...state, compare: option.value }, page);
    }
    compare.value = state.compare;
    byId("legend").hidden = state.view !== "difference";

    const image = engine.image(state.image);
    const map = await image.readMap();
    // Meanwhile the reader may have gone on.
    if (keeper.get() !== state) return;
    const other = comparedWith(state, page);
    const here = engine.fused(state.image, state.settings);
    const beside = other && engine.fused(state.image, other);
    const differs = beside && state.view === "fused" ? differingRegions(here.result, beside.result) : null;
    byId("beside").hidden = !beside;
    byId("panes").classList.toggle("two", Boolean(beside));
    const part = differs && partOf(image, differs);
    show(byId("here"), here, beside ? `where you stand${part ? `, ${part}` : ""}` : "");
    if (beside) show(byId("beside"), beside, BESIDE[state.compare]);

    function show(pane, fused, title) {
      const [photo, canvas] = pane.querySelector(".layers").children;
      if (photo.dataset.of !== String(state.image)) {
        photo.dataset.of = state.image;
        photo.hidden = !image.photo;
        if (image.photo) photo.src = image.photo;
        pane.querySelector(".layers").style.setProperty("--ratio", image.width / image.height);
      }
      photo.classList.toggle("grey", state.view === "difference");
      const { borders, category, candidate, opacity, view } = state;
      draw(canvas, { ...fused, map, view, opacity, borders, category, candidate, differs }, page);
      const pq = percent(meanPq(fused.counts));
      canvas.setAttribute(
        "aria-label",
        `${image.name}, ${NAMES[view].toLowerCase()}: ${fused.result.segments.length} segments, PQ ${pq}; ` +
          "arrow keys move a pointer over it",
      );
      pane.querySelector("figcaption").textContent = title ? `${title}: PQ ${pq}` : "";
    }
  };
}

function partOf(image, differs) {
  const area = differs.reduce((sum, one, region) => sum + (one ? image.pixels[region] : 0), 0);
  return area
    ? `${((100 * area) / (image.height * image.width)).toFixed(1)} % of the pixels differ (in full colour)`
    : "no pixel differs";
}

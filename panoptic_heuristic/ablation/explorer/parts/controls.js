// The settings: presets, the three thresholds, those of a chosen class, and the rules with their parameters.

import { isGood } from "explorer/checks.js";
import { byId, make, swatch } from "explorer/dom.js";
import { ownValue, pathOfCategories, same, withOwnValue } from "explorer/settings.js";
import { makeRuleControls } from "explorer/rules.js";
import { makeSlider } from "explorer/slider.js";
import { LABELS } from "explorer/words.js";

const MAIN = ["instances_score_thresh", "claim.overlap_threshold", "stuff_area_thresh"];
const OF_THINGS = ["instances_score_thresh", "claim.overlap_threshold", "order.default_cut"];
const OF_STUFF = ["stuff_area_thresh", "stuff_area_fraction"];

/** The kind of a slider at a path. */
export function kindOf(path) {
  if (path.endsWith("area_thresh")) return "area";
  return path.endsWith("area_fraction") ? "small" : "fraction";
}

/** The area at the right end of a slider: an eighth of the largest image, or what is marked if that is more. */
function mostArea(page) {
  const areas = page.images.map(([, , height, width]) => (height * width) / 8);
  const marked = Object.values(page.marks).flatMap((mark) =>
    mark ? [mark.settings.stuff_area_thresh, mark.settings.thing_area_thresh] : [],
  );
  return Math.max(...areas, ...marked, 100);
}

/** Makes all controls; returns a function that shows a state. */
export function makeControls({ page, keeper }) {
  const most = mostArea(page);
  const put = (path, value) => {
    if (isGood(path, value, page)) keeper.change({ settings: { ...keeper.get().settings, [path]: value } });
  };
  const slider = (path, label, change) =>
    makeSlider({ label, kind: kindOf(path), most, hint: page.keys.thresholds[path], change });
  const main = MAIN.map((path) => ({ path, ...slider(path, LABELS[path], (value) => put(path, value)) }));
  byId("tick-recommended").hidden = !page.marks.recommended;
  byId("sliders").append(...main.map(({ element }) => element));
  const marksOf = (path) =>
    Object.fromEntries(["default", "recommended"].map((name) => [name, page.marks[name]?.settings[path] ?? null]));
  const showPresets = makePresets(page, keeper);
  const showOwn = makeOwn(page, keeper, slider, marksOf);
  const showRules = makeRuleControls({ page, keeper, put, slider, marksOf, elsewhere: MAIN });

  return (state) => {
    for (const { path, element, show } of main) {
      element.hidden = !(path in state.settings);
      if (path in state.settings) show(state.settings[path], marksOf(path));
    }
    showPresets(state);
    showOwn(state);
    showRules(state);
  };
}

function makePresets(page, keeper) {
  const preset = byId("preset");
  const marked = Object.entries(page.marks).filter(([, mark]) => mark);
  const able = Object.entries(page.presets).filter(([, settings]) => typeof settings === "object");
  const settingsOf = new Map([
    ...marked.map(([name, mark]) => [`mark ${name}`, mark.settings]),
    ...able.map(([name, settings]) => [`preset ${name}`, settings]),
  ]);
  preset.append(
    make("option", { value: "", disabled: true }, "your own"),
    ...marked.map(([name, { words }]) => make("option", { value: `mark ${name}` }, `${name}: ${words}`)),
    make(
      "optgroup",
      { label: "published" },
      ...able.map(([name]) => make("option", { value: `preset ${name}` }, name)),
    ),
  );
  preset.addEventListener("change", () => keeper.change({ settings: settingsOf.get(preset.value) }));
  return ({ settings }) => {
    const standing = [...settingsOf].find(([, one]) => same(one, settings))?.[0] ?? "";
    preset.value = standing;
    const [kind, name] = standing.split(" ");
    byId("where").textContent = standing === "" ? "your own" : kind === "mark" ? `the ${name}` : name;
  };
}

/** The sliders of the class that is chosen: its own values in place of those of all. */
function makeOwn(page, keeper, slider, marksOf) {
  const place = byId("own");
  let shown = null;
  let rows = [];
  const build = (category) => {
    const { id, name, color, isthing } = page.categories[category];
    const put = (path, value) => keeper.change({ settings: withOwnValue(keeper.get().settings, path, id, value) });
    rows = (isthing ? OF_THINGS : OF_STUFF).map((path) => {
      const one = slider(path, LABELS[path], (value) => isGood(path, value, page) && put(path, value));
      const box = make("input", {
        type: "checkbox",
        onchange: () => put(path, box.checked ? keeper.get().settings[path] : undefined),
      });
      return {
        ...one,
        path,
        box,
        element: make(
          "div",
          { className: "own-row" },
          make("label", {}, box, ` ${LABELS[path]}: own value`),
          one.element,
        ),
      };
    });
    place.replaceChildren(make("h3", {}, swatch(color), `Only for ${name}`), ...rows.map(({ element }) => element));
  };
  return ({ settings, category }) => {
    place.hidden = category === null;
    if (category === null) return;
    if (shown !== category) build(category);
    shown = category;
    const { id } = page.categories[category];
    for (const { path, box, element, show } of rows) {
      const able = pathOfCategories(path) in settings;
      element.hidden = !able;
      if (!able) continue;
      const own = ownValue(settings, path, id);
      box.checked = own !== undefined;
      element.lastChild.hidden = own === undefined;
      const marks = Object.fromEntries(
        Object.keys(marksOf(path)).map((name) => {
          const mark = page.marks[name]?.settings;
          return [name, mark && path in mark ? (ownValue(mark, path, id) ?? mark[path]) : null];
        }),
      );
      show(own ?? settings[path], marks);
    }
  };
}

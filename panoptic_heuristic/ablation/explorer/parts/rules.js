// The rule of each stage, its parameters, and the rules that are not available here, with the reason.

import { areGoodTogether } from "explorer/checks.js";
import { byId, make } from "explorer/dom.js";
import { withRule } from "explorer/settings.js";
import { LABELS, plural, short } from "explorer/words.js";

const THRESHOLDS = ["stuff_area_fraction", "thing_area_thresh"];
const RULES = { none: "nothing", void: "to void", score: "by score" };

/** Makes the selects; returns a function that shows a state. */
export function makeRuleControls({ page, keeper, put, slider, marksOf, elsewhere }) {
  listUnavailable(page);
  byId("notes").append(...page.notes.map((note) => make("p", { className: "notice" }, note)));
  const place = byId("rule-controls");
  let shown = "";
  let controls = [];

  const build = (settings) => {
    controls = Object.keys(page.rules).flatMap((stage) => {
      const able = Object.keys(page.rules[stage]).filter((name) => typeof page.rules[stage][name] === "object");
      const parameters = Object.keys(settings).filter(
        (path) => path.startsWith(`${stage}.`) && !elsewhere.includes(path),
      );
      const own = parameters.map((path) => parameter(path)).filter((one) => one !== null);
      return able.length > 1 ? [ruleSelect(stage, able), ...own] : own;
    });
    controls.push(...THRESHOLDS.map((path) => number(path)));
    if (page.island_area_fractions.length > 1)
      controls.push(choice("island_area_fraction", page.island_area_fractions, short));
    place.replaceChildren(...controls.map(({ element }) => element));
  };

  const ruleSelect = (stage, names) => {
    const control = select(
      LABELS[stage],
      names,
      (name) => RULES[name] ?? name.replaceAll("_", " "),
      (name) => keeper.change({ settings: withRule(keeper.get().settings, stage, name, page) }),
    );
    return {
      ...control,
      show: (settings) =>
        control.show(settings[stage], (name) => areGoodTogether(withRule(settings, stage, name, page))),
    };
  };
  const choice = (path, values, words) => {
    const control = select(LABELS[path], values, words, (value) => put(path, value));
    return {
      ...control,
      show: (settings) => control.show(settings[path], (value) => areGoodTogether({ ...settings, [path]: value })),
    };
  };
  const number = (path) => {
    const control = slider(path, LABELS[path], (value) => put(path, value));
    return { ...control, show: (settings) => control.show(settings[path], marksOf(path)) };
  };
  const parameter = (path) => {
    if (path.endsWith("_exponent")) return choice(path, page.exponents[path], short);
    if (path === "order.calibration")
      return page.calibrations.length > 1 ? choice(path, [...page.calibrations.keys()], String) : null;
    if (path === "stuff.counted") return choice(path, ["after", "before"], (one) => `${one} things`);
    if (path === "suppress.kind") return choice(path, ["mask", "box"], (one) => `${one}es`.replace("maskes", "masks"));
    return path in LABELS ? number(path) : null;
  };

  return ({ settings }) => {
    const rules = JSON.stringify(Object.keys(page.rules).map((stage) => settings[stage]));
    const focused = place.contains(document.activeElement)
      ? [...place.querySelectorAll("select,input")].indexOf(document.activeElement)
      : -1;
    if (rules !== shown) build(settings);
    if (rules !== shown && focused >= 0) place.querySelectorAll("select,input")[focused]?.focus();
    shown = rules;
    for (const { show } of controls) show(settings);
  };
}

function select(label, values, words, change) {
  const menu = make(
    "select",
    { onchange: () => change(values[menu.selectedIndex]) },
    ...values.map((value) => make("option", {}, words(value))),
  );
  const show = (value, isAble) => {
    menu.selectedIndex = values.indexOf(value);
    [...menu.options].forEach((option, place) => {
      option.disabled = !isAble(values[place]);
      option.title = option.disabled
        ? "not with the other rules: after a veto, stuff is counted after things and leftovers are void"
        : "";
    });
  };
  return { element: make("label", { className: "choice" }, make("span", {}, label), menu), show };
}

function listUnavailable(page) {
  const rules = Object.entries(page.rules).flatMap(([stage, names]) =>
    Object.entries(names).map(([name, one]) => [`${stage}: ${name}`, one]),
  );
  const presets = Object.entries(page.presets).map(([name, one]) => [`preset ${name}`, one]);
  const reasons = [...rules, ...presets].filter(([, reason]) => typeof reason === "string");
  const list = byId("unavailable");
  list.hidden = !reasons.length;
  list.querySelector("summary").textContent = `${plural(reasons.length, "rule")} and presets are not available here`;
  list
    .querySelector("ul")
    .append(...reasons.map(([name, reason]) => make("li", {}, make("strong", {}, name), `: ${reason}.`)));
}

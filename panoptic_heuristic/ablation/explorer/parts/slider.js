// A slider with a field for the exact number, and marks of where the default and the recommended settings are.

import { make } from "explorer/dom.js";
import { short } from "explorer/words.js";

const STEPS = 1000;
const MARKS = { default: "default", recommended: "recommended" };
let made = 0;

/** Kinds of values: how a slider's place of 0 to 1 becomes one, and back. Areas crowd at their small end. */
const KINDS = {
  fraction: { toValue: (place) => Math.round(1000 * place) / 1000, toPlace: (value) => value, step: 0.001 },
  small: {
    toValue: (place) => Number((0.2 * place ** 2).toPrecision(3)),
    toPlace: (value) => Math.sqrt(value / 0.2),
    step: "any",
  },
  area: {
    toValue: (place, most) => Math.round(most * place ** 3),
    toPlace: (value, most) => Math.cbrt(value / most),
    step: 1,
  },
};

/**
 * Makes a slider: `label`, `kind` (of KINDS), `most` of areas, `hint`, and `change`, which gets a new value.
 *
 * Returns its `element`, and `show`, which takes the value and those of the marks by name (null for none).
 */
export function makeSlider({ label, kind, most = 1, hint = "", change }) {
  const { toValue, toPlace, step } = KINDS[kind];
  made += 1;
  const id = `slider-${made}`;
  const range = make("input", {
    type: "range",
    id,
    min: 0,
    max: STEPS,
    step: 1,
    oninput: () => change(toValue(range.value / STEPS, most)),
  });
  const field = make("input", {
    type: "number",
    step,
    min: 0,
    max: kind === "area" ? null : 1,
    "aria-label": `${label}, exactly`,
    onchange: () => {
      // Any number in the interval will do, whatever the step of the arrows is.
      const { rangeUnderflow, rangeOverflow } = field.validity;
      if (field.value === "" || rangeUnderflow || rangeOverflow) field.value = range.dataset.value;
      else change(Number(field.value));
    },
  });
  const ticks = Object.fromEntries(
    Object.entries(MARKS).map(([name, title]) => [name, make("span", { className: `tick ${name}`, title })]),
  );
  const element = make(
    "div",
    { className: "slider" },
    make("label", { for: id, title: hint }, label),
    field,
    make(
      "div",
      { className: "track" },
      range,
      make("div", { className: "ticks", "aria-hidden": "true" }, ...Object.values(ticks)),
    ),
  );

  const show = (value, marks) => {
    range.value = Math.round(STEPS * Math.min(Math.max(toPlace(value, most), 0), 1));
    range.dataset.value = value;
    if (document.activeElement !== field || Number(field.value) !== value) field.value = value;
    const told = Object.entries(marks).filter(([, one]) => one !== null);
    range.setAttribute(
      "aria-valuetext",
      [short(value), ...told.map(([name, one]) => `${name} ${short(one)}`)].join(", "),
    );
    for (const [name, tick] of Object.entries(ticks)) {
      const mark = marks[name] ?? null;
      tick.hidden = mark === null;
      if (mark === null) continue;
      tick.style.setProperty("--at", Math.min(Math.max(toPlace(mark, most), 0), 1));
      tick.title = `${name}: ${short(mark)}`;
    }
  };
  return { element, show };
}

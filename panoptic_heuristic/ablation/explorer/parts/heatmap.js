// The sweep as a heat map: a cell is the best setting with its two thresholds, and takes the reader there.

import { byId, make } from "explorer/dom.js";
import { LABELS, plural, short } from "explorer/words.js";

// From dark to light, told apart by the colour blind and in grey (after matplotlib's viridis).
const COLORS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
const SHOWN_BELOW_BEST = 10;
const MOST_WITH_TEXT = 12;
const STEP = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Makes the map, if there is a sweep; returns a function that shows a state. */
export function makeHeatMap({ page, keeper }) {
  const maps = page.sweep?.maps ?? [];
  if (!maps.length) return () => {};
  byId("sweep").hidden = false;
  const choice = byId("map-choice");
  choice.append(...maps.map(({ x, y }) => make("option", {}, `${word(x)} and ${word(y)}`)));
  choice.addEventListener("change", () => build());
  const left = page.sweep.left_out
    ? ` ${plural(page.sweep.left_out, "setting")} that this page cannot fuse by are left out.`
    : "";
  byId("sweep-words").textContent =
    `PQ of all ${plural(page.sweep.images, "image")} of the sweep; a cell shows the best of all other values, ` +
    `and marks stand in the nearest one.${left} Choose one to go there.`;
  let buttons = [];

  const build = () => {
    const map = maps[choice.selectedIndex];
    const best = Math.max(...map.cells.map(([, , pq]) => pq));
    const worst = Math.max(Math.min(...map.cells.map(([, , pq]) => pq)), best - SHOWN_BELOW_BEST);
    const isWide = map.xs.length <= MOST_WITH_TEXT;
    buttons = map.cells.map(([column, row, pq, setting]) =>
      cellButton({ map, column, row, pq, setting, isWide }, (pq - worst) / (best - worst || 1)),
    );
    const corner = [make("div", { className: "axis y" }, `${word(map.y)} ↑`)];
    const every = Math.ceil(map.xs.length / MOST_WITH_TEXT);
    const heads = map.xs.map((value, column) =>
      column % every ? null : at(make("div", { className: "head" }, short(value)), column + 2, map.ys.length + 1),
    );
    const sides = map.ys.map((value, row) =>
      at(make("div", { className: "side" }, short(value)), 1, map.ys.length - row),
    );
    heads.forEach((head) => head && (head.style.gridColumnEnd = `span ${every}`));
    const grid = make(
      "div",
      { className: "grid", role: "group", "aria-label": `PQ over ${word(map.x)} and ${word(map.y)}` },
      ...sides,
      ...heads,
      ...buttons.map(({ button }) => button),
    );
    grid.style.gridTemplateColumns = `auto repeat(${map.xs.length}, minmax(0, 1fr))`;
    grid.addEventListener("keydown", (event) => walk(event, buttons));
    byId("heat").replaceChildren(...corner, grid, make("div", { className: "axis x" }, `${word(map.x)} →`));
    byId("heat-legend").replaceChildren(
      make("span", {}, `PQ ${worst.toFixed(1)} or less`),
      make("span", { className: "ramp", "aria-hidden": "true" }),
      make("span", {}, best.toFixed(1)),
      ...marks.map(([name, sign]) => make("span", {}, `${sign} ${name}`)),
    );
    show(keeper.get());
  };

  const cellButton = ({ map, column, row, pq, setting, isWide }, part) => {
    const button = make("button", {
      type: "button",
      tabIndex: -1,
      onclick: () => keeper.change({ settings: page.sweep.settings[setting] }),
    });
    const color = between(part);
    button.style.background = `rgb(${color.join(" ")})`;
    button.style.color = part > 0.6 ? "#000" : "#fff";
    const name = `${word(map.x)} ${short(map.xs[column])}, ${word(map.y)} ${short(map.ys[row])}: PQ ${pq.toFixed(1)}`;
    return {
      button: at(button, column + 2, map.ys.length - row),
      column,
      row,
      name,
      isWide,
      text: isWide ? pq.toFixed(1) : "",
    };
  };

  const marks = [["you", "●"], ["default", "○"], ...(page.marks.recommended ? [["recommended", "★"]] : [])];
  const show = (state) => {
    const map = maps[choice.selectedIndex];
    const settings = {
      you: state.settings,
      default: page.marks.default.settings,
      recommended: page.marks.recommended?.settings,
    };
    const places = marks.map(([name, sign]) => [name, sign, nearest(settings[name], map)]);
    for (const { button, column, row, name, text, isWide } of buttons) {
      const own = places.filter(([, , place]) => place && place[0] === column && place[1] === row);
      // Narrow cells have room for one.
      button.textContent = own.length
        ? own
            .slice(0, isWide ? 3 : 1)
            .map(([, sign]) => sign)
            .join("")
        : text;
      button.classList.toggle(
        "here",
        own.some(([mark]) => mark === "you"),
      );
      button.setAttribute(
        "aria-label",
        [name, ...own.map(([mark]) => (mark === "you" ? "you are here" : mark))].join(", "),
      );
      button.title = button.getAttribute("aria-label");
    }
    const here = buttons.find(({ button }) => button.classList.contains("here")) ?? buttons[0];
    if (!buttons.some(({ button }) => button === document.activeElement)) {
      for (const { button } of buttons) button.tabIndex = button === here.button ? 0 : -1;
    }
  };
  build();
  return show;
}

/** The column and the row that are nearest to settings; null if these lack a threshold. */
function nearest(settings, { x, y, xs, ys }) {
  if (!settings || !(x in settings) || !(y in settings)) return null;
  const place = (values, value) =>
    values.reduce((best, one, index) => (Math.abs(one - value) < Math.abs(values[best] - value) ? index : best), 0);
  return [place(xs, settings[x]), place(ys, settings[y])];
}

function walk(event, buttons) {
  const step = STEP[event.key];
  const from = buttons.find(({ button }) => button === event.target);
  if (!step || !from) return;
  event.preventDefault();
  event.stopPropagation();
  const to = buttons.find(({ column, row }) => column === from.column + step[0] && row === from.row + step[1]);
  if (!to) return;
  for (const { button } of buttons) button.tabIndex = button === to.button ? 0 : -1;
  to.button.focus();
}

function between(part) {
  const place = Math.min(Math.max(part, 0), 1) * (COLORS.length - 1);
  const from = Math.min(Math.floor(place), COLORS.length - 2);
  return COLORS[from].map((channel, index) =>
    Math.round(channel + (COLORS[from + 1][index] - channel) * (place - from)),
  );
}

function at(element, column, row) {
  Object.assign(element.style, { gridColumn: column, gridRow: row });
  return element;
}

function word(path) {
  return LABELS[path] ?? path;
}

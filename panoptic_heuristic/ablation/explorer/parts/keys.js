// Keys of the whole page; they do nothing while one writes, chooses or slides.

import { COMPARED, VIEWS, comparedWith } from "explorer/state.js";

/** Listens; `step` goes to another image, `pin` and `copy` are those of the buttons. */
export function listenToKeys({ page, keeper, step, pin, copy }) {
  const settle = (name) => page.marks[name] && keeper.change({ settings: page.marks[name].settings });
  const compareNext = () => {
    const state = keeper.get();
    const able = COMPARED.filter((one) => one === "none" || comparedWith({ ...state, compare: one }, page));
    keeper.change({ compare: able[(able.indexOf(state.compare) + 1) % able.length] });
  };
  const actions = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    b: () => keeper.change({ borders: !keeper.get().borders }),
    c: compareNext,
    p: pin,
    d: () => settle("default"),
    r: () => settle("recommended"),
    y: copy,
    Escape: () => keeper.change({ category: null, candidate: null }),
    ...Object.fromEntries(VIEWS.map((view, number) => [String(number + 1), () => keeper.change({ view })])),
  };
  document.addEventListener("keydown", (event) => {
    const isBusy = event.target.matches?.("input, select, textarea") && event.key !== "Escape";
    if (isBusy || event.ctrlKey || event.metaKey || event.altKey || !(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  });
}

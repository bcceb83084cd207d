// The numbers at the top: PQ of this image and of all, and what changed since the default.

import { byId, make } from "explorer/dom.js";
import { errors, meanPq } from "explorer/counting.js";
import { change, count, percent } from "explorer/words.js";

/** Returns a function that shows counts: of this image and of all, under the current settings and the default. */
export function makeScores({ page, engine }) {
  const isThing = (place) => page.categories[place].isthing;
  return (state, all, defaults) => {
    const here = engine.fused(state.image, state.settings).counts;
    const hereDefault = engine.fused(state.image, page.marks.default.settings).counts;
    const facts = [fact("PQ of this image", here, hereDefault)];
    if (all) {
      facts.push(fact(`PQ of all ${count(engine.size)}`, all.total, defaults.total));
      facts.push(
        fact("things", all.total, defaults.total, isThing),
        fact("stuff", all.total, defaults.total, (one) => !isThing(one)),
      );
      facts.push(
        make(
          "div",
          {},
          make("dt", {}, "errors"),
          make("dd", {}, count(errors(all.total)), since(errors(all.total) - errors(defaults.total))),
        ),
      );
    }
    byId("scores").replaceChildren(...facts);
  };
}

function fact(label, counts, defaults, isChosen) {
  const [now, before] = [counts, defaults].map((one) => meanPq(one, isChosen));
  const difference = change(before, now);
  const kind = difference.startsWith("+") ? "up" : difference.startsWith("−") ? "down" : "";
  return make(
    "div",
    {},
    make("dt", {}, label),
    make("dd", {}, percent(now), make("span", { className: `since ${kind}`, title: "since the default" }, difference)),
  );
}

function since(difference) {
  const sign = difference > 0 ? "+" : difference < 0 ? "−" : "±";
  const kind = difference > 0 ? "down" : difference < 0 ? "up" : "";
  return make(
    "span",
    { className: `since ${kind}`, title: "since the default" },
    `${sign}${count(Math.abs(difference))}`,
  );
}

// The tables: classes, which one clicks to filter by, and candidates with their fates.

import { categoryPq } from "explorer/counting.js";
import { byId, make, swatch } from "explorer/dom.js";
import { NOBODY } from "explorer/ranking.js";
import { change, count, percent, short, whyStuff, whyThing, worthOf } from "explorer/words.js";

const NOTHING = { iouSum: 0n, tp: 0, fp: 0, fn: 0 };

/** Returns a function that shows the classes that occur, with their counts of this image and of all. */
export function makeClasses({ page, engine, keeper }) {
  byId("all-classes").addEventListener("click", () => keeper.change({ category: null }));
  return (state, all, defaults) => {
    byId("all-classes").hidden = state.category === null;
    const here = engine.fused(state.image, state.settings).counts;
    const total = all ? all.total : here;
    const rows = page.categories.flatMap((category, place) => {
      if (!total.has(place) && !here.has(place) && place !== state.category) return [];
      const now = total.get(place) ?? NOTHING;
      const before = defaults?.total.get(place) ?? NOTHING;
      const chosen = place === state.category;
      const choose = () => keeper.change({ category: chosen ? null : place });
      const button = make(
        "button",
        { type: "button", className: "plain", "aria-pressed": chosen, onclick: choose },
        swatch(category.color),
        category.name,
      );
      const values = [
        percent(categoryPq(here.get(place) ?? NOTHING)),
        percent(categoryPq(now)),
        change(categoryPq(before), categoryPq(now)),
        now.tp,
        now.fn,
        now.fp,
      ];
      return [
        make(
          "tr",
          { className: chosen ? "chosen" : "" },
          make("th", { scope: "row" }, button),
          ...values.map((one) => make("td", {}, String(one))),
        ),
      ];
    });
    keepFocus(byId("class-rows"), rows);
  };
}

/** Returns a function that shows the candidates of the image, best first. */
export function makeCandidates({ page, engine, keeper }) {
  const fate = byId("fate");
  fate.addEventListener("change", () => keeper.change({}));
  return (state) => {
    const fused = engine.fused(state.image, state.settings);
    const wanted = ({ kept, place }) =>
      (fate.value === "all" || kept === (fate.value === "kept")) &&
      (state.category === null || place === state.category);
    const rows = [...things(fused, state.settings, page), ...stuff(fused, state.settings, page)]
      .filter(wanted)
      .map((one) => {
        const { name, color } = page.categories[one.place];
        const chosen = one.instance !== undefined && one.instance === state.candidate;
        const choose = () => keeper.change({ candidate: chosen ? null : one.instance });
        const label =
          one.instance === undefined
            ? make("span", {}, swatch(color), name)
            : make(
                "button",
                {
                  type: "button",
                  className: "plain",
                  "aria-pressed": chosen,
                  title: "outline its mask",
                  onclick: choose,
                },
                swatch(color),
                name,
              );
        const cells = [one.score === undefined ? "stuff" : short(one.score), one.pixels, one.fate];
        return make(
          "tr",
          { className: `${one.kept ? "kept" : "dropped"}${chosen ? " chosen" : ""}` },
          make("th", { scope: "row" }, label),
          ...cells.map((cell) => make("td", {}, cell)),
        );
      });
    keepFocus(
      byId("candidate-rows"),
      rows.length ? rows : [make("tr", {}, make("td", { colspan: 4, className: "faint" }, "none"))],
    );
  };
}

function things(fused, settings, page) {
  const { image, result, worths } = fused;
  const segmentOf = new Map(result.segments.map((one, segment) => [one.instance, segment]));
  const others = [...image.scores.keys()].filter((one) => !result.ranked.includes(one));
  others.sort((one, other) => image.scores[other] - image.scores[one] || one - other);
  return [...result.ranked, ...others].map((instance) => {
    const segment = segmentOf.get(instance);
    const place = image.places[instance];
    const score = image.scores[instance];
    const area = image.masks.areas[instance];
    if (segment === undefined) {
      return {
        kept: false,
        place,
        instance,
        score,
        pixels: count(area),
        fate: whyThing(fused, instance, settings, page),
      };
    }
    const own = result.segments[segment];
    const part = own.area === area ? count(area) : `${count(own.area)} of ${count(area)}`;
    return { kept: true, place, instance, score, pixels: part, fate: worthOf(own, worths[segment], image.gt, page) };
  });
}

function stuff({ image, result, worths }, settings, page) {
  const kept = result.segments.flatMap((one, segment) =>
    one.isThing
      ? []
      : [
          {
            kept: true,
            place: one.place,
            pixels: count(one.area),
            fate: worthOf(one, worths[segment], image.gt, page),
          },
        ],
  );
  const dropped = [...result.stuffReasons].map(([place, reason]) => ({
    kept: false,
    place,
    pixels: "",
    fate: whyStuff(reason, place, settings, page),
  }));
  return [...kept, ...dropped];
}

/** Puts rows in place of others; the button that had the focus has it again. */
function keepFocus(body, rows) {
  const before = [...body.querySelectorAll("button")].indexOf(document.activeElement);
  body.replaceChildren(...rows);
  if (before !== NOBODY) body.querySelectorAll("button")[before]?.focus({ preventScroll: true });
}

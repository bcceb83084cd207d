// Starts the page: reads its data, makes its parts, and shows a state whenever it changes.

import { makeControls } from "explorer/controls.js";
import { byId } from "explorer/dom.js";
import { makeEngine } from "explorer/engine.js";
import { readFragment, writeFragment } from "explorer/fragment.js";
import { makeGallery } from "explorer/gallery.js";
import { makeHeatMap } from "explorer/heatmap.js";
import { listenToKeys } from "explorer/keys.js";
import { imageReaders, readPage } from "explorer/page.js";
import { makePointer } from "explorer/pointer.js";
import { makeScores } from "explorer/scores.js";
import { makeStage } from "explorer/stage.js";
import { keepState } from "explorer/state.js";
import { makeCandidates, makeClasses } from "explorer/tables.js";
import { toYaml } from "explorer/yaml.js";

const page = readPage();
const engine = makeEngine(page, imageReaders(page));
const keeper = keepState(readFragment(location.hash.slice(1), page));
byId("rules").open = matchMedia("(min-width: 1241px)").matches;
const context = { page, engine, keeper };

const ofImage = [
  makeControls(context),
  makeStage(context),
  makeCandidates(context),
  makePointer(context),
  makeHeatMap(context),
];
const gallery = makeGallery(context);
const ofAll = [makeScores(context), makeClasses(context), gallery.show];

const say = (text) => (byId("said").textContent = text);
const pin = () => {
  keeper.change({ pinned: keeper.get().settings, compare: "pinned" });
  say("Pinned: move on, and compare with where you were.");
};
const copy = async () => {
  let yaml;
  try {
    yaml = toYaml(keeper.get().settings, page);
  } catch (error) {
    say(error.message);
    return;
  }
  try {
    await navigator.clipboard.writeText(yaml);
    say("The YAML is copied: save it as a file and give that to train_net.py as --config-file.");
  } catch {
    // Some browsers allow no page from a file to copy.
    byId("yaml").value = yaml;
    byId("yaml").hidden = false;
    byId("yaml").select();
    say("Copy the YAML below, save it as a file and give that to train_net.py as --config-file.");
  }
};
byId("pin").addEventListener("click", pin);
byId("copy").addEventListener("click", copy);
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  byId("settings").focus();
});
listenToKeys({ page, keeper, step: gallery.step, pin, copy });

/** The image comes first, at once; sums over all images follow in a moment, or at once if `waits` is false. */
let isComplete = false;
let waiting = null;
function show(state, before, waits = true) {
  for (const part of ofImage) part(state, before);
  if (!isComplete) return;
  clearTimeout(waiting);
  const sums = () => {
    const [all, defaults] = [state.settings, page.marks.default.settings].map((one) => engine.countAll(one));
    for (const part of ofAll) part(state, all, defaults);
    document.documentElement.dataset.shown = "all";
  };
  document.documentElement.dataset.shown = "image";
  if (waits) waiting = setTimeout(sums);
  else sums();
}

/** One drawing per frame, however fast a slider moves. */
let frame = null;
let shownBefore = null;
keeper.listen((state, before) => {
  shownBefore = shownBefore ?? before;
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    show(keeper.get(), shownBefore);
    shownBefore = null;
    noteInAddress();
  });
});

let noting = null;
function noteInAddress() {
  clearTimeout(noting);
  noting = setTimeout(() => {
    const fragment = writeFragment(keeper.get(), page);
    if (fragment !== location.hash.slice(1)) history.replaceState(null, "", `#${fragment}`);
  }, 150);
}
addEventListener("hashchange", () => keeper.change(readFragment(location.hash.slice(1), page)));

await engine.load(keeper.get().image);
for (const part of [...ofImage]) part(keeper.get(), null);
for (const part of ofAll) part(keeper.get(), null, null);
for (let number = 0; number < engine.size; number += 1) await engine.load(number);
isComplete = true;
show(keeper.get(), keeper.get(), false);

// The state in the address: what differs from how the page opens, so that a link shows what one sees.

import { areGoodTogether, isGood } from "explorer/checks.js";
import { differing, withRule } from "explorer/settings.js";
import { COMPARED, SORTS, VIEWS, firstState } from "explorer/state.js";

const PINNED = "pin.";

/** The fragment of a state, without "#"; empty for the state that the page opens with. */
export function writeFragment(state, page) {
  const first = firstState(page);
  const words = new URLSearchParams();
  const put = (name, value, usual) => value !== usual && words.set(name, String(value));
  // As JSON has it, so that the number 1 and the text "1" stay apart.
  put("image", JSON.stringify(page.images[state.image][0]), JSON.stringify(page.images[first.image][0]));
  for (const name of ["view", "opacity", "borders", "compare", "sort"]) put(name, state[name], first[name]);
  if (state.category !== null) words.set("class", page.categories[state.category].id);
  if (state.candidate !== null) words.set("candidate", state.candidate);
  putSettings(words, "", state.settings, first.settings);
  if (state.pinned) {
    words.set("pinned", "true");
    putSettings(words, PINNED, state.pinned, first.settings);
  }
  return words.toString();
}

/** The state of a fragment; what makes no sense is left as the page opens with it. */
export function readFragment(fragment, page) {
  const words = new URLSearchParams(fragment);
  const state = firstState(page);
  const image = page.images.findIndex(([id]) => JSON.stringify(id) === words.get("image"));
  if (image >= 0) state.image = image;
  for (const [name, values] of [
    ["view", VIEWS],
    ["compare", COMPARED],
    ["sort", SORTS],
  ]) {
    if (values.includes(words.get(name))) state[name] = words.get(name);
  }
  const opacity = Number(words.get("opacity") ?? state.opacity);
  if (opacity >= 0 && opacity <= 1) state.opacity = opacity;
  if (words.has("borders")) state.borders = words.get("borders") !== "false";
  state.category = page.placeOf.get(Number(words.get("class") ?? NaN)) ?? null;
  const candidate = Number(words.get("candidate") ?? NaN);
  if (Number.isInteger(candidate) && candidate >= 0) state.candidate = candidate;
  state.settings = readSettings(words, "", state.settings, page);
  if (words.has("pinned")) state.pinned = readSettings(words, PINNED, firstState(page).settings, page);
  if (state.compare === "pinned" && !state.pinned) state.compare = "none";
  if (state.compare === "recommended" && !page.marks.recommended) state.compare = "none";
  return state;
}

function putSettings(words, prefix, settings, usual) {
  for (const path of differing(settings, usual)) {
    if (path in settings) words.set(prefix + path, JSON.stringify(settings[path]));
  }
}

function readSettings(words, prefix, usual, page) {
  let settings = usual;
  const given = new Map();
  for (const [name, text] of words) {
    const path = name.slice(prefix.length);
    if (name.startsWith(prefix) && (prefix || !name.startsWith(PINNED))) given.set(path, parsed(text));
  }
  for (const stage of Object.keys(page.rules)) {
    const name = given.get(stage);
    if (name !== undefined && isGood(stage, name, page)) settings = withRule(settings, stage, name, page);
  }
  for (const [path, value] of given) {
    if (!(path in page.rules) && path in settings && isGood(path, value, page))
      settings = { ...settings, [path]: value };
  }
  return areGoodTogether(settings) ? settings : usual;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

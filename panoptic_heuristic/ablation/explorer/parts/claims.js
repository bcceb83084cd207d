// Who gets a contested pixel: the claim rules, region by region.
//
// Each gives the owner of every region, the pixels of each instance that has some (in the order of their ranks), why
// the others have none, and who stood in their way most.

import { NOBODY } from "explorer/ranking.js";
import { byPlace } from "explorer/settings.js";

/** The claim of ranked instances, `{ ranked, masks }`, by the rule of the settings. */
export function claim(image, ranking, settings, page) {
  const owner = new Int32Array(image.pixels.length).fill(NOBODY);
  const state = { image, ...ranking, settings, owner, areas: new Map(), reasons: new Map(), blockers: new Map() };
  const limits = settings.claim === "per_pixel" ? null : byPlace(settings, "claim.overlap_threshold", page);
  // No claimed fraction exceeds 1.
  state.limitOf = (instance) => (limits === null ? 1 : limits[image.places[instance]]);
  const place = { greedy, per_pixel: greedy, class_aware: classAware, reclaim }[settings.claim];
  for (const instance of ranking.ranked) place(state, instance);
  return state;
}

/** The pixels of an instance's mask by their owner, and those that are free. */
function sharedOf({ image, masks, owner }, instance) {
  const shared = new Map();
  let free = 0;
  for (const region of masks.members[instance]) {
    const other = owner[region];
    if (other === NOBODY) free += image.pixels[region];
    else shared.set(other, (shared.get(other) ?? 0) + image.pixels[region]);
  }
  return { shared, free, area: masks.areas[instance] };
}

function drop(state, instance, reason, shared, blocker) {
  state.reasons.set(instance, reason);
  const most = blocker ?? [...shared].sort(([, one], [, other]) => other - one)[0]?.[0];
  if (most !== undefined) state.blockers.set(instance, most);
}

function takeFree({ masks, owner, areas }, instance, free) {
  for (const region of masks.members[instance]) if (owner[region] === NOBODY) owner[region] = instance;
  areas.set(instance, free);
}

function greedy(state, instance) {
  const { shared, free, area } = sharedOf(state, instance);
  if (area === 0) drop(state, instance, "empty", shared);
  else if ((area - free) / area > state.limitOf(instance)) drop(state, instance, "overlap", shared);
  else if (free === 0) drop(state, instance, "covered", shared);
  else takeFree(state, instance, free);
}

function classAware(state, instance) {
  const { shared, free, area } = sharedOf(state, instance);
  const { image, settings, areas } = state;
  const ownClass = [...shared].filter(([other]) => image.places[other] === image.places[instance]);
  const own = ownClass.reduce((sum, [, pixels]) => sum + pixels, 0);
  const twin = [...shared].find(
    ([other, pixels]) => Math.min(pixels / area, pixels / areas.get(other)) >= settings["claim.duplicate_threshold"],
  );
  if (area === 0) drop(state, instance, "empty", shared);
  else if (own / area > state.limitOf(instance)) drop(state, instance, "overlap", new Map(ownClass));
  else if (twin !== undefined) drop(state, instance, "duplicate", shared, twin[0]);
  else if (free / area <= settings["claim.free_fraction"]) drop(state, instance, "no_room", shared);
  else takeFree(state, instance, free);
}

function reclaim(state, instance) {
  const { masks, owner, areas } = state;
  const { shared, free, area } = sharedOf(state, instance);
  if (area === 0) {
    drop(state, instance, "empty", shared);
    return;
  }
  const victims = [...areas.keys()].filter((other) => takesFrom(state, instance, other, shared.get(other) ?? 0));
  const gets = victims.reduce((sum, other) => sum + shared.get(other), free);
  if (!allows(state, instance, gets)) {
    drop(state, instance, "overlap", shared);
  } else if (gets === 0) {
    drop(state, instance, "covered", shared);
  } else {
    const taken = new Set([NOBODY, ...victims]);
    for (const region of masks.members[instance]) if (taken.has(owner[region])) owner[region] = instance;
    for (const other of victims) areas.set(other, areas.get(other) - shared.get(other));
    areas.set(instance, gets);
    for (const other of victims) lookAgain(state, other, instance);
  }
}

function takesFrom({ image, settings, masks, areas }, instance, other, pixels) {
  if (!pixels) return false;
  const fraction = Math.max(pixels / masks.areas[instance], pixels / areas.get(other));
  if (fraction < settings["claim.intersection_threshold"]) return false;
  if (settings["claim.on_top"] === "area") {
    return masks.areas[instance] / masks.areas[other] <= settings["claim.area_ratio"];
  }
  const [above, below] = [instance, other].map((one) => image.categoryIds[one]);
  return settings["claim.precedence"].some(([one, another]) => one === above && another === below);
}

function allows({ masks, limitOf }, instance, kept) {
  return (masks.areas[instance] - kept) / masks.areas[instance] <= limitOf(instance);
}

/** Drops an instance that lost too many pixels; what it still had is free again. */
function lookAgain(state, other, taker) {
  const { masks, owner, areas } = state;
  const kept = areas.get(other);
  if (kept && allows(state, other, kept)) return;
  areas.delete(other);
  drop(state, other, kept ? "overlap" : "covered", new Map(), taker);
  for (const region of masks.members[other]) if (owner[region] === other) owner[region] = NOBODY;
}

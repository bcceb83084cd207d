// What the reader sees and chose: one object that is replaced, never changed, and those who are told.

export const VIEWS = ["fused", "gt", "difference", "photo"];
export const SORTS = ["given", "pq", "errors", "change", "name"];
export const COMPARED = ["none", "default", "recommended", "pinned"];

/** The state that a page opens with. */
export function firstState(page) {
  return {
    settings: page.marks.default.settings,
    image: 0,
    view: "fused",
    opacity: 0.6,
    borders: true,
    category: null,
    candidate: null,
    compare: "none",
    pinned: null,
    sort: "given",
  };
}

/** Keeps a state. `change` takes what is new, and tells all who `listen`, in the order in which they came. */
export function keepState(first) {
  let state = first;
  const listeners = [];
  return {
    get: () => state,
    listen: (listener) => listeners.push(listener),
    change: (news) => {
      const before = state;
      state = { ...state, ...news };
      for (const listener of listeners) listener(state, before);
    },
  };
}

/** The settings that the current ones are compared with; null for none. */
export function comparedWith(state, page) {
  if (state.compare === "pinned") return state.pinned;
  return page.marks[state.compare]?.settings ?? null;
}

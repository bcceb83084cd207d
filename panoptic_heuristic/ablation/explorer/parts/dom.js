// Elements out of values. Names and texts are only ever text: nothing here reads markup.

/** An element with properties, attributes (names with a dash or in `ATTRIBUTES`) and children, which may be texts. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || ATTRIBUTES.has(name)) element.setAttribute(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const ATTRIBUTES = new Set(["role", "for", "scope", "colspan", "list"]);

export const byId = (id) => document.getElementById(id);

/** A small square of a colour. */
export function swatch(color) {
  const element = make("span", { className: "swatch", "aria-hidden": "true" });
  element.style.background = `rgb(${color.join(" ")})`;
  return element;
}

// Elements, numbers as text, and nothing else that is not the browser's own.

const MATHML = "http://www.w3.org/1998/Math/MathML";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function m(tag, properties, ...children) {
  return fill(document.createElementNS(MATHML, tag), properties, children);
}

export function replace(selector, ...children) {
  const element = typeof selector === "string" ? document.querySelector(selector) : selector;
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A number with so many significant digits, and a real minus sign. */
export function text(value, digits = 6) {
  if (value === undefined) return "not in this file";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let shown = size >= 1e-4 && size < 10 ** digits
    ? String(Number(value.toPrecision(digits)))
    : value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
  return shown.replaceAll("-", "−");
}

/** A name that may break after its dots and underscores. */
export const breakable = (name) => name.split(/(?<=[._])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));

export const count = (n) => n.toLocaleString("en-GB");

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

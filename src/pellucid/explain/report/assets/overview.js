// The network at a glance: every tensor as a mosaic of its planes; the prediction as bars.

import { h, plural, replace, text } from "./dom.js";
import { layoutOf } from "./layout.js";
import { paintMosaic } from "./paint.js";

const LARGEST = 132;

/** The address at which a tensor is opened: in its busiest plane, where its number is largest in size. */
export function entry(book, key, sample) {
  const { tensor } = book.split(key);
  const length = book.length(key);
  const from = tensor.samples === null ? 0 : sample * length;
  let best = 0;
  for (let i = 0; i < length; i++) {
    if (Math.abs(book.number(key, from + i) ?? 0) > Math.abs(book.number(key, from + best) ?? 0)) best = i;
  }
  return book.address(key, from + best);
}

export class Overview {
  constructor(book, element, weights) {
    this.book = book;
    this.element = element;
    this.weights = weights;
    this.cards = new Map();
  }

  /** Draw the network for a sample; `gradients` shows ∂loss/∂number instead of the numbers. */
  draw(sample, gradients) {
    const { book } = this;
    this.cards.clear();
    const stages = book.tensors.filter((tensor) => ["input", "result"].includes(tensor.kind));
    replace(this.element, stages.map((tensor, i) => this.card(tensor, sample, gradients, i)));
    const kept = book.tensors.filter((tensor) => tensor.kind === "weight");
    const box = this.weights.closest("details");
    box.hidden = !kept.length;
    box.ontoggle = () => {
      if (!box.open) return;
      replace(this.weights, kept.map((tensor) => this.card(tensor, sample, gradients, null)));
      if (this.marked) this.mark(this.marked);
    };
    box.ontoggle();
  }

  card(tensor, sample, gradients, position) {
    const { book } = this;
    const key = gradients && book.has(`${tensor.name}.grad`) ? `${tensor.name}.grad` : tensor.name;
    const sizes = tensor.shape.length ? tensor.shape.join(" × ") : "one number";
    const held = book.has(key);
    const canvas = h("canvas", { "aria-hidden": "true" });
    if (held) paintMosaic(canvas, book, key, sample, layoutOf(book, key), LARGEST);
    const found = held ? book.range(key, sample) : null;
    const told = found ? `from ${text(found.least, 3)} to ${text(found.most, 3)}` : "not in this file";
    const what = tensor.settings?.function ?? tensor.operation?.replaceAll("_", " ") ?? "";
    const link = h("a", {
      href: `#${book.format(entry(book, key, sample))}`, class: "card", title: tensor.sentence ?? "",
      "aria-label": `${position === null ? "" : `${position + 1}. `}${key}, ${what || tensor.kind}, ${sizes}, ${told}`,
    }, h("span", { class: "mosaic" }, canvas), h("b", {}, tensor.layer || tensor.name),
    h("small", {}, what || tensor.name.replace(`${tensor.layer}.`, "")),
    h("small", { class: "shape" }, tensor.shape.length || !found ? sizes : text(found.most, 5)));
    this.cards.set(tensor.name, link);
    return h("li", {}, link);
  }

  /** Mark the tensor that is looked at, what it reads and what reads it. */
  mark(name) {
    this.marked = name;
    const reads = new Set(this.book.byName.get(name).reads ?? []);
    for (const [other, card] of this.cards) {
      const chosen = other === name;
      if (chosen) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
      card.classList.toggle("source", reads.has(other));
      card.classList.toggle("reader", (this.book.byName.get(other).reads ?? []).includes(name));
    }
  }
}

/** What the network says, and how wrong it is. */
export function prediction(book, sample) {
  const name = book.outputs[0];
  const { tensor } = book.split(name);
  const className = (i) => book.classes?.[i] ?? String(i);
  const target = book.targets.length ? book.targets[0] : null;
  const wanted = target && book.length(target) === 1 ? book.number(target, sample) : undefined;
  const length = book.length(name);
  const values = Array.from({ length }, (_, i) => book.number(name, sample * length + i));
  const chances = tensor.shape.length === 1 && length > 1 && values.every((value) => value >= 0 && value <= 1);
  const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a]);
  const link = (i) => book.format(book.address(name, sample * length + i));
  const shown = chances && length > 10 ? order.slice(0, 10) : values.map((_, i) => i).slice(0, 10);
  const found = book.range(name, sample, shown);
  const least = chances ? 0 : Math.min(found.least, 0);
  const most = chances ? 1 : Math.max(found.most, 0);
  const part = (value) => `${(100 * value) / (most - least || 1)}%`;
  const bar = (value) => {
    const end = Math.min(Math.max(value || 0, least), most);
    const style = { "--start": part(Math.min(end, 0) - least), "--share": part(Math.abs(end)) };
    return h("span", { class: end < 0 ? "below" : "", style });
  };
  const loss = book.loss === null ? null : h("p", {}, "The loss is ", h("a", { href: "#loss" }, text(book.loss)),
    book.samples > 1 ? `, the mean over ${plural(book.samples, "sample")}.` : ": how wrong the network is, in one number.");
  const said = chances ? h("p", { class: "said" }, "The network says ", h("b", {}, className(order[0])), ` with probability ${text(values[order[0]], 4)}`,
    wanted === undefined ? "." : wanted === order[0] ? "; the target is the same." : [`; the target is `, h("b", {}, className(wanted)), "."]) : null;
  const rows = shown.map((i) => h("tr", { class: i === wanted ? "wanted" : "" },
    h("th", { scope: "row" }, className(i), i === wanted ? h("span", { class: "flag" }, " target") : null),
    h("td", { class: "bar" }, bar(values[i])),
    h("td", { class: "figure" }, h("a", { href: `#${link(i)}` }, text(values[i], 4)))));
  const sides = least < 0 ? { class: "bars signed", style: { "--zero": part(-least) } } : { class: "bars" };
  return [said, h("table", sides, h("caption", { class: "unseen" }, `${name}, number by number`), h("tbody", {}, rows)),
    shown.length < length ? h("p", { class: "hint" }, `${shown.length} of ${length}.`) : null, loss];
}

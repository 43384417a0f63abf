// The focused window as tables of numbers: every product in its place, and what they add up to.

import { cells, exactSum, factors, ledgerOf } from "./account.js";
import { h, plural, text } from "./dom.js";
import { layoutOf, start } from "./layout.js";
import { paintNumbers, tint } from "./paint.js";

const WIDEST = 8;

/** The cell that says where a term is drawn: the first one of a tensor that has rows and columns. */
function placed(book, term, key) {
  const found = [...cells(term.node)];
  if (key) return found.find((cell) => cell.key === key);
  return found.find((cell) => book.split(cell.key).tensor.shape.length >= 2)
    ?? found.find((cell) => book.length(cell.key) > 24);
}

/** Terms by plane and place: { key, layout, planes: Map(plane → [{ term, row, col }]), rest }. */
export function arrange(book, ledger) {
  const padded = ledger.terms.find((term) => term.note === "padding");
  const guide = padded ? placed(book, padded) : ledger.terms.length ? placed(book, ledger.terms[0]) : null;
  if (!guide) return null;
  const layout = layoutOf(book, guide.key);
  const planes = new Map();
  const rest = [];
  for (const term of ledger.terms) {
    const cell = placed(book, term, guide.key);
    if (!cell) {
      rest.push(term);
      continue;
    }
    const { sample } = book.address(guide.key, cell.offset);
    const at = layout.find(cell.offset - start(book, guide.key, sample));
    if (!planes.has(at.plane)) planes.set(at.plane, []);
    planes.get(at.plane).push({ term, row: at.row, col: at.col });
  }
  return { key: guide.key, layout, planes, rest };
}

/** The plane whose terms add up to most, in size. */
export function busiest(arranged) {
  let best = null;
  let most = -1;
  for (const [plane, entries] of arranged.planes) {
    const total = Math.abs(exactSum(entries.map(({ term }) => term.value ?? 0)));
    if (total > most) [best, most] = [plane, total];
  }
  return best;
}

const unique = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);

function naming(book, factor) {
  if (factor.kind === "cell") return factor.key;
  if (factor.kind !== "call") return factor.name ?? "";
  const inside = factor.parts.map((part) => naming(book, part) || "…").join(", ");
  return `${factor.name.replace("'", "′")}(${inside})`;
}

function matrix(book, rows, cols, at, value, title, link) {
  const size = Math.max(...[...at.values()].map((entry) => Math.abs(value(entry) ?? 0)), 0);
  const cell = (row, col) => {
    const entry = at.get(`${row},${col}`);
    if (!entry) return h("td", { class: "empty" });
    const number = value(entry);
    const target = link?.(entry);
    const shown = text(number, 3);
    const won = entry.term.note === "winner" ? " won" : "";
    return h("td", { class: `number${number < 0 ? " below" : ""}${won}`, title: text(number, 9), style: { background: tint(number, size) } },
      target ? h("a", { href: `#${target}`, tabindex: "-1" }, shown) : shown);
  };
  return h("table", { class: "matrix" }, h("caption", {}, title),
    h("tbody", {}, rows.map((row) => h("tr", {}, cols.map((col) => cell(row, col))))));
}

function tables(book, ledger, entries) {
  const rows = unique(entries.map((entry) => entry.row));
  const cols = unique(entries.map((entry) => entry.col));
  const at = new Map(entries.map((entry) => [`${entry.row},${entry.col}`, entry]));
  if (rows.length > WIDEST || cols.length > WIDEST || at.size !== entries.length) return null;
  const sample = factors(entries[0].term.node);
  const width = Math.max(...entries.map(({ term }) => factors(term.node).length));
  const widest = entries.filter(({ term }) => factors(term.node).length === width);
  const best = widest.find(({ term }) => term.note !== "padding") ?? widest[0];
  const link = (i) => ({ term }) => {
    const factor = factors(term.node)[i];
    return factor?.kind === "cell" ? book.format(book.address(factor.key, factor.offset)) : null;
  };
  const parts = [];
  if (ledger.how === "maximum") {
    return [matrix(book, rows, cols, at, ({ term }) => term.value, `${naming(book, sample[0])}: the largest wins`, link(0))];
  }
  if (width > 1) {
    for (let i = 0; i < width; i++) {
      if (i) parts.push(h("span", { class: "sign" }, "×"));
      parts.push(matrix(book, rows, cols, at, ({ term }) => factors(term.node)[i]?.value, naming(book, factors(best.term.node)[i]), link(i)));
    }
    parts.push(h("span", { class: "sign" }, "="));
  }
  parts.push(matrix(book, rows, cols, at, ({ term }) => term.value, width > 1 ? "products" : naming(book, sample[0]), width > 1 ? null : link(0)));
  return parts;
}

/** Many products: a picture of them, each where its first factor is. */
function map(arranged, entries) {
  const at = new Map(entries.map(({ term, row, col }) => [row * arranged.layout.cols + col, term.value]));
  const size = Math.max(...entries.map(({ term }) => Math.abs(term.value ?? 0)));
  const canvas = h("canvas", { role: "img", "aria-label": `${plural(entries.length, "product")}, each in the place of its first factor; the largest in size is ${text(size, 4)}` });
  paintNumbers(canvas, arranged.layout, (x, y) => (at.has(y * arranged.layout.cols + x) ? at.get(y * arranged.layout.cols + x) : null), size, 200);
  return h("figure", { class: "map" }, h("figcaption", {}, `${plural(entries.length, "product")}, each in the place of its first factor`), canvas,
    h("span", { class: "legend" }, `largest in size: ${text(size, 4)}`));
}

function few(book, ledger) {
  const sign = (words) => h("span", { class: "sign" }, words);
  const box = (factor) => {
    const target = factor.kind === "cell" ? book.format(book.address(factor.key, factor.offset)) : null;
    const name = target ? h("a", { href: `#${target}` }, target) : naming(book, factor);
    return h("span", { class: "box" }, h("b", {}, text(factor.value, 5)), h("small", {}, name));
  };
  const between = ledger.how === "sum" ? "+" : ",";
  const terms = ledger.terms.slice(0, 8).map((term, i) => [
    i ? sign(between) : null,
    factors(term.node).map((factor, k) => [k ? sign("×") : null, box(factor)]),
  ]);
  const more = ledger.terms.length > 8 ? h("span", {}, `… ${ledger.terms.length - 8} more`) : null;
  const result = [sign("="), h("span", { class: "box" }, h("b", {}, text(ledger.recorded ?? ledger.total, 5)), h("small", {}, "recorded"))];
  const named = ledger.how === "call" ? ledger.tree.name ?? ledger.tree.inner?.name : ledger.how === "maximum" ? "max" : null;
  const inside = named ? [sign(`${named.replace("'", "′")} (`), terms, more, sign(")")] : [terms, more];
  return h("div", { class: "chain" }, inside, result);
}

const largest = (node) => Math.max(Math.abs(node.value), ...(node.inner ? [node.inner] : node.parts ?? []).map(largest));

/** How far the terms, added up here, are from the number that was recorded. */
export function difference(ledger) {
  if (ledger.total === undefined || ledger.recorded === undefined || ledger.fromRecord || ledger.how === "given") return null;
  const gap = Math.abs(ledger.total - ledger.recorded);
  if (gap === 0) return "exactly the number recorded";
  const unit = 2 ** (Math.floor(Math.log2(largest(ledger.tree) || 1e-38)) - 23);
  return `${text(gap, 2)} from the number recorded, by rounding: ${text(gap / unit, 2)} units in the last place (float32) of the largest number on the way`;
}

function sums(book, ledger, arranged, plane, choose) {
  if (ledger.how === "maximum") {
    const tied = ledger.terms.filter((term) => term.note === "tie").length;
    return h("p", { class: "total" }, "The largest is ", h("b", {}, text(ledger.recorded)), tied ? `; ${plural(tied, "other cell")} has the same value, and the first one wins.` : ".");
  }
  const here = exactSum(arranged.planes.get(plane).map(({ term }) => term.value ?? 0));
  const others = [...arranged.planes].filter(([other]) => other !== plane)
    .map(([other, entries]) => [other, exactSum(entries.map(({ term }) => term.value ?? 0))]);
  const rest = arranged.rest.map((term) => [` + ${factors(term.node).map((f) => naming(book, f)).join(" × ")} `, h("b", {}, text(term.value, 5))]);
  const missing = ledger.terms.some((term) => term.value === undefined);
  if (missing) return h("p", { class: "total" }, "Some of these numbers are not in this file, so their sum is not shown; recorded: ", h("b", {}, text(ledger.recorded)), ".");
  const line = h("p", { class: "total" }, others.length ? `${arranged.layout.name(plane)}: ` : "Together: ", h("b", {}, text(here, 5)),
    others.length ? [` + ${plural(others.length, "other plane")}: `, h("b", {}, text(exactSum(others.map(([, sum]) => sum)), 5))] : null,
    rest, " = ", h("b", {}, text(ledger.total)), h("span", { class: "aside" }, ` (recorded: ${text(ledger.recorded)})`));
  if (!others.length) return line;
  const all = [[plane, here], ...others].sort((a, b) => a[0] - b[0]);
  const size = Math.max(...all.map(([, sum]) => Math.abs(sum)));
  const bars = h("div", { class: "shares", role: "group", "aria-label": "What each plane adds" }, all.map(([each, sum]) => h("button", {
    type: "button", class: sum < 0 ? "share below" : "share", "aria-pressed": String(each === plane), tabindex: each === plane ? "0" : "-1",
    title: `${arranged.layout.name(each)} adds ${text(sum, 4)}`, "aria-label": `${arranged.layout.name(each)} adds ${text(sum, 4)}`,
    style: { "--share": `${(100 * Math.abs(sum)) / (size || 1)}%` }, onclick: () => choose(each),
  })));
  bars.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = bars.children[[...bars.children].indexOf(document.activeElement) + (step ?? NaN)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  return [line, h("p", { class: "hint" }, "What each plane adds (choose one to see its products):"), bars];
}

/** The arithmetic of one number; `plane` is which of the source's planes to write out. */
export function arithmetic(book, address, plane, choose) {
  const ledger = ledgerOf(book, address);
  const arranged = ledger.terms.length > 1 ? arrange(book, ledger) : null;
  if (!ledger.tree) return { ledger, arranged, parts: [] };
  const scattered = arranged && ledger.terms.length < 5 && arranged.rest.length;
  if (!arranged || !arranged.planes.size || scattered) return { ledger, arranged, parts: [few(book, ledger)] };
  const chosen = arranged.planes.has(plane) ? plane : busiest(arranged);
  const entries = arranged.planes.get(chosen);
  const made = tables(book, ledger, entries);
  const shown = made ? h("div", { class: "matrices" }, made) : map(arranged, entries);
  return { ledger, arranged, plane: chosen, parts: [shown, sums(book, ledger, arranged, chosen, choose)] };
}

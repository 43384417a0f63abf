// The ledger of one number: in words, as a formula, term by term, and where to go from here.

import { cells, exactSum, factors, leading, ledgerOf } from "./account.js";
import { difference } from "./arithmetic.js";
import { count, h, plural, replace, text } from "./dom.js";
import { definitions, equation, label } from "./formula.js";

const SHOWN = 10;
const WAYS = {
  sum: (n) => (n ? `It is a sum of ${plural(n, "term")}.` : "Nothing that leads to the loss reads this number: its gradient is 0."),
  product: () => "It is a product.",
  maximum: (n) => `It is the largest of ${plural(n, "candidate")}.`,
  call: (n) => `It is a function of ${plural(n, "number")}.`,
  copy: () => "It is another number, moved here unchanged.",
  constant: () => "It is a constant.",
};
const GIVEN = {
  input: "It was given: it is part of the sample.",
  target: "It was given: it is what the network should say.",
  weight: "It is a weight: training made it what it is. Its gradient and its update are below.",
  random: "It was drawn at random for this step.",
  setting: "It is a setting of the optimiser.",
};

/** A link to a number. */
export function go(book, cell) {
  const address = book.format(book.address(cell.key, cell.offset));
  return h("a", { href: `#${address}`, class: "address" }, address);
}

/** What a number means, in words. */
export function inWords(book, address) {
  const { tensor, quantity } = book.split(address.key);
  const plain = book.format({ ...address, key: tensor.name });
  if (quantity === "grad") {
    const value = book.number(address.key, book.offset(address));
    const way = value === undefined ? "" : value === 0 ? "; it is 0, so a small change of it changes nothing"
      : value > 0 ? "; it is positive, so the loss would rise" : "; it is negative, so the loss would fall";
    return `How much the loss changes when ${plain} grows a little${way}.`;
  }
  if (quantity === "updated") return `${plain} after one step of ${book.optimizer}.`;
  if (quantity.endsWith(".updated")) return `${book.optimizer}’s memory “${quantity.slice(0, -8)}” of ${plain}, after the step.`;
  if (quantity) return `${book.optimizer}’s memory “${quantity}” of ${plain}, before the step.`;
  return tensor.sentence ?? "";
}

function factorCell(book, factor) {
  const value = h("span", { class: "value" }, text(factor.value, 6));
  if (factor.kind === "cell") return [value, " ", go(book, factor)];
  const inside = [...cells(factor)].slice(0, 1).map((cell) => go(book, cell));
  const name = factor.kind === "call" ? factor.name.replace("'", "′") : factor.name ?? "";
  if (/^[-−]?\d+$/.test(name)) return value;
  return [value, " ", h("span", { class: "name" }, name, inside.length ? [" of ", inside] : null)];
}

function table(book, ledger, mode) {
  const { terms } = ledger;
  const ordered = [...terms];
  if (mode === "largest") ordered.sort((a, b) => Math.abs(b.value ?? 0) - Math.abs(a.value ?? 0) || a.position - b.position);
  const shown = mode === "largest" ? ordered.slice(0, SHOWN) : ordered;
  const running = mode === "all" && ledger.how === "sum";
  const noted = shown.some((term) => term.note);
  const width = Math.max(1, ...shown.map((term) => factors(term.node).length));
  const heads = ["#", width > 1 ? "factors" : "number", ...(width > 1 ? ["product"] : []), ...(running ? ["so far"] : []), ...(noted ? [""] : [])];
  let sum = 0;
  const rows = shown.map((term) => {
    sum += term.value ?? NaN;
    const negative = term.value < 0 ? " below" : "";
    return h("tr", { class: term.note.includes("winner") ? "won" : term.note === "loser" ? "lost" : "" },
      h("th", { scope: "row" }, term.position),
      h("td", { class: "factors" }, factors(term.node).map((factor, i) => h("span", { class: "factor" }, i ? "× " : "", factorCell(book, factor)))),
      width > 1 ? h("td", { class: `figure${negative}` }, text(term.value)) : null,
      running ? h("td", { class: "figure" }, text(sum)) : null,
      noted ? h("td", { class: "note" }, term.note) : null);
  });
  const left = terms.length - shown.length;
  if (left && ledger.how === "sum") {
    const others = exactSum(ordered.slice(SHOWN).map((term) => term.value ?? NaN));
    rows.push(h("tr", { class: "others" }, h("th", { scope: "row" }, "…"), h("td", {}, `${count(left)} others, smaller, together`), h("td", { class: "figure" }, text(others))));
  } else if (left) rows.push(h("tr", { class: "others" }, h("th", { scope: "row" }, "…"), h("td", {}, `${count(left)} others`)));
  return h("table", { class: "terms" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows));
}

/** The numbers that read this one: those whose gradients its own gradient is made of. */
function readers(book, address) {
  const { tensor } = book.split(address.key);
  if (!book.accounts[`${tensor.name}.grad`]) return [];
  const ledger = ledgerOf(book, { ...address, key: `${tensor.name}.grad` });
  const found = new Map();
  for (const term of ledger.terms) {
    const cell = [...cells(term.node)].find((each) => each.key.endsWith(".grad"));
    if (cell) found.set(`${cell.key} ${cell.offset}`, { key: cell.key.slice(0, -5), offset: cell.offset, share: Math.abs(term.value ?? 0) });
  }
  return [...found.values()].sort((a, b) => b.share - a.share);
}

/** Where to go: { back, forward }, cells or null. */
export function ways(book, address) {
  const { tensor, quantity } = book.split(address.key);
  const ledger = ledgerOf(book, address);
  const order = [...ledger.terms].sort((a, b) => Math.abs(b.value ?? 0) - Math.abs(a.value ?? 0));
  const winner = ledger.terms.find((term) => term.note === "winner");
  const first = winner ?? (ledger.how === "call" ? ledger.terms : order).find((term) => leading(book, term.node));
  const strongest = first ? leading(book, first.node) : null;
  const same = { key: tensor.name, offset: book.offset(address) };
  if (quantity === "grad") return { back: same, forward: strongest, ledger, reading: [] };
  const reading = quantity ? [] : readers(book, address);
  return { back: strongest, forward: reading[0] ?? null, ledger, reading };
}

function besides(book, address) {
  const { tensor, quantity } = book.split(address.key);
  const others = ["", ...tensor.quantities].filter((each) => each !== quantity && !(each.includes(".") && tensor.kind !== "weight"));
  if (!tensor.quantities.length) return null;
  const named = { "": "the number itself", grad: "its gradient, ∂loss/∂number", updated: "after the update" };
  return h("table", { class: "besides" }, h("caption", {}, tensor.kind === "weight" ? "The weight, its gradient, and the step" : "Beside it"),
    h("tbody", {}, others.map((each) => {
      const key = each ? `${tensor.name}.${each}` : tensor.name;
      const cell = { key, offset: book.offset({ ...address, key }) };
      return h("tr", {}, h("th", { scope: "row" }, named[each] ?? each.replace(".updated", " after the update")),
        h("td", { class: "figure" }, text(book.number(key, cell.offset))), h("td", {}, go(book, cell)));
    })));
}

function formulas(book, address, ledger) {
  const name = label(book.format(address));
  const parts = [h("div", { class: "formula" }, equation(name, ledger.tree, book, false)),
    h("div", { class: "formula" }, equation(null, ledger.tree, book, true, ledger.total))];
  for (const named of [...definitions(ledger.tree).values()].slice(0, 6)) {
    parts.push(h("div", { class: "formula small" }, equation(label(named.name), named.inner, book, true, named.value)));
  }
  return parts;
}

/** Fill the panel with the ledger of an address; `mode` is how terms are listed. */
export function showLedger(panel, book, address, mode, setMode) {
  const { tensor, quantity } = book.split(address.key);
  const { back, forward, ledger, reading } = ways(book, address);
  const shown = book.format(address);
  const remarks = book.remarks[address.key] ?? [];
  const many = ledger.terms.length > SHOWN;
  const chosen = many ? mode : "all";
  const how = ledger.tree ? WAYS[ledger.how]?.(ledger.terms.length)
    : quantity ? "" : GIVEN[tensor.kind] ?? "";
  const absent = !ledger.tree && (tensor.kind === "result" || quantity === "grad" || quantity.endsWith("updated")) && !remarks.length;
  const gap = difference(ledger);
  const step = (cell, name, words) => (cell ? h("a", { class: "step", href: `#${book.format(book.address(cell.key, cell.offset))}` },
    h("b", {}, name), h("small", {}, `${words} ${book.format(book.address(cell.key, cell.offset))}`)) : null);
  replace(panel,
    h("h2", { id: "ledger-title", tabindex: "-1" }, h("code", {}, shown)),
    h("p", { class: `recorded${ledger.recorded < 0 ? " below" : ""}` }, text(ledger.recorded, 9)),
    h("p", {}, inWords(book, address), " ", how),
    ledger.recorded === undefined ? h("p", { class: "notice" }, "This number is not in this file, which is kept small. In a terminal: ", h("code", {}, `pellucid explain … --at "${shown}"`)) : null,
    absent ? h("p", { class: "notice" }, "The account of this tensor is too long for this file. In a terminal: ", h("code", {}, `pellucid explain … --at "${shown}"`)) : null,
    remarks.length && !ledger.tree ? h("p", { class: "notice" }, remarks.join(" ")) : null,
    h("nav", { class: "steps", "aria-label": "Follow this number" },
      step(back, "← Back", quantity === "grad" ? "the number itself," : "towards the pixels,"),
      step(forward, "Forward →", "towards the loss,")),
    ledger.tree ? formulas(book, address, ledger) : null,
    ledger.terms.length ? [
      many ? h("p", { class: "modes" }, [["largest", `${SHOWN} largest`], ["all", `all ${count(ledger.terms.length)} in order`]].map(([each, name]) => h("button", {
        type: "button", "aria-pressed": String(each === chosen), onclick: () => setMode(each),
      }, name))) : null,
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Terms" }, table(book, ledger, chosen)),
      ledger.how === "maximum" || ledger.total === undefined ? null
        : h("p", { class: "sum" }, ledger.how === "sum" ? "Added up: " : "Worked out: ", h("b", { id: "total" }, text(ledger.total, 9)), gap ? h("span", { class: "aside" }, ` — ${gap}.`)
          : ledger.fromRecord ? h("span", { class: "aside" }, " — the function’s value as recorded.") : null),
    ] : null,
    besides(book, address),
    reading.length ? h("details", { open: reading.length <= 6 }, h("summary", {}, `Read by ${plural(reading.length, "number")}`),
      h("ul", { class: "readers" }, reading.slice(0, 40).map((cell) => h("li", {}, go(book, cell), " ", text(book.number(cell.key, cell.offset)))),
        reading.length > 40 ? h("li", {}, `… ${count(reading.length - 40)} more`) : null)) : null);
}

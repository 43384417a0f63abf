// Accounts as MathML: with addresses, or with the numbers in their places.

import { h, m, text } from "./dom.js";

const MOST = 6;
const symbol = (sign) => m("mo", {}, sign);
const brackets = (inner) => m("mrow", {}, symbol("("), inner, symbol(")"));

function numeral(value) {
  const shown = text(value, 5);
  return shown.startsWith("−") ? m("mrow", {}, symbol("−"), m("mn", {}, shown.slice(1))) : m("mn", {}, shown);
}

function name(words) {
  const plain = m("mi", { mathvariant: "normal" }, words.replace(/^[-−]/, ""));
  return /^[-−]/.test(words) ? m("mrow", {}, symbol("−"), plain) : plain;
}

function atom(words, node, numbers) {
  return numbers ? numeral(node.value) : name(words);
}

function sum(parts, book, numbers) {
  const chosen = parts.length > MOST ? [...parts.slice(0, 3), null, parts[parts.length - 1]] : parts;
  const row = m("mrow");
  if (!parts.length) return m("mn", {}, "0");
  chosen.forEach((part, i) => {
    const negative = part?.kind === "product" && part.parts.length > 1 && part.parts[0].value === -1
      && part.parts[0].kind === "constant";
    if (!part) {
      row.append(symbol("+"), m("mtext", {}, `… ${parts.length - 4} more …`));
      return;
    }
    const rest = negative ? { kind: "product", parts: part.parts.slice(1), value: -part.value } : part;
    const lone = rest.kind === "product" && rest.parts.length === 1 ? rest.parts[0] : rest;
    const shown = formula(lone, book, numbers);
    const bracketed = negative && lone.kind === "sum";
    const taken = negative !== (!bracketed && lostMinus(shown));
    if (taken || i) row.append(symbol(taken ? "−" : "+"));
    row.append(bracketed ? brackets(shown) : shown);
  });
  return row;
}

/** Takes the minus away that a formula begins with; tells whether there was one. */
function lostMinus(shown) {
  let first = shown;
  while (first?.localName === "mrow") first = first.firstElementChild;
  const found = first?.localName === "mo" && first.textContent === "−";
  if (found) first.remove();
  return found;
}

const isLow = (node) => node.kind !== "product" && node.kind !== "sum" && node.value < 0;

function call(node, book, numbers) {
  const inside = node.parts.map((part) => formula(part, book, numbers));
  if (node.name === "divide") return m("mfrac", {}, inside);
  if (node.name === "sqrt") return m("msqrt", {}, inside);
  if (node.name === "1/sqrt") return m("mfrac", {}, m("mn", {}, "1"), m("msqrt", {}, inside));
  if (node.name === "square") return m("msup", {}, brackets(inside[0]), m("mn", {}, "2"));
  const listed = inside.flatMap((part, i) => (i ? [symbol(","), part] : [part]));
  if (node.name === "|w|" || node.name === "abs") return m("mrow", {}, symbol("|"), listed, symbol("|"));
  return m("mrow", {}, name(node.name.replace("'", "′")), symbol("("), listed, symbol(")"));
}

/** The account as MathML. */
export function formula(node, book, numbers) {
  if (node.kind === "cell") return atom(book.format(book.address(node.key, node.offset)), node, numbers);
  if (node.kind === "constant") return atom(node.name, node, numbers);
  if (node.kind === "named") {
    return node.inner.kind === "cell" ? formula(node.inner, book, numbers) : atom(node.name, node, numbers);
  }
  if (node.kind === "sum") return sum(node.parts, book, numbers);
  if (node.kind === "call") return call(node, book, numbers);
  if (node.kind === "maximum") {
    const shown = node.parts.slice(0, MOST).map((part) => formula(part, book, numbers));
    const listed = shown.flatMap((part, i) => (i ? [symbol(","), part] : [part]));
    if (node.parts.length > MOST) listed.push(m("mtext", {}, `, … ${node.parts.length} in all`));
    return m("mrow", {}, name("max"), symbol("("), listed, symbol(")"));
  }
  const shown = node.parts.map((part, i) => {
    const inner = formula(part, book, numbers);
    return part.kind === "sum" || (numbers && i && isLow(part)) ? brackets(inner) : inner;
  });
  return m("mrow", {}, shown.flatMap((part, i) => (i ? [symbol(numbers ? "×" : "·"), part] : [part])));
}

/** "left = account = right" as pieces of mathematics between which a line may break. */
export function equation(left, node, book, numbers, right = null) {
  const pieces = [];
  const piece = (...parts) => pieces.push(m("math", {}, m("mrow", {}, parts)), " ");
  if (left) piece(left, symbol("="));
  const whole = formula(node, book, numbers);
  const first = pieces.length ? null : symbol("=");
  if (node.kind !== "sum") piece(first ?? [], whole);
  else {
    let row = first ? [first] : [];
    for (const part of [...whole.children]) {
      if (part.localName === "mo" && row.length && row[row.length - 1].localName !== "mo") {
        piece(row);
        row = [];
      }
      row.push(part);
    }
    piece(row);
  }
  if (right !== null) piece(symbol("="), numeral(right));
  return h("span", { class: "equation" }, pieces);
}

export const label = name;

/** The named intermediates of an account, each once, the inner ones first. */
export function definitions(node, found = new Map()) {
  if (node.kind === "named") {
    definitions(node.inner, found);
    if (node.inner.kind !== "cell") found.set(`${node.name} ${node.value}`, node);
  } else for (const part of node.parts ?? []) definitions(part, found);
  return found;
}

// How a number was made: its pattern put in place, evaluated, and taken apart into terms.

const FUNCTIONS = {
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  square: (x) => x * x,
  "1/sqrt": (x) => 1 / Math.sqrt(x),
  divide: (a, b) => (a === 0 ? 0 : a / b),
  "|w|": Math.abs,
  abs: Math.abs,
  sign: Math.sign,
  one_hot: (a, b) => Number(a === b),
};

/** A sum that loses no digit on the way (Neumaier's). */
export function exactSum(values) {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return Number.isFinite(lost) ? sum + lost : sum;
}

function place(account, cell, offset) {
  if (account.each) {
    const row = account.each.subarray(offset * account.width, (offset + 1) * account.width);
    return [row[0], [...row.slice(1)]];
  }
  let corner = 0;
  cell.forEach((index, axis) => {
    const { classes, count } = account.axes[axis];
    corner = corner * count + (classes ? classes[index] : 0);
  });
  const [pattern, ...bases] = account.corners[corner];
  cell.forEach((index, axis) => {
    account.axes[axis].moves.slice(0, bases.length).forEach((move, group) => {
      bases[group] += typeof move === "number" ? move * index : move[index];
    });
  });
  return [pattern, bases];
}

/** The tree of an account, every node with its value; null where this file has no account. */
export function accountOf(book, address) {
  const account = book.accounts[address.key];
  if (!account) return null;
  const { tensor } = book.split(address.key);
  const cell = tensor.samples === null ? address.index : [address.sample, ...address.index];
  const offset = book.offset(address);
  const [number, bases] = place(account, cell, offset);
  const { tree, tensors } = account.patterns[number];
  const recorded = book.number(address.key, offset);

  const build = (node) => {
    const [kind] = node;
    if (kind === "c") {
      const key = tensors[node[1]];
      const at = bases[node[1]] + node[2];
      return { kind: "cell", key, offset: at, value: book.number(key, at) };
    }
    if (kind === "k") return { kind: "constant", name: node[1], value: node[2] };
    if (kind === "n") {
      const inner = build(node[2]);
      return { kind: "named", name: node[1], inner, value: inner.value };
    }
    if (kind === "t") {
      const inner = build(node[3]);
      return { kind: "call", name: node[1], parts: [inner], value: book.number(node[2], inner.offset) };
    }
    if (kind === "v") return { kind: "call", name: node[1], parts: node.slice(3).map(build), value: node[2] };
    const parts = node.slice(kind === "f" || kind === "r" ? 2 : 1).map(build);
    const values = parts.map((part) => part.value);
    const missing = values.includes(undefined);
    const value = (compute) => (missing ? undefined : compute());
    if (kind === "+" || kind === "p") return { shares: kind === "p", kind: "sum", parts, value: value(() => exactSum(values)) };
    if (kind === "*") return { kind: "product", parts, value: value(() => values.reduce((a, b) => a * b, 1)) };
    if (kind === "m") return { kind: "maximum", parts, value: value(() => Math.max(...values)) };
    if (kind === "r") return { kind: "call", name: node[1], parts, value: recorded, recorded: true };
    return { kind: "call", name: node[1], parts, value: value(() => FUNCTIONS[node[1]](...values)) };
  };
  return build(tree);
}

const plain = (node) => (node.kind === "named" ? plain(node.inner) : node);
export const factors = (node) => (node.kind === "product" ? node.parts : [node]);

export function* cells(node) {
  if (node.kind === "cell") yield node;
  else if (node.kind === "named") yield* cells(node.inner);
  else for (const part of node.parts ?? []) yield* cells(part);
}

/** The terms of a sum, and of a sum times something: a · (b + c) is a · b + a · c. */
function summands(given) {
  const node = plain(given);
  if (node.kind === "sum") return node.parts.flatMap((part) => (part.kind === "sum" ? summands(part) : [part]));
  if (node.kind === "product") {
    const sums = node.parts.filter((part) => part.kind === "sum");
    if (sums.length === 1) {
      const at = node.parts.indexOf(sums[0]);
      return summands(sums[0]).map((term) => {
        const parts = [...node.parts.slice(0, at), ...factors(term), ...node.parts.slice(at + 1)];
        const values = parts.map((part) => part.value);
        return { kind: "product", parts, value: values.includes(undefined) ? undefined : values.reduce((a, b) => a * b, 1) };
      });
    }
  }
  return [node];
}

function note(term) {
  for (const factor of factors(term)) {
    if (factor.kind === "constant" && ["padding", "winner", "loser"].includes(factor.name)) return factor.name;
    if (factor.kind === "call" && factor.name.endsWith("'") && (factor.value === 0 || factor.value === 1)) {
      return factor.value ? "gate open" : "gate shut";
    }
  }
  return "";
}

/** How a number was made: { how, tree, terms: [{ node, value, note, position }], total, recorded }. */
export function ledgerOf(book, address) {
  const recorded = book.number(address.key, book.offset(address));
  const tree = accountOf(book, address);
  if (!tree) return { how: "given", tree: null, terms: [], total: recorded, recorded };
  const node = plain(tree);
  let how = node.kind;
  let parts = [];
  if (node.kind === "sum" || node.kind === "product") {
    parts = node.shares ? node.parts.flatMap(summands) : summands(tree);
    how = parts.length > 1 || node.kind === "sum" ? "sum" : "product";
  } else if (node.kind === "maximum" || node.kind === "call") parts = node.parts;
  else parts = [node];
  const best = node.value;
  let won = false;
  const terms = parts.map((part, position) => {
    let said = note(part);
    if (how === "maximum") {
      said = part.value !== best ? "loser" : won ? "tie" : "winner";
      won ||= part.value === best;
    }
    return { node: part, value: part.value, note: said, position };
  });
  return { how: how === "cell" ? "copy" : how, tree, terms, total: tree.value, recorded, fromRecord: Boolean(node.recorded) };
}

/** The cell of a term to follow: towards the input, or for a gradient towards the loss. */
export function leading(book, node) {
  const found = [...cells(node)];
  const made = found.filter((cell) => ["result", "input"].includes(book.split(cell.key).tensor.kind));
  return found.find((cell) => cell.key.endsWith(".grad"))
    ?? made.find((cell) => cell.value === Math.max(...made.map(({ value }) => value)))
    ?? made[0] ?? found[0];
}

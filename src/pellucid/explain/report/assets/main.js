// The page: one address is looked at; everything shown follows from it.

import { accountOf, cells, ledgerOf } from "./account.js";
import { arithmetic } from "./arithmetic.js";
import { Book } from "./book.js";
import { h, replace, text } from "./dom.js";
import { Figure } from "./figure.js";
import { layoutOf, start } from "./layout.js";
import { Overview, entry, prediction } from "./overview.js";
import { isPicture, paintPlane } from "./paint.js";
import { showLedger, ways } from "./panel.js";

const $ = (selector) => document.querySelector(selector);
const MOST_SOURCES = 4;
const ROOM = 176;

class Page {
  constructor(book) {
    this.book = book;
    this.mode = "largest";
    this.gradients = false;
    this.chosen = new Map();
    this.trail = [];
    this.figures = [];
    this.overview = new Overview(book, $("#stages"), $("#weights"));
    this.address = this.fromHash() ?? this.first();
    this.overview.draw(this.address.sample, this.gradients);
    this.controls();
    this.prediction();
    this.render();
    addEventListener("hashchange", () => {
      const address = this.fromHash();
      if (address && this.book.format(address) !== this.book.format(this.address)) this.go(address);
    });
    let wide = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== wide) this.figures.forEach((figure) => figure.paint());
      wide = innerWidth;
    });
  }

  /** Where the page opens: the first number that has an account of several terms. */
  first() {
    const tensor = this.book.tensors.find((t) => t.kind === "result" && this.book.accounts[t.name] && this.book.has(t.name) && t.shape.length)
      ?? this.book.tensors[0];
    return entry(this.book, tensor.name, 0);
  }

  fromHash() {
    const written = decodeURIComponent(location.hash.slice(1)) || document.documentElement.dataset.start;
    if (!written) return null;
    const address = this.book.parse(written);
    if (typeof address !== "string") return address;
    this.say(address);
    return null;
  }

  say(words) {
    replace("#message", words);
  }

  /** Look at another number. */
  go(address, { replaceState = false, focus = null } = {}) {
    const sampleChanged = address.sample !== this.address.sample && this.book.split(address.key).tensor.samples !== null;
    if (this.book.split(address.key).tensor.samples === null) address = { ...address, sample: this.address.sample };
    this.address = address;
    const hash = `#${this.book.format(address)}`;
    try {
      if (replaceState) history.replaceState(null, "", hash);
      else if (decodeURIComponent(location.hash) !== hash) history.pushState(null, "", hash);
    } catch {
      // A frame without an address of its own: the page works all the same.
    }
    if (sampleChanged) {
      this.overview.draw(address.sample, this.gradients);
      this.prediction();
    }
    this.say("");
    this.render();
    if (focus === "ledger") $("#ledger-title").focus();
    if (focus === "canvas") this.focusCanvas();
  }

  focusCanvas() {
    this.figures.find((figure) => figure.key === this.address.key)?.canvas.focus({ preventScroll: true });
  }

  prediction() {
    const { book } = this;
    const input = book.tensors.find((tensor) => tensor.kind === "input");
    const canvas = h("canvas", { role: "img", "aria-label": `The sample, ${input.shape.join(" × ")} numbers` });
    const layout = layoutOf(book, input.name);
    const sample = this.address.sample;
    const holds = book.has(input.name) && input.shape.length > 1;
    if (holds) paintPlane(canvas, book, input.name, sample, layout, 0, 150);
    if (holds && layout.planes === 3 && isPicture(book, input.name)) this.paintPhoto(canvas, input, sample, layout);
    replace("#picture", holds ? h("a", { href: `#${book.format(entry(book, input.name, sample))}` }, canvas) : null);
    replace("#prediction", prediction(book, sample));
  }

  paintPhoto(canvas, input, sample, layout) {
    const { size } = this.book.range(input.name, sample);
    const from = start(this.book, input.name, sample);
    const context = canvas.getContext("2d");
    const [dx, dy] = [canvas.width / layout.cols, canvas.height / layout.rows];
    for (let row = 0; row < layout.rows; row++) {
      for (let col = 0; col < layout.cols; col++) {
        const parts = [0, 1, 2].map((p) => Math.round((255 * this.book.number(input.name, from + layout.offset(p, row, col))) / (size || 1)));
        context.fillStyle = `rgb(${parts.join(" ")})`;
        context.fillRect(col * dx, row * dy, dx + 1, dy + 1);
      }
    }
  }

  // What is made of one address.

  render() {
    const { book, address } = this;
    const { tensor } = book.split(address.key);
    this.overview.mark(tensor.name);
    this.heading(tensor);
    const account = accountOf(book, address);
    this.sources = account ? this.sourcesOf(account) : new Map();
    const keys = [...this.sources.keys()].join(" ");
    const wanted = `${tensor.name}@${address.sample} ${keys}`;
    if (this.built !== wanted) this.build(tensor, wanted);
    this.update(address);
    showLedger($("#ledger"), book, address, this.mode, (mode) => {
      this.mode = mode;
      this.render();
      $("#ledger .modes [aria-pressed=true]").focus();
    });
    const shown = book.format(address);
    $("#address").value = shown;
    document.title = `${shown} · ${book.model}`;
    const value = book.number(address.key, book.offset(address));
    replace("#live", `${shown} is ${text(value)}`);
    this.remember(shown);
  }

  heading(tensor) {
    replace("#bench-title", tensor.layer ? `${tensor.layer}: ` : "", h("span", {}, tensor.operation?.replaceAll("_", " ") || tensor.name));
    const settings = Object.entries(tensor.settings ?? {}).map(([name, value]) => `${name} ${value}`).join(" · ");
    replace("#bench-words", tensor.sentence ?? "", settings ? h("span", { class: "aside" }, ` ${settings}`) : null);
    $("#bench-formula").hidden = !tensor.formula;
    replace("#bench-formula pre", tensor.formula ?? "");
  }

  /** The tensors that an account reads: key → Map(plane → cells). */
  sourcesOf(account) {
    const { book } = this;
    const sources = new Map();
    const layouts = new Map();
    for (const cell of cells(account)) {
      if (!sources.has(cell.key)) {
        sources.set(cell.key, new Map());
        layouts.set(cell.key, layoutOf(book, cell.key));
      }
      const layout = layouts.get(cell.key);
      const length = book.length(cell.key);
      const at = layout.find(book.split(cell.key).tensor.samples === null ? cell.offset : cell.offset % length);
      const planes = sources.get(cell.key);
      if (!planes.has(at.plane)) planes.set(at.plane, new Set());
      planes.get(at.plane).add(at.row * layout.cols + at.col);
    }
    return sources;
  }

  build(tensor, wanted) {
    this.built = wanted;
    const { book, address } = this;
    const shared = {
      book, sample: address.sample, tiles: true, room: ROOM,
      onkey: (event) => this.key(event),
    };
    const own = [tensor.name, ...tensor.quantities.filter((q) => q === "grad" || q === "updated").map((q) => `${tensor.name}.${q}`)]
      .filter((key) => book.has(key));
    if (!own.includes(address.key) && book.has(address.key)) own.push(address.key);
    const titles = { "": "", grad: " · gradient", updated: " · updated" };
    const focus = own.map((key) => new Figure({
      ...shared, key, title: tensor.name + (titles[book.split(key).quantity] ?? ` · ${book.split(key).quantity}`),
      onpick: (to) => this.go(to, { focus: "canvas" }),
      onmove: (to) => this.go(to, { replaceState: true, focus: "canvas" }),
      onhover: (to) => this.preview(to),
      onplane: (plane) => this.plane(key, plane),
    }));
    const large = [...this.sources.keys()].filter((key) => book.has(key) && !own.includes(key)
      && this.isDrawn(book.split(key).tensor)).slice(0, MOST_SOURCES);
    const reading = large.map((key) => new Figure({
      ...shared, key,
      onpick: (to) => this.go(to),
      onmove: (to) => this.go(to, { focus: "canvas" }),
      onplane: (plane) => {
        this.chosen.set(key, plane);
        this.update(this.address);
      },
    }));
    this.figures = [...reading, ...focus];
    replace("#sources", reading.map((figure) => figure.element));
    replace("#focus", focus.map((figure) => figure.element));
    $("#reads").hidden = !reading.length;
  }

  /** Whether a source is drawn large: biases and their kind are only written. */
  isDrawn(tensor) {
    return tensor.kind === "weight" ? tensor.shape.length > 1 : tensor.shape.length > 0 && tensor.kind !== "setting";
  }

  /** Move windows and cursors to an address, and write its arithmetic out. */
  update(address) {
    const { book } = this;
    const account = accountOf(book, address);
    const sources = account ? this.sourcesOf(account) : new Map();
    const guess = [...this.chosen.values()].pop();
    const made = arithmetic(book, address, this.guide ? this.chosen.get(this.guide) : guess, (plane) => {
      this.chosen.set(this.guide, plane);
      this.update(this.address);
      $("#arithmetic .shares [aria-pressed=true]")?.focus();
    });
    this.guide = made.arranged?.key;
    const own = book.split(address.key).tensor.name;
    for (const figure of this.figures) {
      const marks = sources.get(figure.key) ?? new Map();
      if (book.split(figure.key).tensor.name === own) {
        const offset = book.offset({ ...address, key: figure.key }) - start(book, figure.key, address.sample);
        const cursor = figure.layout.find(offset);
        figure.show(cursor.plane, figure.key === address.key ? new Map() : marks, cursor);
        figure.element.classList.toggle("current", figure.key === address.key);
      } else {
        const wanted = figure.key === made.arranged?.key ? made.plane : this.chosen.get(figure.key);
        const partner = [...marks.keys()].find((plane) => this.belongs(figure, plane, made));
        const plane = marks.has(wanted) ? wanted : partner ?? [...marks.keys()][0] ?? figure.plane;
        figure.show(plane, marks, null);
      }
    }
    const value = book.number(address.key, book.offset(address));
    replace("#arithmetic-title", h("code", {}, book.format(address)), " = ", h("b", {}, text(value)));
    replace("#arithmetic", made.parts.length ? made.parts : h("p", { class: "hint" }, "This number was given, not computed here."));
  }

  /** Whether a plane of a source holds cells that are multiplied with the plane written out. */
  belongs(figure, plane, made) {
    if (!made.arranged) return false;
    const entries = made.arranged.planes.get(made.plane) ?? [];
    const length = this.book.length(figure.key);
    const first = entries.length ? [...cells(entries[0].term.node)].find((cell) => cell.key === figure.key) : null;
    return first ? figure.layout.find(first.offset % length).plane === plane : false;
  }

  preview(address) {
    const to = address ?? this.address;
    if (this.previewed === this.book.format(to)) return;
    this.previewed = this.book.format(to);
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.update(to));
  }

  plane(key, plane) {
    const { book, address } = this;
    const layout = layoutOf(book, key);
    const from = start(book, key, address.sample);
    const cursor = layout.find(book.offset({ ...address, key }) - from);
    this.go(book.address(key, from + (layout.offset(plane, cursor.row, cursor.col) ?? layout.offset(plane, 0, 0))), { replaceState: true });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { back, forward } = ways(this.book, this.address);
    const to = { b: back, f: forward }[event.key];
    if (event.key === "Enter") $("#ledger-title").focus();
    else if (to) this.go(this.book.address(to.key, to.offset), { focus: "canvas" });
    else if (event.key === "g") this.swap();
    else return;
    event.preventDefault();
  }

  /** From a number to its gradient, or back. */
  swap() {
    const { tensor, quantity } = this.book.split(this.address.key);
    const key = quantity ? tensor.name : `${tensor.name}.grad`;
    if (this.book.has(key)) this.go({ ...this.address, key }, { focus: "canvas" });
  }

  remember(shown) {
    if (this.trail[this.trail.length - 1] !== shown) this.trail.push(shown);
    this.trail = this.trail.slice(-6);
    replace("#trail", this.trail.map((each) => h("li", {}, h("a", { href: `#${each}` }, each))));
  }

  controls() {
    const { book } = this;
    $(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      $("#ledger-title").focus();
    });
    replace("#model", book.model);
    replace("#notes", book.notes.map((note) => h("p", {}, note)));
    $("#go").addEventListener("submit", (event) => {
      event.preventDefault();
      const address = book.parse($("#address").value);
      if (typeof address === "string") this.say(address);
      else this.go(address, { focus: "ledger" });
    });
    replace("#addresses", book.tensors.flatMap((tensor) => ["", ...tensor.quantities.slice(0, 2)].map((quantity) => h("option", {
      value: book.format({ key: quantity ? `${tensor.name}.${quantity}` : tensor.name, sample: 0, index: tensor.shape.map(() => 0) }),
    }))));
    for (const button of document.querySelectorAll("#show button")) {
      button.addEventListener("click", () => {
        this.gradients = button.value === "grad";
        for (const each of document.querySelectorAll("#show button")) each.setAttribute("aria-pressed", String(each === button));
        this.overview.draw(this.address.sample, this.gradients);
        this.overview.mark(book.split(this.address.key).tensor.name);
      });
    }
    $("#show").hidden = !book.tensors.some((tensor) => book.has(`${tensor.name}.grad`));
    $("#sample-box").hidden = book.samples < 2;
    $("#sample").max = book.samples - 1;
    $("#sample").addEventListener("change", (event) => {
      const sample = Math.max(0, Math.min(book.samples - 1, Number(event.target.value) || 0));
      const { tensor } = book.split(this.address.key);
      this.go(tensor.samples === null ? entry(book, book.tensors[0].name, sample) : { ...this.address, sample });
    });
    $("#theme").addEventListener("click", () => this.theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  }

  /** All numbers are there: show those that were not. */
  complete() {
    this.book.sizes.clear();
    this.built = null;
    const held = document.activeElement?.closest("figure")?.dataset.key;
    this.render();
    if (held) this.figures.find((figure) => figure.key === held)?.canvas.focus({ preventScroll: true });
    document.documentElement.dataset.complete = "true";
  }

  theme(name) {
    document.documentElement.dataset.theme = name;
    this.overview.draw(this.address.sample, this.gradients);
    this.prediction();
    this.built = null;
    this.render();
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
Book.open().then(async (book) => {
  const large = Object.entries(book.arrays).some(([key, { n }]) => n > 50_000 && location.hash.startsWith(`#${key.split(".")[0]}`));
  if (large) await book.rest;
  const page = new Page(book);
  book.rest.then(() => page.complete());
  // For the browser's console: pellucid.ledger("conv2d.output[5,7,3]").
  globalThis.pellucid = { book, ledger: (address) => ledgerOf(book, book.parse(address)) };
  dark.addEventListener("change", () => page.theme(dark.matches ? "dark" : "light"));
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}).catch((error) => {
  replace("#message", `This page could not be opened: ${error.message}. It needs a browser of 2023 or later.`);
  throw error;
});

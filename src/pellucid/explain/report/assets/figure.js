// One tensor: a plane painted large, the other planes as tiles, a cursor moved by pointer and keys.

import { breakable, count, h, replace, text } from "./dom.js";
import { layoutOf, start } from "./layout.js";
import { describe, legend, paintPlane, paintTile } from "./paint.js";

const TILES = 64;
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

const whenIdle = window.requestIdleCallback ?? ((action) => setTimeout(action, 30));

export class Figure {
  /**
   * @param options { book, key, sample, title, room, tiles, onpick(address), onhover(address | null),
   *   onkey(event), onplane(plane) }
   */
  constructor(options) {
    Object.assign(this, options);
    this.layout = layoutOf(this.book, this.key);
    this.plane = 0;
    this.block = -1;
    this.cursor = null;
    this.marks = new Map();
    this.canvas = h("canvas", {
      tabindex: "0",
      role: "application",
      "data-key": this.key,
      "aria-roledescription": "tensor",
      onpointermove: (event) => this.hover(event),
      onpointerleave: () => this.onhover?.(null),
      onclick: (event) => this.pick(event),
      onkeydown: (event) => this.press(event),
    });
    this.caption = h("figcaption", {});
    this.tilesBox = h("div", { class: "tiles", role: "group", "aria-label": `Planes of ${this.key}` });
    this.element = h("figure", { class: "tensor", "data-key": this.key }, this.caption,
      h("div", { class: "canvas" }, this.canvas), legend(this.book, this.key, this.sample), this.tilesBox);
    this.element.addEventListener("keydown", (event) => this.pressTile(event));
  }

  /** Show a plane, the cells made use of, and the cell chosen. */
  show(plane, marks, cursor) {
    this.plane = plane;
    this.marks = marks ?? new Map();
    this.cursor = cursor;
    this.paint();
    this.showTiles();
  }

  paint() {
    const { layout, plane } = this;
    const here = this.cursor && this.cursor.plane === plane ? this.cursor.row * layout.cols + this.cursor.col : null;
    const room = Math.min(this.room, this.element.clientWidth - 2 || this.room);
    this.scale = paintPlane(this.canvas, this.book, this.key, this.sample, layout, plane, room, this.marks.get(plane), here);
    const { tensor, quantity } = this.book.split(this.key);
    const sizes = tensor.shape.length ? tensor.shape.join(" × ") : "one number";
    const which = layout.planes > 1 ? h("span", { class: "plane" }, layout.name(plane)) : null;
    replace(this.caption, h("b", {}, breakable(this.title ?? this.key)), h("span", { class: "shape" }, sizes), which);
    const told = describe(this.book, this.key, this.sample, layout, plane);
    const keys = this.onpick ? " Arrow keys move from number to number, Page Up and Page Down from plane to plane, Enter opens the account." : "";
    this.canvas.setAttribute("aria-label", `${tensor.name}${quantity ? `, ${quantity}` : ""}, ${told}.${keys}`);
  }

  // Planes.

  showTiles() {
    const { planes } = this.layout;
    if (planes < 2 || !this.tiles) return;
    const block = Math.floor(this.plane / TILES);
    if (block !== this.block) this.makeTiles(block);
    for (const tile of this.tilesBox.querySelectorAll(".tile")) {
      const chosen = Number(tile.dataset.plane) === this.plane;
      tile.setAttribute("aria-pressed", String(chosen));
      tile.tabIndex = chosen ? 0 : -1;
      if (chosen) this.tilesBox.scrollTop = tile.offsetTop - this.tilesBox.clientHeight / 2;
      tile.classList.toggle("used", this.marks.has(Number(tile.dataset.plane)));
    }
  }

  makeTiles(block) {
    this.block = block;
    const { layout } = this;
    const [first, last] = [block * TILES, Math.min((block + 1) * TILES, layout.planes)];
    const width = Math.min(30, layout.cols * Math.max(1, Math.round(30 / layout.cols)));
    const tiles = [];
    const waiting = [];
    for (let plane = first; plane < last; plane++) {
      const canvas = h("canvas", { width: layout.cols * 2, height: layout.rows * 2, style: { width: `${width}px` } });
      const told = describe(this.book, this.key, this.sample, layout, plane);
      tiles.push(h("button", {
        type: "button", class: "tile", "data-plane": plane, "aria-label": told, title: told,
        onclick: () => this.onplane?.(plane),
      }, canvas));
      waiting.push(() => paintTile(canvas, this.book, this.key, this.sample, layout, plane));
    }
    whenIdle(() => waiting.forEach((paint) => paint()));
    const turn = (to, sign, name) => h("button", {
      type: "button", class: "turn", "aria-label": name, disabled: to < 0 || to * TILES >= layout.planes,
      onclick: () => this.onplane?.(Math.min(to * TILES, layout.planes - 1)),
    }, sign);
    const pager = layout.planes > TILES ? h("div", { class: "pager" },
      turn(block - 1, "‹", "Earlier planes"), ` ${first}–${last - 1} of ${count(layout.planes)} `,
      turn(block + 1, "›", "Later planes")) : null;
    replace(this.tilesBox, tiles, pager);
  }

  pressTile(event) {
    const tile = event.target.closest?.(".tile");
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!tile || !step) return;
    event.preventDefault();
    const next = Number(tile.dataset.plane) + step;
    if (next < 0 || next >= this.layout.planes) return;
    this.onplane?.(next);
    this.tilesBox.querySelector(`[data-plane="${next}"]`)?.focus();
  }

  // Cells.

  addressAt(plane, row, col) {
    const { layout } = this;
    if (row < 0 || col < 0 || row >= layout.rows || col >= layout.cols) return null;
    const offset = layout.offset(plane, row, col);
    if (offset === null) return null;
    return this.book.address(this.key, start(this.book, this.key, this.sample) + offset);
  }

  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const col = Math.floor(((event.clientX - box.left) / box.width) * this.layout.cols);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.layout.rows);
    return this.addressAt(this.plane, row, col);
  }

  hover(event) {
    if (event.pointerType === "touch") return;
    const address = this.under(event);
    this.canvas.title = address ? `${this.book.format(address)} = ${text(this.book.number(address.key, this.book.offset(address)))}` : "";
    this.onhover?.(address);
  }

  pick(event) {
    const address = this.under(event);
    if (address) this.onpick?.(address);
  }

  press(event) {
    const at = this.cursor ?? { plane: this.plane, row: 0, col: 0 };
    const { planes, rows, cols } = this.layout;
    let to = null;
    if (MOVES[event.key]) to = [at.plane, at.row + MOVES[event.key][0], at.col + MOVES[event.key][1]];
    else if (event.key === "PageDown") to = [(at.plane + 1) % planes, at.row, at.col];
    else if (event.key === "PageUp") to = [(at.plane + planes - 1) % planes, at.row, at.col];
    else if (event.key === "Home") to = event.ctrlKey ? [at.plane, 0, 0] : [at.plane, at.row, 0];
    else if (event.key === "End") to = event.ctrlKey ? [at.plane, rows - 1, cols - 1] : [at.plane, at.row, cols - 1];
    else return this.onkey?.(event);
    event.preventDefault();
    const address = this.addressAt(...to);
    if (address) this.onmove?.(address);
    return undefined;
  }
}

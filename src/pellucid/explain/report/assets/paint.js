// Numbers as colours: blue above zero, orange and striped below, grey for pictures.

import { h, text } from "./dom.js";
import { planeOffsets, start } from "./layout.js";

const THEMES = {
  light: { zero: [247, 246, 243], above: [23, 92, 164], below: [190, 84, 8], ink: [70, 30, 0], none: [222, 222, 222] },
  dark: { zero: [32, 36, 43], above: [102, 176, 255], below: [245, 150, 60], ink: [12, 8, 4], none: [60, 60, 60] },
};

export const isDark = () => document.documentElement.dataset.theme === "dark";
const palette = () => THEMES[isDark() ? "dark" : "light"];
const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];
const mix = (from, to, share) => from.map((part, i) => Math.round(part + (to[i] - part) * share));
export const css = (colour) => `rgb(${colour.join(" ")})`;

/** Whether a tensor is shown as a picture, from black to white. */
export function isPicture(book, key) {
  const { tensor, quantity } = book.split(key);
  return tensor.kind === "input" && !quantity && tensor.shape.length === 3 && book.range(key).least >= 0;
}

/** The colour of a number of a tensor whose largest number, in size, is `size`. */
export function colour(value, size, picture = false, { zero, above, below, none } = palette()) {
  if (value === undefined) return none;
  const share = size ? Math.min(Math.abs(value) / size, 1) : 0;
  if (picture) return mix(BLACK, WHITE, share);
  return mix(zero, value < 0 ? below : above, share ** 0.75);
}

/** A colour for a table's cell, pale enough for figures on it. */
export function tint(value, size) {
  const { zero } = palette();
  return css(mix(zero, colour(value, size), isDark() ? 0.45 : 0.42));
}

function draw(width, height, pixel) {
  const small = document.createElement("canvas");
  small.width = width;
  small.height = height;
  const context = small.getContext("2d");
  const image = context.createImageData(width, height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      const shade = pixel(x, y);
      if (!shade) continue;
      image.data[at] = shade[0];
      image.data[at + 1] = shade[1];
      image.data[at + 2] = shade[2];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return small;
}

/** Paint one plane small: every number two dots wide, negative ones with a dark dot across. */
export function paintTile(canvas, book, key, sample, layout, plane) {
  const { size } = book.range(key, sample);
  const picture = isPicture(book, key);
  const from = start(book, key, sample);
  const shades = palette();
  const dots = draw(layout.cols * 2, layout.rows * 2, (x, y) => {
    const offset = layout.offset(plane, y >> 1, x >> 1);
    if (offset === null) return null;
    const value = book.number(key, from + offset);
    const shade = colour(value, size, picture, shades);
    return value < 0 && (x + y) % 2 ? mix(shade, shades.ink, 0.3) : shade;
  });
  canvas.width = dots.width;
  canvas.height = dots.height;
  canvas.getContext("2d").drawImage(dots, 0, 0);
}

/** Paint planes side by side, as many as fit: the network at a glance. */
export function paintMosaic(canvas, book, key, sample, layout, largest) {
  const shown = Math.min(layout.planes, 1024);
  const columns = Math.ceil(Math.sqrt((shown * layout.rows) / layout.cols));
  const lines = Math.ceil(shown / columns);
  const gap = layout.planes > 1 ? 1 : 0;
  const fit = largest / Math.max(columns * layout.cols, lines * layout.rows);
  const zoom = fit >= 1 ? Math.min(Math.floor(fit), 12) : fit;
  const [width, height] = [layout.cols, layout.rows].map((n) => Math.max(2, Math.round(n * zoom)));
  const { size } = book.range(key, sample);
  const picture = isPicture(book, key);
  const from = start(book, key, sample);
  const shades = palette();
  const total = [columns * (width + gap) - gap, lines * (height + gap) - gap];
  const dots = draw(total[0], total[1], (x, y) => {
    const [px, py] = [x % (width + gap), y % (height + gap)];
    const plane = Math.floor(y / (height + gap)) * columns + Math.floor(x / (width + gap));
    if (px >= width || py >= height || plane >= shown) return null;
    const offset = layout.offset(plane, Math.floor((py * layout.rows) / height), Math.floor((px * layout.cols) / width));
    return offset === null ? null : colour(book.number(key, from + offset), size, picture, shades);
  });
  canvas.width = dots.width;
  canvas.height = dots.height;
  canvas.getContext("2d").drawImage(dots, 0, 0);
  canvas.style.width = `${dots.width}px`;
}

/**
 * Paint one plane large, with the cells in `marks` framed and the cell at `cursor` framed twice.
 * Returns the width of a cell on the screen.
 */
export function paintPlane(canvas, book, key, sample, layout, plane, room, marks, cursor) {
  const { size } = book.range(key, sample);
  const from = start(book, key, sample);
  const value = (x, y) => {
    const offset = layout.offset(plane, y, x);
    return offset === null ? null : book.number(key, from + offset);
  };
  return paintNumbers(canvas, layout, value, size, room, { picture: isPicture(book, key), marks, cursor });
}

/** Paint rows × cols numbers large; `value(x, y)` is null where there is no cell. */
export function paintNumbers(canvas, { rows, cols }, value, size, room, { picture = false, marks, cursor = null } = {}) {
  const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1));
  const scale = Math.max(2, Math.min(44, Math.floor(room / Math.max(rows, cols))));
  const shades = palette();
  const dots = draw(cols, rows, (x, y) => {
    const number = value(x, y);
    return number === null ? null : colour(number, size, picture, shades);
  });
  canvas.width = cols * scale * ratio;
  canvas.height = rows * scale * ratio;
  canvas.style.width = `${cols * scale}px`;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(dots, 0, 0, canvas.width, canvas.height);
  context.scale(ratio, ratio);
  if (scale >= 4 && !picture) stripe(context, rows, cols, scale, value);
  const frame = (cells, width) => outline(context, cells, rows, cols, scale, width);
  if (marks?.size && marks.size < rows * cols) frame(marks, 2);
  if (cursor !== null) frame(new Set([cursor]), 3);
  return scale;
}

/** Draw slanting lines over negative numbers, so that colour is not all that tells them. */
function stripe(context, rows, cols, scale, value) {
  const step = scale > 14 ? scale / 3 : scale;
  context.beginPath();
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      if (!(value(x, y) < 0)) continue;
      for (let d = step; d < 2 * scale - 1; d += step) {
        context.moveTo(x * scale + Math.max(0, d - scale), y * scale + Math.min(d, scale));
        context.lineTo(x * scale + Math.min(d, scale), y * scale + Math.max(0, d - scale));
      }
    }
  }
  context.strokeStyle = `rgb(${palette().ink.join(" ")} / ${isDark() ? 0.6 : 0.4})`;
  context.lineWidth = 1;
  context.stroke();
}

/** Draw a line around cells, given as row · cols + column. */
function outline(context, cells, rows, cols, scale, width) {
  context.beginPath();
  for (const cell of cells) {
    const [x, y] = [cell % cols, Math.floor(cell / cols)];
    const inside = (dx, dy) => x + dx >= 0 && x + dx < cols && cells.has((y + dy) * cols + x + dx);
    const [left, top, right, bottom] = [x * scale, y * scale, (x + 1) * scale, (y + 1) * scale];
    const line = (...points) => {
      context.moveTo(points[0], points[1]);
      context.lineTo(points[2], points[3]);
    };
    if (!inside(-1, 0)) line(left, top, left, bottom);
    if (!inside(1, 0)) line(right, top, right, bottom);
    if (!inside(0, -1)) line(left, top, right, top);
    if (!inside(0, 1)) line(left, bottom, right, bottom);
  }
  context.lineCap = "square";
  for (const [style, extra] of [["#000", 2], ["#ffd500", 0]]) {
    context.strokeStyle = style;
    context.lineWidth = width + extra;
    context.stroke();
  }
}

/** The scale of a tensor's colours, with its numbers. */
export function legend(book, key, sample) {
  const { size } = book.range(key, sample);
  const picture = isPicture(book, key);
  const bar = h("span", { class: picture ? "ramp" : "ramp two-sided", "aria-hidden": "true" });
  const shades = picture ? [0, 0.5, 1] : [-1, -0.5, -0.2, 0, 0.2, 0.5, 1];
  bar.style.background = `linear-gradient(90deg, ${shades.map((share) => css(colour(share, 1, picture))).join(",")})`;
  if (!picture) bar.append(h("span", { class: "stripes" }));
  return h("span", { class: "legend" }, picture ? "0" : text(-size, 3), bar, text(size, 3));
}

/** What a plane shows, in words. */
export function describe(book, key, sample, layout, plane) {
  const found = book.range(key, sample, planeOffsets(layout, plane));
  if (!found.count) return `${layout.name(plane)}: its numbers are not in this file`;
  const below = found.negative ? `, ${found.negative} below zero` : ", none below zero";
  return `${layout.name(plane)}: ${layout.rows} × ${layout.cols}, from ${text(found.least, 3)} to ${text(found.most, 3)}, `
    + `mean ${text(found.sum / found.count, 3)}, ${found.zero} of ${found.count} are zero${below}`;
}

// A tensor as pictures: one plane for each channel, unit or filter.

const square = (n) => Math.ceil(Math.sqrt(n));

function wrapped(n) {
  return n <= 24 ? { rows: n, cols: 1 } : { rows: Math.ceil(n / square(n)), cols: square(n) };
}

/**
 * How one sample of a tensor is laid out: { rows, cols, planes, offset(plane, row, col), find(offset) }.
 * Offsets count numbers within the sample.
 */
export function layoutOf(book, key) {
  const { tensor } = book.split(key);
  const shape = tensor.shape;
  const weight = tensor.kind === "weight";
  if (shape.length === 4) {
    const [rows, cols, a, b] = shape;
    return {
      rows, cols, planes: a * b, name: (p) => `input ${p % a} → output ${Math.floor(p / a)}`,
      offset: (p, r, c) => ((r * cols + c) * a + (p % a)) * b + Math.floor(p / a),
      find: (o) => {
        const position = Math.floor(o / (a * b));
        return { plane: (o % b) * a + (Math.floor(o / b) % a), row: Math.floor(position / cols), col: position % cols };
      },
    };
  }
  if (shape.length === 3) {
    const [rows, cols, planes] = shape;
    return {
      rows, cols, planes, name: (p) => `channel ${p}`,
      offset: (p, r, c) => (r * cols + c) * planes + p,
      find: (o) => {
        const position = Math.floor(o / planes);
        return { plane: o % planes, row: Math.floor(position / cols), col: position % cols };
      },
    };
  }
  if (shape.length === 2 && weight) {
    const [n, planes] = shape;
    const { rows, cols } = wrapped(n);
    return {
      rows, cols, planes, name: (p) => `unit ${p}`,
      offset: (p, r, c) => (r * cols + c < n ? (r * cols + c) * planes + p : null),
      find: (o) => {
        const position = Math.floor(o / planes);
        return { plane: o % planes, row: Math.floor(position / cols), col: position % cols };
      },
    };
  }
  const n = shape.reduce((a, b) => a * b, 1);
  const { rows, cols } = shape.length === 2 ? { rows: shape[0], cols: shape[1] } : wrapped(n);
  return {
    rows, cols, planes: 1, name: () => (n === 1 ? "one number" : `${n} numbers`),
    offset: (p, r, c) => (r * cols + c < n ? r * cols + c : null),
    find: (o) => ({ plane: 0, row: Math.floor(o / cols), col: o % cols }),
  };
}

/** The offsets of one plane's numbers, within the sample. */
export function planeOffsets(layout, plane) {
  const offsets = [];
  for (let row = 0; row < layout.rows; row++) {
    for (let col = 0; col < layout.cols; col++) {
      const offset = layout.offset(plane, row, col);
      if (offset !== null) offsets.push(offset);
    }
  }
  return offsets;
}

/** Where a sample of a tensor begins. */
export function start(book, key, sample) {
  return book.split(key).tensor.samples === null ? 0 : sample * book.length(key);
}

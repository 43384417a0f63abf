// The trace as this file holds it: tensors by name, numbers by address.

const TYPES = { f4: Float32Array, f8: Float64Array, i4: Int32Array };

const SMALL = 50_000;

function bytesOf(id) {
  const element = document.getElementById(id);
  const plain = atob(element.textContent.trim());
  element.textContent = "";
  const bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpack(bytes, entry) {
  const Type = TYPES[entry.type];
  const grouped = await inflate(bytes.subarray(entry.at, entry.at + entry.bytes));
  const width = Type.BYTES_PER_ELEMENT;
  const plain = new Uint8Array(grouped.length);
  for (let byte = 0, from = 0; byte < width; byte++) {
    for (let to = byte; to < plain.length; to += width) plain[to] = grouped[from++];
  }
  return new Type(plain.buffer);
}

const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

export class Book {
  /** Read what the page carries: at first the small tensors, and when `rest` is there all. */
  static async open() {
    const json = new TextDecoder().decode(await inflate(bytesOf("book")));
    const strange = /"(NaN|-?Infinity)"/.test(json);
    const revive = (_, value) => (/^(NaN|-?Infinity)$/.test(value) ? Number(value) : value);
    const book = new Book(JSON.parse(json, strange ? revive : undefined));
    const bytes = bytesOf("numbers");
    const wanted = Object.entries(book.arrays);
    for (const account of Object.values(book.accounts)) if (account.each) wanted.push([null, account.each, account]);
    const load = ([key, entry, account]) => unpack(bytes, entry).then((numbers) => {
      if (account) account.each = numbers;
      else book.numbers.set(key, numbers);
    });
    const isSmall = ([, entry]) => entry.n <= SMALL;
    await Promise.all(wanted.filter(isSmall).map(load));
    book.rest = Promise.all(wanted.filter((each) => !isSmall(each)).map(load));
    return book;
  }

  constructor(data) {
    Object.assign(this, data);
    this.numbers = new Map();
    this.byName = new Map(this.tensors.map((tensor) => [tensor.name, tensor]));
    this.places = new Map();
    for (const [key, entry] of Object.entries(this.arrays)) {
      if (entry.planes) this.places.set(key, new Map(entry.planes.map((plane, i) => [plane, i])));
    }
    this.sizes = new Map();
  }

  /** The tensor and the quantity of "conv2d.kernel.grad". */
  split(key) {
    let name = key;
    while (!this.byName.has(name)) {
      const dot = name.lastIndexOf(".");
      if (dot < 0) return null;
      name = name.slice(0, dot);
    }
    return { tensor: this.byName.get(name), quantity: key.slice(name.length + 1) };
  }

  shape(key) {
    const { tensor } = this.split(key);
    return tensor.samples === null ? tensor.shape : [tensor.samples, ...tensor.shape];
  }

  /** How many numbers one sample of a tensor has. */
  length(key) {
    return product(this.split(key).tensor.shape);
  }

  has(key) {
    return this.numbers.has(key);
  }

  /** The number at an offset; undefined if this file does not hold it. */
  number(key, offset) {
    const numbers = this.numbers.get(key);
    if (!numbers) return undefined;
    const places = this.places.get(key);
    if (!places) return numbers[offset];
    const shape = this.shape(key);
    const last = shape[shape.length - 1];
    const place = places.get(offset % last);
    return place === undefined ? undefined : numbers[Math.floor(offset / last) * places.size + place];
  }

  /** The least, the largest and the largest in size of one sample's numbers; their mean and signs. */
  range(key, sample = 0, offsets = null) {
    const name = `${key}@${sample}`;
    if (!offsets && this.sizes.has(name)) return this.sizes.get(name);
    const length = this.length(key);
    const start = this.split(key).tensor.samples === null ? 0 : sample * length;
    const found = { least: Infinity, most: -Infinity, sum: 0, count: 0, negative: 0, zero: 0 };
    const see = (value) => {
      if (value === undefined) return;
      found.count++;
      if (!Number.isFinite(value)) return;
      found.sum += value;
      if (value < found.least) found.least = value;
      if (value > found.most) found.most = value;
      if (value < 0) found.negative++;
      if (value === 0) found.zero++;
    };
    if (offsets) for (const offset of offsets) see(this.number(key, start + offset));
    else for (let i = 0; i < length; i++) see(this.number(key, start + i));
    if (found.least > found.most) found.least = found.most = 0;
    found.size = Math.max(Math.abs(found.least), Math.abs(found.most));
    if (!offsets) this.sizes.set(name, found);
    return found;
  }

  // Addresses: { key, sample, index }; an offset counts numbers, samples included.

  offset({ key, sample, index }) {
    const shape = this.shape(key);
    const full = this.split(key).tensor.samples === null ? index : [sample, ...index];
    return full.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
  }

  address(key, offset) {
    const { tensor } = this.split(key);
    const full = [];
    for (const size of [...this.shape(key)].reverse()) {
      full.unshift(offset % size);
      offset = Math.floor(offset / size);
    }
    const sample = tensor.samples === null ? 0 : full.shift();
    return { key, sample, index: full };
  }

  format({ key, sample, index }) {
    const { tensor, quantity } = this.split(key);
    const at = tensor.samples !== null && sample ? `@${sample}` : "";
    return `${tensor.name}${at}${index.length ? `[${index.join(",")}]` : ""}${quantity ? `.${quantity}` : ""}`;
  }

  /** The address that a text means, or a sentence on why there is none. */
  parse(text) {
    const match = /^\s*([^[\]@]+?)\s*(?:@\s*(\d+)\s*)?(?:\[([^[\]]*)\])?((?:\.\w+)*)\s*$/.exec(text);
    if (!match) return `“${text}” is not an address. Write it like ${this.example()}.`;
    const split = this.split(match[1] + match[4]);
    if (!split) return `There is no “${match[1]}” here. There is: ${[...this.byName.keys()].join(", ")}.`;
    const { tensor, quantity } = split;
    if (quantity && !tensor.quantities.includes(quantity)) {
      return `${tensor.name} has no “${quantity}”${tensor.quantities.length ? `; it has ${tensor.quantities.join(", ")}` : ""}.`;
    }
    const sample = Number(match[2] ?? 0);
    if (sample >= (tensor.samples ?? 1)) return `${tensor.name} has the samples 0–${(tensor.samples ?? 1) - 1}.`;
    const index = match[3] === undefined ? tensor.shape.map(() => 0) : match[3].split(",").filter((s) => s.trim()).map(Number);
    const fits = index.length === tensor.shape.length
      && index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < tensor.shape[axis]);
    if (!fits) return `The indices of ${tensor.name} are [${tensor.shape.map((n) => `0–${n - 1}`).join(", ")}].`;
    return { key: quantity ? `${tensor.name}.${quantity}` : tensor.name, sample, index };
  }

  example() {
    const tensor = this.tensors.find((t) => t.kind === "result" && t.shape.length) ?? this.tensors[0];
    return this.format({ key: tensor.name, sample: 0, index: tensor.shape.map(() => 0) });
  }
}

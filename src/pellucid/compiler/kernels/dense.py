"""Products with a matrix, over the batch: blocked so that the matrix is read from memory once.

Two products of a dense layer are one form, with rows of samples in the place of pixels:

* y (N, U) = x (N, I) · W (I, U);
* dx (N, I) = dy (N, U) · Wᵀ, whose panels of W are turned on their side as they are copied.

The third one, dW = xᵀ · dy, is in `_dense_gradient.py`.

**Blocking**: a piece of work is a block of columns (V vectors, one tile wide) by a block of rows.
Inside it the sum is cut into runs of about `DEPTH`: the panel of the matrix in use, DEPTH × V
vectors (32 KB), stays near while the rows, P at a time, go past it. Floor: N·I·U multiply-adds; the
matrix is read once for every block of rows, from L2 or L3.

Where sums are long and columns few, as behind the pixels of a convolution, there would be two or
three pieces for all threads. A piece is then a part of the sum for some rows of samples, and the
parts are added up in order, sample by sample. So a thread reads the rows of W that it changed in
the step before, and of x only the columns that belong to them: half as much or less comes out of
other processors' caches.

More than one row of numbers for each sample are pixels: `_pointwise.py` has their products.

A small matrix (`SMALL`) is multiplied by each chunk of the batch on its own, without waiting for
the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value
from pellucid.compiler.kernels import _pointwise, activation
from pellucid.compiler.kernels._dense_gradient import bias_backward, weights_backward
from pellucid.compiler.kernels._tiles import (
    Run,
    Taps,
    across,
    block_of,
    lanes_of,
    most_pixels,
    multiply_accumulate,
)
from pellucid.compiler.kernels._transpose import transpose
from pellucid.compiler.kernels.activation import gated, slope_from_output

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place, Split
    from pellucid.graph import Node

__all__ = ["backward", "forward", "fuses", "gates"]

SMALL = 16_384
DEPTH = 128
ROWS = 64
TURNED_ROWS = 128
"""Rows of samples in a piece of work; more where each piece has to turn its part of the matrix."""
PARTS, ROWS_OF_PART = 4, 32
"""How many parts a long sum is cut into, and rows of samples in a piece of such work."""
ONE = (Taps(1, 0, 0), Taps(1, 0, 0))

Finish = Callable[[Value, Index, int, int], Value]
"""(a vector of sums, its row, its first column, how many lanes are used) → what is stored."""


def fuses(group: Group, follower: Node, training: bool) -> bool:
    """Pooling after a dense product: there is none."""
    return False


def gates(b: Builder, group: Group) -> bool:
    """Whether the backward pass begins at the gradient before the activation."""
    return True


def _wide(b: Builder) -> int:
    """Return how many columns a block has: one tile."""
    width = b.target.width
    return (4 if width.registers == 32 else 2) * width.lanes


def _in_tiles(f: Function, rows: Index, v: int, body: Callable[[Index, int], None]) -> None:
    """Write `body(first row, how many)` for all rows: in large tiles, the rest in smaller ones."""
    most = min(most_pixels(f.module.width, 10**6, v), 8)
    done: Index = 0
    for size in sorted({most, min(2, most), 1}, reverse=True):
        whole = (rows - done) // size
        with f.each(whole) as i:
            body(i * size + done, size)
        done = whole * size + done


class _Matrix:
    """The matrix of a product, (depth, outputs) in memory or, `turned`, (outputs, depth)."""

    def __init__(self, f: Function, w: Address, row: int, outputs: int, turned: bool) -> None:
        self.f, self.w, self.row, self.outputs, self.turned = f, w, row, outputs, turned
        self.wide = -(-outputs // f.lanes) * f.lanes
        if turned:
            self.panel = f.room(DEPTH * self.wide)

    def part(self, begin: Index, length: int) -> tuple[Address, int]:
        """Return where rows begin … of the matrix are, and how far it is from one to the next."""
        if not self.turned:
            return self.w + begin * self.row, self.row
        transpose(self.f, self.w + begin, self.row, self.panel, self.wide, self.outputs, length)
        return self.panel, self.wide


def product(
    f: Function,
    x: Address,
    x_row: int,
    matrix: _Matrix,
    y: Address,
    y_row: int,
    rows: Value,
    depth: int,
    *,
    bias: Address | None = None,
    add: bool = False,
    finish: Finish | None = None,
    guard: Callable[[list[Value]], None] | None = None,
) -> None:
    """Write y = finish(x · matrix + bias) for some rows and one block of at most V vectors.

    y begins as the bias, grows with each run of at most `DEPTH` products, and is finished with the
    last; its rows stay in L1 all the while. `guard` is shown what is stored.
    """
    outputs = matrix.outputs
    counts = [lanes_of(f, i, outputs) for i in range(-(-outputs // f.lanes))]
    length, pieces, rest = _pieces(depth, f.lanes if matrix.turned else 1)

    def first(size: int) -> list[Value]:
        if bias is None:
            return [f.zero()] * (size * len(counts))
        return [bias.load(f.lanes * i, n) for i, n in enumerate(counts)] * size

    def store(sums: list[Value], row: Index) -> None:
        target = y + row * y_row
        for k, value in enumerate(sums):
            r, i = divmod(k, len(counts))
            target.store(value, r * y_row + f.lanes * i, counts[i])

    def store_last(sums: list[Value], row: Index) -> None:
        if finish is not None:
            sums = [
                finish(value, row + k // len(counts), f.lanes * i, counts[i])
                for k, value in enumerate(sums)
                for i in [k % len(counts)]
            ]
        store(sums, row)
        if guard is not None:
            guard(sums)

    def piece(begin: Index, long: int, last: Value | bool) -> None:
        weights, w_row = matrix.part(begin, long)
        here = x + begin

        def body(row: Index, size: int) -> None:
            source, target = here + row * x_row, y + row * y_row
            start = first(size)
            if add or not at_once:
                start = [
                    target.load(r * y_row + f.lanes * i, n)
                    for r in range(size)
                    for i, n in enumerate(counts)
                ]
            places = [r * x_row for r in range(size)]
            run = Run(ONE, long, w_row)
            sums = multiply_accumulate(f, run, source, weights, places, counts, start)
            if isinstance(last, Value):
                with f.when(last):
                    store_last(sums, row)
                with f.when(last.equals(0)):
                    store(sums, row)
            else:
                (store_last if last else store)(sums, row)

        _in_tiles(f, rows, len(counts), body)

    at_once = pieces == 1 and not rest
    if not at_once and not add:
        with f.each(rows) as r:
            for i, value in enumerate(first(1)):
                y.store(value, r * y_row + f.lanes * i, counts[i])
    with f.each(pieces) as k:
        plain = finish is None and guard is None
        ends = not rest and not plain
        piece(k * length, length, k.equals(pieces - 1) if ends and isinstance(k, Value) else ends)
    if rest:
        piece(pieces * length, rest, True)


def _pieces(depth: int, unit: int) -> tuple[int, int, int]:
    """Return the length and number of the runs that a sum is cut into, and what is left.

    Runs are multiples of `unit`, and at most `DEPTH`; where they can be, all are of one length.
    """
    least = -(-depth // DEPTH)
    for pieces in range(least, 2 * least + 1):
        if depth % pieces == 0 and (pieces == 1 or depth // pieces % unit == 0):
            return depth // pieces, pieces, 0
    length = -(-depth // least // unit) * unit
    return length, depth // length, depth % length


def _block_of_rows(f: Function, number: Value, size: int, batch: Value) -> tuple[Value, Value]:
    """Return the first row of the block of this number, and how many it has: the last has fewer."""
    first = number * size
    left = batch - first
    return first, f.select(left < size, left, size)


def _add_product(
    b: Builder,
    layer: str,
    key: tuple[Any, ...],
    x: Place,
    w: Place,
    y: Place,
    sizes: tuple[int, int],
    *,
    bias: Place | None = None,
    add: bool = False,
    turned: bool = False,
    seen: Sequence[Place] = (),
    finish: Callable[[Function, Sequence[Address], Index], Finish] | None = None,
    guarded: bool = False,
) -> None:
    """Add the job y = finish(x · w + bias), with w (depth, outputs) or, `turned`, (outputs, depth).

    `finish` is given the addresses of `seen` where the block of rows and columns begins, and the
    block's first column. `guarded` says that y shall be looked at for numbers that are too large.
    """
    flag = b.updates.guard(y) if guarded and b.updates is not None else None
    depth, outputs = sizes
    small = depth * outputs <= SMALL
    wide = _wide(b)
    columns = -(-outputs // wide)
    block = TURNED_ROWS if turned else ROWS

    def write(f: Function, first: Index, rows: Value, column: Index, count: int) -> None:
        x_at, w_at, y_at, *rest = f.arguments
        bias_at = rest.pop(0) + column if bias is not None else None
        flag_at = rest.pop(0) if flag is not None else None

        def guard(values: list[Value]) -> None:
            assert b.updates is not None
            assert flag_at is not None
            b.updates.look(f, values, flag_at)

        others = [
            address + (first * place.stride + column if place.extent == "sample" else 0)
            for address, place in zip(rest, seen, strict=False)
        ]
        matrix = _Matrix(
            f, w_at + (column * depth if turned else column), depth if turned else outputs,
            count, turned,
        )  # fmt: skip
        product(
            f, x_at + first * x.stride, x.stride, matrix, y_at + first * y.stride + column,
            y.stride, rows, depth, bias=bias_at, add=add,
            finish=None if finish is None else finish(f, others, column),
            guard=None if flag is None else guard,
        )  # fmt: skip

    def emit_range(f: Function) -> None:
        whole, rest = divmod(outputs, wide)
        if whole:
            with f.each(whole) as k:
                write(f, 0, f.arguments[-1], k * wide, wide)
        if rest:
            write(f, 0, f.arguments[-1], whole * wide, rest)

    def emit_item(f: Function) -> None:
        item, batch = f.arguments[-2], f.arguments[-1]
        first, rows = _block_of_rows(f, item // columns, block, batch)
        block_of(
            f, outputs, item % columns, wide, lambda column, n: write(f, first, rows, column, n)
        )

    places = [place for place in (x, w, y, bias, flag, *seen) if place is not None]
    layouts = tuple(place.stride for place in (x, y, *seen))
    how: Split = "range" if small else "item"
    b.schedule.add(
        layer, (*key, layouts, *sizes, bias is None, add, turned, guarded), how, places, [y],
        emit_range if small else emit_item,
        count=lambda batch: columns * -(-batch // block), macs=depth * outputs,
    )  # fmt: skip


def forward(b: Builder, group: Group) -> None:
    """Add the jobs of the forward pass."""
    if len(group.output.shape) > 2:
        _pointwise.forward(b, group)
        return
    node = group.node
    x, w, y = b.place(node.inputs[0]), b.place(node.inputs[1]), b.place(group.output)
    bias = None if node.inputs[2] is None else b.place(node.inputs[2])
    act = group.activation

    depth, outputs = w.shape
    if depth * outputs > SMALL and depth >= PARTS * DEPTH and outputs <= 2 * _wide(b):
        _add_parts(b, group, x, w, y, bias)
        return

    def finish(f: Function, seen: Sequence[Address], column: Index) -> Finish:
        return lambda value, row, k, n: activation.apply(f, act, value)

    _add_product(
        b, group.layer, ("dense", act), x, w, y, (depth, outputs), bias=bias,
        finish=None if act is None else finish,
    )  # fmt: skip


def _add_parts(b: Builder, group: Group, x: Place, w: Place, y: Place, bias: Place | None) -> None:
    """Add the jobs of y = f(x · w + bias) by parts: products of some rows of w, then their sums."""
    depth, outputs = w.shape
    act, wide = group.activation, _wide(b)
    length = -(-depth // PARTS)
    count = -(-depth // length)
    parts = b.extra(group, "parts", (count, outputs))

    def emit(f: Function) -> None:
        x_at, w_at, parts_at, item, batch = f.arguments
        blocks = (batch + (ROWS_OF_PART - 1)) // ROWS_OF_PART
        number = item // blocks
        first, rows = _block_of_rows(f, item % blocks, ROWS_OF_PART, batch)

        def part(begin: Index, long: int) -> None:
            def columns(column: Index, n: int) -> None:
                matrix = _Matrix(f, w_at + begin * outputs + column, outputs, n, False)
                y_at = parts_at + first * parts.stride + number * outputs + column
                x_from = x_at + first * x.stride + begin
                product(f, x_from, x.stride, matrix, y_at, parts.stride, rows, long)

            with f.each(-(-outputs // wide)) as block:
                block_of(f, outputs, block, wide, columns)

        block_of(f, depth, number, length, part)

    b.schedule.add(
        group.layer, ("dense_parts", x.stride, depth, outputs), "item", [x, w, parts], [parts],
        emit, count=lambda batch: count * -(-batch // ROWS_OF_PART), macs=depth * outputs,
    )  # fmt: skip

    def emit_sum(f: Function) -> None:
        parts_at, y_at, *bias_at = f.arguments
        for column, counts in across(f, outputs, 4):
            for i, n in enumerate(counts):
                here = column + f.lanes * i
                total = bias_at[0].load(here, n) if bias_at else f.zero()
                for k in range(count):
                    total = total + parts_at.load(here + k * outputs, n)
                y_at.store(activation.apply(f, act, total), here, n)

    b.schedule.add(
        group.layer, ("dense_sum", act, count, outputs, bias is None), "sample",
        [place for place in (parts, y, bias) if place is not None], [y], emit_sum,
    )  # fmt: skip


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    if len(group.output.shape) > 2:
        _pointwise.backward(b, group)
        return
    node = group.node
    dz = gated(b, group)
    x, w = b.place(node.inputs[0]), b.place(node.inputs[1])
    if b.wants(node.inputs[0]):
        _data_backward(b, group, w, dz)
    weight, bias = node.inputs[1:]
    if weight is not None and b.wants(weight):
        weights_backward(b, group, weight, x, dz)
    if bias is not None and b.wants(bias):
        bias_backward(b, group, bias, dz)


def _data_backward(b: Builder, group: Group, w: Place, dz: Place) -> None:
    """Add the job dx = dz · Wᵀ; gated at once, where the layer before alone wants it, and so."""
    source = group.node.inputs[0]
    assert source is not None
    depth, outputs = w.shape
    turned = depth * outputs > SMALL
    if not turned:
        w = _turned(b, group, w, depth, outputs)
    maker = b.maker_alone(source)
    dx, add = b.claim(source)
    gates_of = getattr(maker and maker.kernels, "gates", None)
    if maker is None or gates_of is None or not gates_of(b, maker):
        _add_product(
            b, group.layer, ("dense_data",), dz, w, dx, (outputs, depth), add=add, turned=turned
        )
        return
    act, y = maker.activation, b.place(source)
    b.gated.add(maker)

    def finish(f: Function, seen: Sequence[Address], column: Index) -> Finish:
        def gate(value: Value, row: Index, k: int, n: int) -> Value:
            return slope_from_output(f, act, value, seen[0].load(row * y.stride + k, n))

        return gate

    _add_product(
        b, group.layer, ("dense_data_gated", act), dz, w, dx, (outputs, depth), turned=turned,
        seen=[y], finish=finish, guarded=b.updates is not None and maker.kernels is group.kernels,
    )  # fmt: skip


def _turned(b: Builder, group: Group, w: Place, depth: int, outputs: int) -> Place:
    """Return the transposed matrix (U, I)."""
    turned = b.schedule.place(f"{w.name} (transposed)", (outputs, depth), extent="whole")

    def emit(f: Function) -> None:
        source, target, *_ = f.arguments
        with f.each(depth) as i, f.each(outputs) as j:
            target.put(source.get(i * outputs + j), j * depth + i)

    b.schedule.add(
        group.layer, ("transpose_matrix", depth, outputs), "item", [w, turned], [turned], emit,
        count=lambda _: 1,
    )  # fmt: skip
    return turned

"""Products with a matrix, over the batch: blocked so that the matrix is read from memory once.

The three products of a dense layer are one form, with rows of samples in the place of pixels:

* y (N, U) = x (N, I) · W (I, U);
* dx (N, I) = dy (N, U) · Wᵀ, with W transposed first (one pass over it, squares in registers);
* dW (I, U) = xᵀ · dy, summed over the batch in order.

**Blocking** of the first two: a piece of work is a block of columns (V vectors, one tile wide) by a
block of rows. Inside it the sum is cut into runs of `DEPTH` so that the part of the matrix in use,
DEPTH × V vectors (32 KB), stays in L1 while the rows, P at a time, go past it. Floor: N·I·U
multiply-adds; the matrix is read once for every block of rows, from L2 or L3.

**dW**: a piece is `BLOCK` rows of dW; tiles of P × V vectors stay in registers over the batch.

A small matrix (`SMALL`) is multiplied by each chunk of the batch on its own, without waiting for
the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value, Width
from pellucid.compiler.kernels import activation
from pellucid.compiler.kernels._sweep import Sweep, bias_gradient, weight_gradient
from pellucid.compiler.kernels._tiles import (
    Run,
    Taps,
    lanes_of,
    most_pixels,
    multiply_accumulate,
)
from pellucid.compiler.kernels._transpose import transpose
from pellucid.compiler.kernels.activation import gated

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place, Split
    from pellucid.graph import Node
    from pellucid.ops.activation import Activation

__all__ = ["backward", "forward", "fuses", "refusal"]

SMALL = 16_384
DEPTH = 128
BLOCK = 24
ONE = (Taps(1, 0, 0), Taps(1, 0, 0))


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    x = node.inputs[0]
    return None if x is not None and len(x.shape) == 2 else "dense on more than two axes"


def fuses(group: Group, follower: Node, training: bool) -> bool:
    """Pooling after a dense product: there is none."""
    return False


def _tile(width: Width, outputs: int) -> tuple[int, int]:
    """Return rows and vectors of the tile for long sums and so many columns."""
    v = min(4 if width.registers == 32 else 2, -(-outputs // width.lanes))
    return most_pixels(width, 10**6, v), v


def _row_block(depth: int) -> int:
    """Return how many rows one piece of work has."""
    return 24 if depth > 512 else 96


def _in_tiles(f: Function, rows: Index, p: int, body: Callable[[Index, int], None]) -> None:
    """Write `body(first row, how many)` for all rows: tiles of p, then of 2, then of 1."""
    done: Index = 0
    for size in sorted({p, min(2, p), 1}, reverse=True):
        left = rows - done
        whole = left // size
        with f.each(whole) as i:
            body(i * size + done, size)
        done = whole * size + done


def product(
    f: Function,
    x: Address,
    x_row: int,
    w: Address,
    w_row: int,
    y: Address,
    y_row: int,
    rows: Value,
    depth: int,
    outputs: int,
    tile: tuple[int, int],
    *,
    bias: Address | None = None,
    add: bool = False,
    act: Callable[[Value], Value] | None = None,
) -> None:
    """Write y = act(x · w + bias) for some rows and one block of at most V vectors of columns.

    y begins as the bias, grows with each run of `DEPTH` products, and is activated at the end; its
    rows stay in L1 all the while.
    """
    p, v = tile
    counts = [lanes_of(f, i, outputs) for i in range(min(v, -(-outputs // f.lanes)))]
    pieces = -(-depth // DEPTH)
    at_once = pieces == 1

    def first(size: int) -> list[Value]:
        if bias is None:
            return [f.zero()] * (size * len(counts))
        return [bias.load(f.lanes * i, n) for i, n in enumerate(counts)] * size

    if not at_once and not add:
        with f.each(rows) as r:
            for i, value in enumerate(first(1)):
                y.store(value, r * y_row + f.lanes * i, counts[i])

    with f.each(pieces) as piece:
        begin = piece * DEPTH
        left = depth - begin
        length: Any = left if isinstance(left, int) else f.select(left < DEPTH, left, DEPTH)
        here, weights = x + begin, w + begin * w_row

        def body(row: Index, size: int) -> None:
            source, target = here + row * x_row, y + row * y_row
            start = first(size)
            if add or not at_once:
                start = [
                    target.load(r * y_row + f.lanes * i, n)
                    for r in range(size)
                    for i, n in enumerate(counts)
                ]
            run = Run(ONE, length, w_row)
            places = [r * x_row for r in range(size)]
            sums = multiply_accumulate(f, run, source, weights, places, counts, start)
            for k, value in enumerate(sums):
                r, i = divmod(k, len(counts))
                if at_once and act is not None:
                    value = act(value)
                target.store(value, r * y_row + f.lanes * i, counts[i])

        _in_tiles(f, rows, p, body)
    if not at_once and act is not None:
        with f.each(rows) as r:
            for i, n in enumerate(counts):
                place = r * y_row + f.lanes * i
                y.store(act(y.load(place, n)), place, n)


def _blocks_of_columns(
    f: Function, outputs: int, block: Index, width: int, body: Callable[[Index, int], None]
) -> None:
    """Write `body(first column, how many)` for the block of this number; the last may be narrow."""
    whole, rest = divmod(outputs, width)
    if isinstance(block, int):
        body(block * width, min(width, outputs - block * width))
        return
    if whole:
        with f.when(block < whole):
            body(block * width, width)
    if rest:
        with f.when(block >= whole):
            body(whole * width, rest)


def _add_product(
    b: Builder,
    group: Group,
    word: str,
    x: Place,
    w: Place,
    y: Place,
    depth: int,
    outputs: int,
    bias: Place | None,
    add: bool,
    act: Activation | None,
) -> None:
    """Add the job y = act(x · w + bias)."""
    small = depth * outputs <= SMALL
    width = b.target.width
    lanes = width.lanes
    wide = 4 if width.registers == 32 else 2

    def write(
        f: Function,
        x_at: Any,
        w_at: Any,
        y_at: Any,
        bias_at: Any,
        rows: Any,
        column: Index,
        count: int,
    ) -> None:
        product(
            f, x_at, x.stride, w_at + column, outputs, y_at + column, y.stride, rows, depth, count,
            _tile(width, count), bias=None if bias_at is None else bias_at + column, add=add,
            act=None if act is None else lambda value: activation.apply(f, act, value),
        )  # fmt: skip

    columns = -(-outputs // (wide * lanes))
    block = _row_block(depth)

    def emit_range(f: Function) -> None:
        x_at, w_at, y_at, *rest = f.arguments
        bias_at = rest[0] if bias is not None else None
        for k in range(columns):
            column = k * wide * lanes
            write(
                f,
                x_at,
                w_at,
                y_at,
                bias_at,
                f.arguments[-1],
                column,
                min(wide * lanes, outputs - column),
            )

    def emit_item(f: Function) -> None:
        x_at, w_at, y_at, *rest = f.arguments
        bias_at = rest[0] if bias is not None else None
        item, batch = f.arguments[-2], f.arguments[-1]
        first = item // columns * block
        left = batch - first
        rows = f.select(left < block, left, block)

        def body(column: Index, count: int) -> None:
            write(
                f,
                x_at + first * x.stride,
                w_at,
                y_at + first * y.stride,
                bias_at,
                rows,
                column,
                count,
            )

        _blocks_of_columns(f, outputs, item % columns, wide * lanes, body)

    places = [place for place in (x, w, y, bias) if place is not None]
    key = (word, x.stride, y.stride, depth, outputs, bias is None, add, act)
    how: Split = "range" if small else "item"
    b.schedule.add(
        group.layer, key, how, places, [y], emit_range if small else emit_item,
        count=lambda batch: columns * -(-batch // block), macs=depth * outputs,
    )  # fmt: skip


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node = group.node
    x, w, y = b.place(node.inputs[0]), b.place(node.inputs[1]), b.place(group.output)
    bias = None if node.inputs[2] is None else b.place(node.inputs[2])
    depth, outputs = w.shape
    _add_product(b, group, "dense", x, w, y, depth, outputs, bias, False, group.activation)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    node = group.node
    dz = gated(b, group)
    x, w = b.place(node.inputs[0]), b.place(node.inputs[1])
    depth, outputs = w.shape
    if b.wants(node.inputs[0]):
        turned = _turned(b, group, w, depth, outputs)
        dx, add = b.claim(node.inputs[0])
        _add_product(b, group, "dense_data", dz, turned, dx, outputs, depth, None, add, None)
    if b.wants(node.inputs[1]):
        _weights_backward(b, group, x, dz, depth, outputs)
    if b.wants(node.inputs[2]):
        db, add = b.weight_gradient(node.inputs[2])
        s = Sweep(1, 1, outputs, 0, 0, 0, 0, Run(ONE, 1, 0))

        def emit(f: Function) -> None:
            gradient, target, _, batch = f.arguments
            bias_gradient(f, s, gradient, target, batch, dz.stride, fresh=not add)

        key = ("dense_bias", outputs, dz.stride, add)
        b.schedule.add(group.layer, key, "item", [dz, db], [db], emit, count=lambda _: 1)


def _weights_backward(
    b: Builder, group: Group, x: Place, dz: Place, depth: int, outputs: int
) -> None:
    dw, add = b.weight_gradient(group.node.inputs[1])

    def emit(f: Function) -> None:
        image, gradient, target, item, batch = f.arguments

        def body(first: Index, count: int) -> None:
            s = Sweep(1, 1, outputs, 0, 0, 0, 0, Run(ONE, count, outputs))
            weight_gradient(
                f, s, image + first, gradient, target + first * outputs,
                batch, x.stride, dz.stride, fresh=not add,
            )  # fmt: skip

        _blocks_of_columns(f, depth, item, BLOCK, body)

    key = ("dense_weights", x.stride, dz.stride, depth, outputs, add)
    b.schedule.add(
        group.layer, key, "item", [x, dz, dw], [dw], emit,
        count=lambda _: -(-depth // BLOCK), macs=depth * outputs,
    )  # fmt: skip


def _turned(b: Builder, group: Group, w: Place, depth: int, outputs: int) -> Place:
    """Return the transposed matrix (U, I)."""
    turned = b.schedule.place(f"{w.name} (transposed)", (outputs, depth), extent="whole")
    lanes = b.target.width.lanes

    def emit(f: Function) -> None:
        source, target, item, _ = f.arguments

        def body(first: Index, count: int) -> None:
            transpose(f, source + first * outputs, outputs, target + first, depth, count, outputs)

        _blocks_of_columns(f, depth, item, lanes, body)

    b.schedule.add(
        group.layer, ("transpose_matrix", depth, outputs), "item", [w, turned], [turned], emit,
        count=lambda _: -(-depth // lanes),
    )  # fmt: skip
    return turned

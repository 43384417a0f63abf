"""Gradients of a dense layer's matrix and bias, summed over the batch in order: dW = xᵀ · dy.

A piece is at most `BLOCK` rows of dW; tiles of P × V vectors stay in registers over the batch.
Where the optimiser is compiled and nothing else adds to the gradient, its step is taken on the tile
while it is there: no gradient is written or read (`_update.py` tells how a step is refused). Floor:
N·I·U multiply-adds; weights and slots are read and written once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Address, Function, Index, Value
from pellucid.compiler.kernels._tiles import across, block_of, lanes_of, split, tile_cost
from pellucid.compiler.kernels._update import Ahead, Taken, take_gradient

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.graph import Value as Tensor

__all__ = ["bias_backward", "weights_backward"]

BLOCK = 24
RUN = 8
"""How many samples are summed between two looks at what else is to do."""

Step = Callable[[Index, list[Value]], list[Value]]


def weights_backward(b: Builder, group: Group, weight: Tensor, x: Place, dz: Place) -> None:
    """Add the job dW = xᵀ · dz, or the optimiser's step with it."""
    depth, outputs = b.place(weight).shape
    block = _rows_of_gradient(depth)

    def emit(f: Function, ahead: Ahead, taken: Taken) -> None:
        image, gradient, *_, item, batch = f.arguments

        def body(first: Index, count: int) -> None:
            corner = first * outputs
            _gradient(
                f, image + first, x.stride, gradient, dz.stride, batch, count, outputs,
                lambda place: ahead(corner + place),
                lambda found: taken([(value, corner + place, n) for value, place, n in found]),
            )  # fmt: skip

        block_of(f, depth, item, block, body)

    take_gradient(
        b, group.layer, weight, ("dense_weights", x.stride, dz.stride, depth, outputs),
        [x, dz], emit, count=-(-depth // block), macs=depth * outputs,
    )  # fmt: skip


def _rows_of_gradient(depth: int) -> int:
    """Return how many rows of dW make a piece.

    Rows that are left over need code of their own, so that a number of rows is chosen that leaves
    none, if there is one; it is not much below `BLOCK`, for every piece reads all of dz.
    """
    fitting = (rows for rows in range(BLOCK, 2 * BLOCK // 3 - 1, -1) if depth % rows == 0)
    return next(fitting, BLOCK)


def bias_backward(b: Builder, group: Group, bias: Tensor, dz: Place) -> None:
    """Add the job db = Σ dz, or the optimiser's step with it."""
    (outputs,) = b.place(bias).shape

    def emit(f: Function, ahead: Ahead, taken: Taken) -> None:
        gradient, *_, batch = f.arguments
        for column, counts in across(f, outputs, 8):
            here = gradient + column

            def step(
                s: Index, acc: list[Value], here: Address = here, counts: list[int] = counts
            ) -> list[Value]:
                row = here + s * dz.stride
                return [a + row.load(f.lanes * i, counts[i]) for i, a in enumerate(acc)]

            sums = f.carry(batch, [f.zero()] * len(counts), step)
            taken([(a, column + f.lanes * i, counts[i]) for i, a in enumerate(sums)])

    take_gradient(b, group.layer, bias, ("dense_bias", dz.stride, outputs), [dz], emit, count=1)


def _gradient(
    f: Function,
    x: Address,
    x_row: int,
    dz: Address,
    dz_row: int,
    samples: Value,
    rows: int,
    outputs: int,
    ahead: Ahead,
    taken: Taken,
) -> None:
    """Write some rows of xᵀ · dz, tile by tile, to `taken`; `samples` must be at least 1."""
    in_vectors = -(-outputs // f.lanes)
    registers = f.module.width.registers

    def most(v: int) -> int:
        return max(1, min((registers - v - 1) // v, 14))

    def cost(v: int) -> float:
        wide = split(in_vectors, v)
        return sum(
            tile_cost(p, k) * n * nk for _, p, n in split(rows, most(v)) for _, k, nk in wide
        )

    v = min(range(min(4, in_vectors), 0, -1), key=cost)  # wide rows: lines that follow each other
    tile = f.room(registers * f.lanes)  # read row by row: what is done to a vector is written once
    runs = (samples + (RUN - 1)) // RUN
    waiting, corner_of = (Address(f, "i64", f.line("alloca i64")) for _ in range(2))
    whole, rest = divmod(outputs, v * f.lanes)
    last = [lanes_of(f, i, rest) for i in range(-(-rest // f.lanes))]
    for begin, blocks, counts in ((0, whole, [f.lanes] * v), (outputs - rest, 1, last)):
        if not (blocks and counts):
            continue

        def take(r: Index, counts: list[int] = counts) -> None:
            at, to = tile + r * (len(counts) * f.lanes), corner_of.get() + r * outputs
            taken([(at.load(f.lanes * i), to + f.lanes * i, m) for i, m in enumerate(counts)])

        waiting.put(0)
        with f.each(blocks) as block:
            column = block * (v * f.lanes) + begin
            for first, p, n in split(rows, most(v)):
                with f.each(n) as k:
                    row = k * p + first
                    corner = row * outputs + column
                    here, there = x + row, dz + column

                    def step(
                        s: Index,
                        acc: list[Value],
                        here: Address = here,
                        there: Address = there,
                        p: int = p,
                        counts: Sequence[int] = counts,
                    ) -> list[Value]:
                        numbers, gradients = here + s * x_row, there + s * dz_row
                        given = [gradients.load(f.lanes * i, m) for i, m in enumerate(counts)]
                        return [
                            f.fma(number, dy, acc[r * len(given) + i])
                            for r in range(p)
                            for number in [numbers.broadcast(r)]
                            for i, dy in enumerate(given)
                        ]

                    def some(
                        run: Index,
                        acc: list[Value],
                        corner: Index = corner,
                        p: int = p,
                        counts: Sequence[int] = counts,
                        step: Step = step,
                        take: Callable[[Index], None] = take,
                    ) -> list[Value]:
                        # One row of this tile is fetched, and one of the tile before is taken:
                        # divisions and roots, and waiting for memory, go on beside the products.
                        with f.when(f.constant(0, "i64") + run < p):
                            for i in range(len(counts)):
                                ahead(corner + run * outputs + f.lanes * i)
                        with f.when(f.constant(0, "i64") + run < waiting.get()):
                            take(run)
                        left = samples - run * RUN
                        return f.carry(
                            f.select(left < RUN, left, RUN), acc,
                            lambda s, acc: step(run * RUN + s, acc),
                        )  # fmt: skip

                    sums = f.carry(runs, [f.zero()] * (p * len(counts)), some)
                    with f.each(waiting.get() - runs) as r:  # where there are few samples
                        take(runs + r)
                    for i, value in enumerate(sums):
                        tile.store(value, f.lanes * i)
                    waiting.put(p)
                    corner_of.put(corner)
        with f.each(waiting.get()) as r:
            take(r)

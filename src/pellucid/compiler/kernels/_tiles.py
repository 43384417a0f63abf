"""Register tiles: how products of matrices and windows are kept in vector registers.

Every product here has the form

    y[p, o] += Σ_k  x[place(p) + k] · w[k, o]

for some pixels (or rows) p and outputs o. A tile is P pixels by V vectors of outputs, held in P·V
registers while k runs: each step loads V vectors of weights, broadcasts P numbers of x, and does
P·V multiply-adds. Two multiply-adds and two loads go through a core in one cycle, and a
multiply-add takes four cycles, so that a tile should be as large as the registers allow (P·V + V
weights + 1 broadcast), and at least eight accumulators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pellucid.compiler.ir import Address, Function, Index, Value, Width, blocks

__all__ = [
    "Run",
    "Taps",
    "across",
    "block_of",
    "lanes_of",
    "multiply_accumulate",
    "parts_for",
    "tile_cost",
    "vectors",
]

PART = 2500
"""About how many cycles of work are worth handing to a thread by themselves."""


@dataclass(frozen=True)
class Taps:
    """One axis of a window: how many taps, and how far x and w move from one to the next."""

    count: int
    x: int
    w: int


@dataclass(frozen=True)
class Run:
    """What a sum runs over: two axes of taps, and `depth` numbers that lie side by side in x.

    Attributes:
        taps: The axes, outer first.
        depth: How many numbers lie side by side in x under each tap; see `total`.
        w_depth: How far w moves from one of them to the next.
    """

    taps: tuple[Taps, Taps]
    depth: int
    w_depth: int

    @property
    def total(self) -> int:
        """How many products one output takes; a depth known to the machine alone counts as many."""
        if isinstance(self.depth, Value):
            return 10**6
        return self.taps[0].count * self.taps[1].count * self.depth

    @property
    def joined(self) -> Run:
        """The same with an axis that goes on where the one inside it ends made part of it."""
        rows, columns = self.taps
        depth = self.depth
        if isinstance(depth, Value):
            return self
        if columns.count == 1 or (columns.x == depth and columns.w == depth * self.w_depth):
            depth *= columns.count
            columns = Taps(1, 0, 0)
            if rows.count == 1 or (rows.x == depth and rows.w == depth * self.w_depth):
                return Run((Taps(1, 0, 0), columns), depth * rows.count, self.w_depth)
        return Run((rows, columns), depth, self.w_depth)

    def places(self) -> list[tuple[int, int]]:
        """Every (offset in x, offset in w), in order."""
        rows, columns = self.taps
        assert isinstance(self.depth, int)
        return [
            (r * rows.x + c * columns.x + k, r * rows.w + c * columns.w + k * self.w_depth)
            for r in range(rows.count)
            for c in range(columns.count)
            for k in range(self.depth)
        ]


def vectors(f: Function, outputs: int) -> int:
    """Return how many vectors hold so many numbers."""
    return -(-outputs // f.lanes)


def lanes_of(f: Function, vector: int, total: int) -> int:
    """Return how many lanes of a vector are used when `total` numbers lie in vectors."""
    return min(f.lanes, total - vector * f.lanes)


def unrolled(width: Width, total: int, v: int) -> bool:
    """Whether a sum is so short that its weights can stay in registers from tile to tile."""
    return total * v <= width.registers // 2 + 4 and total <= 12


def most_pixels(width: Width, total: int, v: int) -> int:
    """Return how many pixels a tile of v vectors can have."""
    kept = total * v if unrolled(width, total, v) else v
    return max(1, min((width.registers - kept - 1) // v, 14))


def parts_for(width: Width, products: int) -> int:
    """Return into how many parts so many multiply-adds are worth being taken apart."""
    return max(1, min(64, products // (2 * width.lanes) // PART))


def tile_cost(pixels: int, v: int) -> float:
    """Return the cycles that one step of the sum takes, by throughput and by latency."""
    return max(pixels * v / 2, (pixels + v) / 2, 4.0)


def multiply_accumulate(
    f: Function,
    run: Run,
    x: Address,
    w: Address,
    pixels: Sequence[int],
    counts: Sequence[int],
    start: Sequence[Value],
    ahead: Callable[[Index], None] | None = None,
) -> list[Value]:
    """Return the tile's sums: start[p·V + v] + Σ_k x[pixels[p] + k] · w[k, v].

    `counts` says how many lanes of each vector are used. `ahead` is told the number of each step
    of a sum that is not unrolled.
    """
    v = len(counts)

    def step(acc: Sequence[Value], in_x: Index, in_w: Index) -> list[Value]:
        row = w + in_w
        weights = [row.load(f.lanes * i, counts[i]) for i in range(v)]
        here = x + in_x
        result = list(acc)
        for p, offset in enumerate(pixels):
            number = here.broadcast(offset)
            for i in range(v):
                result[p * v + i] = f.fma(number, weights[i], result[p * v + i])
        return result

    if unrolled(f.module.width, run.total, v):
        acc = list(start)
        for in_x, in_w in run.places():
            acc = step(acc, in_x, in_w)
        return acc
    joined = run.joined
    rows, columns = joined.taps

    def over_rows(i: Index, acc: list[Value]) -> list[Value]:
        def over_columns(j: Index, acc: list[Value]) -> list[Value]:
            def over_depth(k: Index, acc: list[Value]) -> list[Value]:
                in_x = i * rows.x + j * columns.x + k
                in_w = i * rows.w + j * columns.w + k * joined.w_depth
                if ahead is not None:
                    ahead((i * columns.count + j) * joined.depth + k)
                return step(acc, in_x, in_w)

            return f.carry(joined.depth, acc, over_depth)

        return f.carry(columns.count, acc, over_columns)

    return f.carry(rows.count, list(start), over_rows)


def split(total: int, most: int) -> list[tuple[int, int, int]]:
    """Return (first, length, how many) of the runs that `blocks` makes, one after the other."""
    found, first = [], 0
    for length, count in blocks(total, most):
        found.append((first, length, count))
        first += length * count
    return found


def block_of(
    f: Function, total: int, number: Index, size: int, body: Callable[[Index, int], None]
) -> None:
    """Write `body(first, how many)` for the block of this number; the last one may be smaller."""
    whole, rest = divmod(total, size)
    if isinstance(number, int):
        body(number * size, min(size, total - number * size))
        return
    if whole:
        with f.when(number < whole):
            body(number * size, size)
    if rest:
        with f.when(number >= whole):
            body(whole * size, rest)


def across(f: Function, outputs: int, v: int) -> Iterator[tuple[Index, list[int]]]:
    """Yield the first column and the lanes used of each block of v vectors, in a loop."""
    whole, rest = divmod(outputs, v * f.lanes)
    if whole:
        with f.each(whole) as i:
            yield i * (v * f.lanes), [f.lanes] * v
    if rest:
        yield whole * v * f.lanes, [lanes_of(f, i, rest) for i in range(-(-rest // f.lanes))]

"""Loops over register tiles: a window swept over an image, and the gradients of that.

`conv2d.py` tells how images lie in memory and how the loops are ordered.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pellucid.compiler.ir import Address, Function, Index, Value, Width
from pellucid.compiler.kernels._tiles import (
    Run,
    Taps,
    lanes_of,
    most_pixels,
    multiply_accumulate,
    parts_for,
    split,
    tile_cost,
    vectors,
)
from pellucid.compiler.spans import Bounds, Span, each_of

__all__ = [
    "Sweep",
    "Tile",
    "best_tile",
    "bias_gradient",
    "goes_by_rows",
    "pack",
    "packing_pays",
    "parts_of_sweep",
    "sums_waiting",
    "sweep",
    "weight_gradient",
    "weights_are_small",
]


@dataclass(frozen=True)
class Sweep:
    """A convolution as pointers see it; distances are in floats.

    Attributes:
        rows: How many rows of output pixels.
        columns: How many columns.
        outputs: How many output channels.
        x_row: How far x moves from one row of outputs to the next.
        x_column: How far from one column to the next.
        y_row: How far y moves from one row to the next.
        y_column: How far from one column to the next.
        run: The taps and channels that are summed over.
    """

    rows: int
    columns: int
    outputs: int
    x_row: int
    x_column: int
    y_row: int
    y_column: int
    run: Run


@dataclass(frozen=True)
class Tile:
    """The shape of a register tile: rows and columns of pixels, vectors of channels."""

    rows: int
    columns: int
    vectors: int

    @property
    def pixels(self) -> list[tuple[int, int]]:
        """Row and column of every pixel inside."""
        return [(r, c) for r in range(self.rows) for c in range(self.columns)]


PANEL = 300_000
"""How many bytes of weights stay in a core's second-level cache while tiles go past them."""

WAITING = 150_000
"""How many bytes of sums may wait there besides."""

SMALL_WEIGHTS = 2**18
"""How many bytes of weights stay in a core's second-level cache beside an image."""

LINE = 16
"""How many floats a cache line holds."""

BLOCKS = 8
"""So many parts are enough for a few threads: each reads the weights of its block once more."""

Start = Callable[[Index, Sequence[int], int, Index, Index], list[Value]]
"""Gives a tile's first sums: for its channel, the lanes used, its pixels, row and column."""
Finish = Callable[[Index, Index, Index, Tile, Sequence[int], list[Value]], None]
"""Takes a tile's sums: its first row, column and channel, its shape, the lanes used, the sums."""


def best_tile(width: Width, sweep: Sweep, unit: tuple[int, int] = (1, 1)) -> Tile:
    """Return the tile that takes the fewest cycles; its sides are multiples of `unit`."""
    in_vectors = -(-sweep.outputs // width.lanes)
    best, least = Tile(*unit, 1), float("inf")
    for v in range(1, min(4, in_vectors) + 1):
        room = most_pixels(width, sweep.run.total, v)
        for rows in range(unit[0], min(max(unit[0], room // unit[1]), sweep.rows) + 1, unit[0]):
            columns = room // rows // unit[1] * unit[1]
            columns = min(columns, sweep.columns)
            if not columns and (rows, v) != (unit[0], 1):
                continue
            tile = Tile(rows, max(columns, unit[1]), v)
            cost = sum(
                tile_cost(r * c, k) * nr * nc * nk
                for _, r, nr in _split_units(sweep.rows, tile.rows, unit[0])
                for _, c, nc in _split_units(sweep.columns, tile.columns, unit[1])
                for _, k, nk in split(in_vectors, v)
            )
            if cost < least:
                best, least = tile, cost
    return best


def _split_units(total: int, most: int, unit: int) -> list[tuple[int, int, int]]:
    return [(a * unit, n * unit, count) for a, n, count in split(total // unit, most // unit)]


def sweep(
    f: Function,
    s: Sweep,
    x: Address,
    w: Address,
    start: Start,
    finish: Finish,
    unit: tuple[int, int] = (1, 1),
    span: Span | None = None,
    waiting: Address | None = None,
    *,
    packed: bool = False,
) -> None:
    """Write the loops over all tiles; `start` gives a tile's first sums, `finish` takes the last.

    `unit` is the window of a pooling that `finish` does: tiles hold whole windows. `span` says
    which parts are to be done: of the rows of tiles, or, where the weights are large, of the rows
    for one block of channels after the other. `waiting` is memory for as many numbers as
    `sums_waiting` says, if it says any; `packed` says that the weights are as `pack` leaves them.
    """
    tile = best_tile(f.module.width, s, unit)
    by_rows = weights_are_small(s)
    down = rows_of_tiles(s, tile, unit)
    blocks = blocks_of_channels(f.module.width, s, tile)
    rows = units = None
    if span is not None and by_rows:
        rows = span.of(f, down)
    elif span is not None:
        units = span.of(f, down * sum(block.count for block in blocks))
    done = 0
    for run in blocks:
        touched = None
        if units is not None:
            touched = Bounds(units.low // down, (units.high + (down - 1)) // down)
        with each_of(f, touched, done, run.count) as block:
            channel = block * (run.vectors * f.lanes) + run.first
            if units is not None:
                rows = units.within((block + done) * down, down)
            shape = Tile(tile.rows, tile.columns, run.vectors)
            weights, own = w + channel, s
            if packed:
                weights, own = w + channel * s.run.total, replace(s, run=_narrowed(s.run, run))
            _images(
                f, own, x, weights, start, finish, unit, shape, run.counts, channel, rows, waiting
            )
        done += run.count


def _narrowed(run: Run, block: Blocks) -> Run:
    """Return the run over weights of which one block of channels lies alone."""
    wide = sum(block.counts)
    taps = [Taps(axis.count, axis.x, axis.w // run.w_depth * wide) for axis in run.taps]
    return Run((taps[0], taps[1]), run.depth, wide)


def packing_pays(width: Width, s: Sweep, unit: tuple[int, int] = (1, 1)) -> bool:
    """Whether weights should lie block by block of channels.

    Rows of many channels, of which a block reads a few each, fall on few lines of the caches.
    """
    several = sum(b.count for b in blocks_of_channels(width, s, best_tile(width, s, unit))) > 1
    return several and not weights_are_small(s) and s.rows * s.columns > 1


def pack(
    f: Function, s: Sweep, w: Address, to: Address, row: Index, unit: tuple[int, int] = (1, 1)
) -> None:
    """Write one row of weights (all outputs of one product of the sum), block by block."""
    for run in blocks_of_channels(f.module.width, s, best_tile(f.module.width, s, unit)):
        wide = sum(run.counts)
        with f.each(run.count) as block:
            channel = block * wide + run.first
            source, target = w + row * s.outputs + channel, to + channel * s.run.total + row * wide
            for i, n in enumerate(run.counts):
                target.store(source.load(f.lanes * i, n), f.lanes * i, n)


@dataclass(frozen=True)
class Blocks:
    """Blocks of output channels of one width, one after the other.

    Attributes:
        first: The first channel.
        count: How many blocks.
        vectors: How many vectors a block has.
        counts: How many lanes of each are used.
    """

    first: int
    count: int
    vectors: int
    counts: list[int]


def blocks_of_channels(width: Width, s: Sweep, tile: Tile) -> list[Blocks]:
    """Return the blocks of channels that tiles of this shape make."""
    found = []
    lanes = width.lanes
    for first_v, v, count in split(-(-s.outputs // lanes), tile.vectors):
        last = first_v + v * count
        full = last * lanes <= s.outputs
        for begin, n in [(first_v, count)] if full else [(first_v, count - 1), (last - v, 1)]:
            if n:
                end = begin + v * (n - 1)
                counts = [min(lanes, s.outputs - (end + i) * lanes) for i in range(v)]
                found.append(Blocks(begin * lanes, n, v, counts))
    return found


def rows_of_tiles(s: Sweep, tile: Tile, unit: tuple[int, int] = (1, 1)) -> int:
    """Return how many rows of tiles there are."""
    return sum(count for _, _, count in _split_units(s.rows, tile.rows, unit[0]))


def goes_by_rows(width: Width, s: Sweep) -> bool:
    """Whether a part of the sweep may be one row of pixels."""
    return weights_are_small(s) and best_tile(width, s).rows == 1


def weights_are_small(s: Sweep) -> bool:
    """Whether every thread may read all weights: they stay in the second-level cache."""
    return 4 * s.run.total * s.outputs <= SMALL_WEIGHTS


def parts_of_sweep(width: Width, s: Sweep, unit: tuple[int, int] = (1, 1)) -> int:
    """Return into how many parts a sweep is worth being taken apart."""
    tile = best_tile(width, s, unit)
    most = rows_of_tiles(s, tile, unit)
    if not weights_are_small(s):
        blocks = sum(block.count for block in blocks_of_channels(width, s, tile))
        most = blocks * min(most, -(-BLOCKS // blocks))
    return min(most, parts_for(width, s.rows * s.columns * s.outputs * s.run.total))


def cuts(width: Width, s: Sweep, unit: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """Return how often the sum is cut along each axis of taps.

    It is where the weights of a block of channels are more than stay in the second-level cache
    while all tiles go past them; the sums of one part then wait in memory for the next.
    """
    tile = best_tile(width, s, unit)
    rows, columns = s.run.taps
    each = 4 * s.run.depth * tile.vectors * width.lanes
    waiting = 4 * s.rows * s.columns * tile.vectors * width.lanes
    again = s.rows * s.columns > tile.rows * tile.columns
    if each * rows.count * columns.count <= PANEL or waiting > WAITING or not again:
        return 1, 1
    return rows.count, columns.count if each * columns.count > PANEL else 1


def sums_waiting(width: Width, s: Sweep, unit: tuple[int, int] = (1, 1)) -> int:
    """Return how many sums wait for the next part of theirs; 0 if they are not cut."""
    if cuts(width, s, unit) == (1, 1):
        return 0
    return s.rows * s.columns * best_tile(width, s, unit).vectors * width.lanes


def _each_tile(
    f: Function, s: Sweep, unit: tuple[int, int], tile: Tile, bounds: Bounds | None
) -> Iterator[tuple[Index, Index, Tile]]:
    """Yield row, column and shape of all tiles; what the caller writes is the body of loops."""
    done = 0
    for first_row, rows, row_blocks in _split_units(s.rows, tile.rows, unit[0]):
        with each_of(f, bounds, done, row_blocks) as i:
            row = i * rows + first_row
            for first, columns, count in _split_units(s.columns, tile.columns, unit[1]):
                with f.each(count) as j:
                    yield row, j * columns + first, Tile(rows, columns, tile.vectors)
        done += row_blocks


def _images(
    f: Function,
    s: Sweep,
    x: Address,
    w: Address,
    start: Start,
    finish: Finish,
    unit: tuple[int, int],
    tile: Tile,
    counts: Sequence[int],
    channel: Index,
    bounds: Bounds | None,
    waiting: Address | None,
) -> None:
    """Write the loops over rows and columns of tiles for one block of channels, from w on."""

    def summed(
        run: Run,
        x: Address,
        w: Address,
        at: tuple[Index, Index],
        shape: Tile,
        first: list[Value],
        ahead: Callable[[Index], None] | None = None,
    ) -> list[Value]:
        here = x + at[0] * s.x_row + at[1] * s.x_column
        pixels = [r * s.x_row + c * s.x_column for r, c in shape.pixels]
        return multiply_accumulate(f, run, here, w, pixels, counts, first, ahead)

    if waiting is None:
        for row, column, shape in _each_tile(f, s, unit, tile, bounds):
            first = start(channel, counts, len(shape.pixels), row, column)
            sums = summed(s.run, x, w, (row, column), shape, first)
            finish(row, column, channel, shape, counts, sums)
        return

    wide = len(counts) * f.lanes

    def places(row: Index, column: Index, shape: Tile) -> tuple[Address, list[int]]:
        here = waiting + row * (s.columns * wide) + column * wide
        return here, [
            (r * s.columns + c) * wide + i * f.lanes
            for r, c in shape.pixels
            for i in range(len(counts))
        ]

    for row, column, shape in _each_tile(f, s, unit, tile, bounds):
        here, offsets = places(row, column, shape)
        first = start(channel, counts, len(shape.pixels), row, column)
        for value, offset in zip(first, offsets, strict=True):
            here.store(value, offset)
    down, across = s.run.taps
    by_row, by_column = cuts(f.module.width, s, unit)
    part = Run(
        (Taps(1, 0, 0), Taps(1, 0, 0) if by_column > 1 else across), s.run.depth, s.run.w_depth
    )
    # If the next part of the weights lies by itself, it is fetched meanwhile: a line at each step.
    alone = part.w_depth == wide
    fetched = Address(f, "i64", f.line("alloca i64"))
    size = part.total * part.w_depth
    with f.each(by_row) as i, f.each(by_column) as j:
        image = x + i * down.x + j * across.x
        taps = w + i * down.w + j * across.w
        fetched.put(size)
        for row, column, shape in _each_tile(f, s, unit, tile, bounds):
            here, offsets = places(row, column, shape)
            before = [here.load(offset) for offset in offsets]
            following = taps + fetched.get()

            def ahead(step: Index, following: Address = following) -> None:
                following.fetch(step * LINE, later=True)

            at = (row, column)
            sums = summed(part, image, taps, at, shape, before, ahead if alone else None)
            for value, offset in zip(sums, offsets, strict=True):
                here.store(value, offset)
            further = fetched.get() + part.total * LINE
            fetched.put(f.select(further < 2 * size, further, f.constant(0, "i64")))
    for row, column, shape in _each_tile(f, s, unit, tile, bounds):
        here, offsets = places(row, column, shape)
        sums = [here.load(offset) for offset in offsets]
        finish(row, column, channel, shape, counts, sums)


def from_bias(f: Function, bias: Address | None) -> Callable[..., list[Value]]:
    """Return a `start` for `sweep`: the bias, or zeros."""

    def start(
        channel: Index, counts: Sequence[int], pixels: int, row: Index, column: Index
    ) -> list[Value]:
        del row, column
        if bias is None:
            return [f.zero()] * (pixels * len(counts))
        here = bias + channel
        return [here.load(f.lanes * i, n) for i, n in enumerate(counts)] * pixels

    return start


def to_image(
    f: Function, s: Sweep, y: Address, act: Callable[[Value], Value], *, add: bool = False
) -> Finish:
    """Return a `finish` for `sweep`: activation, and into memory (or added to what is there)."""

    def finish(
        row: Index,
        column: Index,
        channel: Index,
        tile: Tile,
        counts: Sequence[int],
        sums: list[Value],
    ) -> None:
        here = y + row * s.y_row + column * s.y_column + channel
        for p in range(tile.rows * tile.columns):
            r, c = divmod(p, tile.columns)
            for i, n in enumerate(counts):
                place = r * s.y_row + c * s.y_column + f.lanes * i
                value = act(sums[p * len(counts) + i])
                if add:
                    value = value + here.load(place, n)
                here.store(value, place, n)

    return finish


def to_pool(
    f: Function,
    y: Address,
    y_row: int,
    outputs: int,
    window: tuple[int, int],
    act: Callable[[Value], Value],
    *,
    winner: Address | None = None,
    winner_row: int = 0,
    average: bool = False,
) -> Finish:
    """Return a `finish` for `sweep` that pools: the mean of each window, or its largest number.

    Where `winner` is given, one byte for each output is written there, all that the way back needs:
    the place of the largest in its window (0, 1, … row by row; NaN wins over all numbers), or a bit
    for each number that is larger than 0.
    """
    height, width = window

    def finish(
        row: Index,
        column: Index,
        channel: Index,
        tile: Tile,
        counts: Sequence[int],
        sums: list[Value],
    ) -> None:
        v = len(counts)
        top, left = _divided(row, height), _divided(column, width)
        for r in range(tile.rows // height):
            for c in range(tile.columns // width):
                in_image = (top + r) * y_row + (left + c) * outputs + channel
                in_winner = (top + r) * winner_row + (left + c) * outputs + channel
                for i, n in enumerate(counts):
                    members = [
                        sums[((r * height + a) * tile.columns + c * width + b) * v + i]
                        for a in range(height)
                        for b in range(width)
                    ]
                    if average:
                        acted = [act(member) for member in members]
                        total = functools.reduce(operator.add, acted)
                        y.store(total * (1.0 / len(members)), in_image + f.lanes * i, n)
                        if winner is not None:
                            integers = f"<{f.lanes} x i32>"
                            bits = [
                                f.select(member > 0.0, f.constant(1 << k, integers), 0)
                                for k, member in enumerate(acted)
                            ]
                            place = functools.reduce(operator.or_, bits)
                            winner.store(f.convert(place, "i8"), in_winner + f.lanes * i, n)
                        continue
                    best = members[0]
                    place = f.constant(0, f"<{f.lanes} x i32>")
                    for k, member in enumerate(members[1:], 1):
                        better = (member > best) | member.differs(member)
                        best = f.select(better, member, best)
                        if winner is not None:
                            place = f.select(better, f.constant(k, place.type), place)
                    y.store(act(best), in_image + f.lanes * i, n)
                    if winner is not None:
                        winner.store(f.convert(place, "i8"), in_winner + f.lanes * i, n)

    return finish


def normalised(f: Function, factor: Address, summand: Address, finish: Finish) -> Finish:
    """Return a `finish` that takes sums · factor + summand, channel by channel."""

    def first(
        row: Index,
        column: Index,
        channel: Index,
        tile: Tile,
        counts: Sequence[int],
        sums: list[Value],
    ) -> None:
        v = len(counts)
        scales = [(factor + channel).load(f.lanes * i, n) for i, n in enumerate(counts)]
        shifts = [(summand + channel).load(f.lanes * i, n) for i, n in enumerate(counts)]
        new = [f.fma(value, scales[k % v], shifts[k % v]) for k, value in enumerate(sums)]
        finish(row, column, channel, tile, counts, new)

    return first


def _divided(index: Index, by: int) -> Index:
    return index // by


def weight_gradient(
    f: Function,
    s: Sweep,
    x: Address,
    dy: Address,
    dw: Address,
    samples: Index,
    x_sample: Index,
    dy_sample: Index,
    *,
    add: bool = True,
) -> None:
    """Write dw += Σ over samples and pixels of x · dy; `s.y_row` and `s.y_column` are dy's.

    `samples` must be at least 1. Without `add`, dw is set, whatever it was.
    """
    run = s.run.joined
    rows, columns = run.taps
    in_vectors = vectors(f, s.outputs)
    places = run.places()
    best, least = (1, 1), float("inf")
    for v in range(1, min(4, in_vectors) + 1):
        room = max(1, min((f.module.width.registers - v - 1) // v, 14))
        length = run.total if _flat(run, room) else run.depth
        p = min(room, length)
        cost = sum(
            tile_cost(size, k) * n * nk
            for _, size, n in split(length, p)
            for _, k, nk in split(in_vectors, v)
        )
        if cost < least:
            best, least = (p, v), cost
    p, v = best
    for first_v, width, count in split(in_vectors, v):
        last = first_v + width * count
        full = last * f.lanes <= s.outputs
        parts = [(first_v, count)] if full else [(first_v, count - 1), (last - width, 1)]
        for begin, repeats in parts:
            if not repeats:
                continue
            counts = [
                lanes_of(f, begin + width * (repeats - 1) + i, s.outputs) for i in range(width)
            ]
            with f.each(repeats) as block:
                channel = block * (width * f.lanes) + begin * f.lanes
                moved = dy + channel, dw + channel
                if _flat(run, p):
                    for first, size, n in split(len(places), p):
                        for k in range(n):
                            chosen = places[first + k * size : first + (k + 1) * size]
                            _pixels(
                                f, s, x, *moved, chosen, counts, samples, x_sample, dy_sample, add
                            )
                    continue
                with f.each(rows.count) as i, f.each(columns.count) as j:
                    for first, size, n in split(run.depth, p):
                        with f.each(n) as piece:
                            begin_k = piece * size + first
                            here = x + (i * rows.x + j * columns.x + begin_k)
                            there = moved[1] + (i * rows.w + j * columns.w + begin_k * run.w_depth)
                            chosen = [(a, a * run.w_depth) for a in range(size)]
                            _pixels(
                                f,
                                s,
                                here,
                                moved[0],
                                there,
                                chosen,
                                counts,
                                samples,
                                x_sample,
                                dy_sample,
                                add,
                            )


def _flat(run: Run, room: int) -> bool:
    """Whether tiles are cut from the list of all taps rather than from each run of it."""
    return run.total <= room or (run.depth < 4 and run.total <= 128)


def _pixels(
    f: Function,
    s: Sweep,
    x: Address,
    dy: Address,
    dw: Address,
    places: Sequence[tuple[int, int]],
    counts: Sequence[int],
    samples: Index,
    x_sample: Index,
    dy_sample: Index,
    add: bool,
) -> None:
    """Write one tile of the weight gradient: the sum over all pixels, added to memory or set."""
    v = len(counts)
    start = [
        dw.load(in_w + f.lanes * i, n) if add else f.zero()
        for _, in_w in places
        for i, n in enumerate(counts)
    ]

    def over_samples(n: Index, acc: list[Value]) -> list[Value]:
        def over_rows(i: Index, acc: list[Value]) -> list[Value]:
            def over_columns(j: Index, acc: list[Value]) -> list[Value]:
                gradient = dy + (n * dy_sample + i * s.y_row + j * s.y_column)
                image = x + (n * x_sample + i * s.x_row + j * s.x_column)
                found = [gradient.load(f.lanes * i, m) for i, m in enumerate(counts)]
                result = list(acc)
                for k, (in_x, _) in enumerate(places):
                    number = image.broadcast(in_x)
                    for i_v in range(v):
                        result[k * v + i_v] = f.fma(number, found[i_v], result[k * v + i_v])
                return result

            if (
                s.rows > 1
                and s.x_row == s.columns * s.x_column
                and s.y_row == s.columns * s.y_column
            ):
                return f.carry(s.rows * s.columns, acc, over_columns) if i == 0 else acc
            return f.carry(s.columns, acc, over_columns)

        one = s.rows > 1 and s.x_row == s.columns * s.x_column and s.y_row == s.columns * s.y_column
        return over_rows(0, acc) if one else f.carry(s.rows, acc, over_rows)

    ends = f.carry(samples, start, over_samples)
    for k, (_, in_w) in enumerate(places):
        for i, n in enumerate(counts):
            dw.store(ends[k * v + i], in_w + f.lanes * i, n)


def bias_gradient(
    f: Function,
    s: Sweep,
    dy: Address,
    db: Address,
    samples: Index,
    dy_sample: Index,
) -> None:
    """Write db += Σ over samples and pixels of dy."""
    for first, length, count in split(vectors(f, s.outputs), 8):
        for k in range(count):
            begin = first + k * length
            counts = [lanes_of(f, begin + i, s.outputs) for i in range(length)]
            offsets = [(begin + i) * f.lanes for i in range(length)]

            def over_samples(
                n: Index,
                acc: list[Value],
                offsets: list[int] = offsets,
                counts: list[int] = counts,
            ) -> list[Value]:
                def over_rows(r: Index, acc: list[Value]) -> list[Value]:
                    def over_columns(j: Index, acc: list[Value]) -> list[Value]:
                        here = dy + (n * dy_sample + r * s.y_row + j * s.y_column)
                        return [
                            a + here.load(o, m)
                            for a, o, m in zip(acc, offsets, counts, strict=True)
                        ]

                    return f.carry(s.columns, acc, over_columns)

                return f.carry(s.rows, acc, over_rows)

            start = [db.load(o, m) for o, m in zip(offsets, counts, strict=True)]
            for o, m, value in zip(
                offsets, counts, f.carry(samples, start, over_samples), strict=True
            ):
                db.store(value, o, m)

"""Images taken along their height and then along their width: y = R · x · Sᵀ for each channel.

A row of R says of one output row which input rows are in it, with which weights; mostly few. Rows
of R that repeat one another some cells further on (every second one, when an image becomes twice as
high) are one loop; edges are loops of their own. The gradient is the same with Rᵀ and Sᵀ. Between
the two axes the image lies in scratch memory. Floor: a load for each weight, for each number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.ops._operation import Array

__all__ = ["is_short", "separable"]

MOST_TAPS = 512
"""How many weights the code for one axis may name."""


@dataclass(frozen=True)
class Repeat:
    """Outputs first, first + step, …: of each the same taps, `moves` cells further on.

    Attributes:
        first: The first output.
        count: How many there are.
        step: How far it is from one to the next.
        taps: (cell, weight) of the first output.
        moves: How many cells the taps move from one output to the next.
    """

    first: int
    count: int
    step: int
    taps: tuple[tuple[int, float], ...]
    moves: int


def repeats(matrix: Array) -> list[Repeat]:
    """Return the rows of a matrix as few loops."""
    outputs, cells = matrix.shape
    common = math.gcd(outputs, cells)
    step, moves = outputs // common, cells // common
    single = matrix.astype(np.float32)
    found: list[Repeat] = []
    for phase in range(step):
        before: tuple[tuple[int, float], ...] | None = None
        for turn in range(common):
            row = single[phase + turn * step]
            taps = tuple((int(c), float(row[c])) for c in np.flatnonzero(row))
            here = tuple((cell - turn * moves, weight) for cell, weight in taps)
            if here == before:
                last = found[-1]
                found[-1] = Repeat(last.first, last.count + 1, step, last.taps, moves)
            else:
                found.append(Repeat(phase + turn * step, 1, step, taps, moves))
            before = here
    return found


def is_short(*matrices: Array) -> bool:
    """Whether the code for these matrices is of a reasonable length, both ways."""
    for matrix in matrices:
        for way in (matrix, matrix.T):
            loops = repeats(way)
            if sum(len(loop.taps) + 1 for loop in loops) > MOST_TAPS:
                return False
    return True


def _along(
    f: Function,
    matrix: Array,
    source: Address,
    source_step: int,
    target: Address,
    target_step: int,
    length: int,
    finish: Callable[[Value, Address, Index, int | None], None],
) -> None:
    """Write target[i] = Σ_h matrix[i, h] · source[h] for runs of numbers side by side."""
    for loop in repeats(matrix):
        with f.each(loop.count) as turn:
            here = source + turn * (loop.moves * source_step)
            there = target + turn * (loop.step * target_step) + loop.first * target_step
            for k, n in vectors_over(f, length):
                total = None
                for cell, weight in loop.taps:
                    value = here.load(k + cell * source_step, n)
                    if total is not None:
                        total = f.fma(value, f.splat(weight), total)
                    else:
                        total = value if weight == 1 else value * weight
                finish(f.zero() if total is None else total, there, k, n)


def _store(value: Value, there: Address, k: Index, n: int | None) -> None:
    there.store(value, k, n)


def separable(
    b: Builder,
    group: Group,
    rows: Array,
    columns: Array,
    source: Place,
    target: Place,
    *,
    add: bool = False,
) -> None:
    """Add the job target = rows · source · columnsᵀ, or target += …."""
    channels = source.shape[2]
    width = source.shape[1]
    between = b.extra(
        group, f"rows of {target.name}", (target.shape[0], width, channels), extent="sample"
    )

    def finish(value: Value, there: Address, k: Index, n: int | None) -> None:
        there.store(value + there.load(k, n) if add else value, k, n)

    def emit(f: Function) -> None:
        x, y, middle = f.arguments
        line = width * channels
        _along(f, rows, x, source.row, middle, line, line, _store)
        with f.each(target.shape[0]) as i:
            here, there = middle + i * line, y + i * target.row
            _along(f, columns, here, channels, there, channels, channels, finish)

    loops = tuple(repeats(rows)), tuple(repeats(columns))
    key = ("separable", *loops, source.layout, target.layout, add)
    places = [source, target, between]
    b.schedule.add(group.layer, key, "sample", places, [target, between], emit, note=group.op.name)

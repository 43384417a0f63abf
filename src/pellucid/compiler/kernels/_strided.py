"""Loops over tensors that are walked through in steps of their own: spread, turned, cut out.

Axes that lie one after the other in all tensors are one loop. The innermost goes by vectors where
every tensor moves by one number, or does not move at all; otherwise number by number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Index, vectors_over
from pellucid.compiler.schedule import Place

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["Steps", "cells_along", "joined", "move", "own_steps"]

Steps = tuple[int, ...]
"""How far a tensor moves along each axis."""


def own_steps(place: Place) -> Steps:
    """Return how far it is from cell to cell along each of a tensor's own axes."""
    if len(place.shape) == 3:
        return (place.row, place.shape[2], 1)
    steps = [1]
    for size in reversed(place.shape[1:]):
        steps.append(steps[-1] * size)
    return tuple(reversed(steps[: len(place.shape)]))


def joined(shape: Sequence[int], steps: Sequence[Steps]) -> list[tuple[int, Steps]]:
    """Return (size, steps of all tensors) of each axis, those that go on in all tensors as one."""
    axes: list[tuple[int, Steps]] = []
    for axis, size in enumerate(shape):
        moved = tuple(step[axis] for step in steps)
        if size == 1 and len(shape) > 1:
            continue
        if axes and all(a == b * size for a, b in zip(axes[-1][1], moved, strict=True)):
            axes[-1] = (axes[-1][0] * size, moved)
        else:
            axes.append((size, moved))
    return axes or [(1, tuple(1 for _ in steps))]


def cells_along(
    f: Function, axes: Sequence[tuple[int, Steps]]
) -> Iterator[tuple[list[Index], int | None]]:
    """Yield where each vector lies in every tensor, and its count.

    What the caller writes for each pair becomes the body of loops.
    """
    *outer, (size, last) = axes
    by_vectors = all(step in (0, 1) for step in last)
    if not by_vectors:
        outer, last = list(axes), (0,) * len(last)
    with ExitStack() as loops:
        offsets: list[Index] = [0] * len(last)
        for count, steps in outer:
            i = loops.enter_context(f.each(count))
            offsets = [
                here + i * step if step else here for here, step in zip(offsets, steps, strict=True)
            ]
        if not by_vectors:
            yield offsets, 1
            return
        for k, n in vectors_over(f, size):
            yield [here + k if step else here for here, step in zip(offsets, last, strict=True)], n


def move(
    b: Builder,
    group: Group,
    shape: Sequence[int],
    source: tuple[Place, int, Steps],
    target: tuple[Place, int, Steps],
    *,
    add: bool = False,
    among_zeros: bool = False,
) -> None:
    """Add the job that copies `shape` numbers, or adds them.

    Args:
        b: The builder.
        group: Whose job it is.
        shape: How many numbers there are along each axis.
        source: Where from: the place, where the first number is in it, and the steps.
        target: Where to.
        add: Whether to add to what is there.
        among_zeros: Whether to set the whole target to 0 before.
    """
    (x, x_begin, x_steps), (y, y_begin, y_steps) = source, target
    axes = joined(shape, [x_steps, y_steps])

    def emit(f: Function) -> None:
        from_, to = f.arguments
        if among_zeros:
            for k, n in vectors_over(f, y.size):
                to.store(f.zero(), k, n)
        here, there = from_ + x_begin, to + y_begin
        for (i, j), n in cells_along(f, axes):
            value = here.load(i, n)
            there.store(value + there.load(j, n) if add else value, j, n)

    key = ("move", tuple(axes), x_begin, y_begin, add, among_zeros, y.size)
    b.schedule.add(group.layer, key, "sample", [x, y], [y], emit, note=group.op.name)

"""Which part of a sample's work a call of a kernel does, and loops over just that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pellucid.compiler.ir import Function, Index, Value, vectors_over
from pellucid.compiler.schedule import NO_FRAME, Place

__all__ = [
    "CELLS",
    "Bounds",
    "Span",
    "bounds_of",
    "cells",
    "each_of",
    "parts_of_cells",
    "span_of",
]


@dataclass(frozen=True)
class Span:
    """The parts of a sample's work that one call of a kernel does: `first` … `last` − 1."""

    first: Index
    last: Index
    parts: int

    def of(self, f: Function, total: int) -> Bounds:
        """Return which of `total` pieces that are."""
        low, high = (
            f.constant(edge, "i64") * total // self.parts for edge in (self.first, self.last)
        )
        return Bounds(low, high)


@dataclass(frozen=True)
class Bounds:
    """Pieces `low` … `high` − 1 of something."""

    low: Value
    high: Value

    def within(self, begin: Index, count: int) -> Bounds:
        """Return which of the pieces begin … begin + count − 1 are among them, counted from 0."""
        f = self.low.function

        def inside(edge: Value) -> Value:
            place = edge - begin
            place = f.select(place < 0, f.constant(0, "i64"), place)
            return f.select(place > count, f.constant(count, "i64"), place)

        return Bounds(inside(self.low), inside(self.high))


@contextmanager
def each_of(f: Function, bounds: Bounds | None, begin: int, count: int) -> Iterator[Index]:
    """Repeat what is inside for the pieces begin … begin + count − 1 that are inside the bounds.

    They are numbered from 0; without bounds it is all of them.
    """
    if bounds is None:
        with f.each(count) as i:
            yield i
        return
    here = bounds.within(begin, count)
    with f.each(here.high - here.low) as i:
        assert isinstance(i, Value)
        yield i + here.low


def bounds_of(f: Function, span: Span | None, total: int) -> Bounds | None:
    """Return which of `total` pieces are to be done; None for all."""
    return None if span is None else span.of(f, total)


def span_of(f: Function, parts: int) -> Span | None:
    """Return which parts of a sample a kernel has to do; None for all of it."""
    return Span(f.arguments[-2], f.arguments[-1], parts) if parts > 1 else None


def cells(
    f: Function, *places: Place, span: Span | None = None
) -> Iterator[tuple[list[Index], int | None]]:
    """Yield the vectors of tensors of one size: where each lies in every place, and its count.

    What the caller writes for each pair becomes the body of a loop. Frames are left out.
    """
    framed = [place for place in places if place.frame != NO_FRAME]
    if not framed and span is None:
        for i, n in vectors_over(f, places[0].size):
            yield [i] * len(places), n
        return
    height, width, channels = (framed or [p for p in places if len(p.shape) == 3])[0].shape
    with each_of(f, bounds_of(f, span, height), 0, height) as r:
        for i, n in vectors_over(f, width * channels):
            yield (
                [
                    r * (width * channels if place.frame == NO_FRAME else place.row) + i
                    for place in places
                ],
                n,
            )


def parts_of_cells(*places: Place) -> int:
    """Return into how many parts `cells` is worth being taken apart: at most an image's rows."""
    images = [place.shape for place in places if len(place.shape) == 3]
    return max(1, min(images[0][0], 64, places[0].size // CELLS)) if images else 1


CELLS = 30_000
"""About how many cells are worth handing to a thread by themselves."""

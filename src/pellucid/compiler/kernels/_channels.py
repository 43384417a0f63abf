"""Loops over pixels, a vector of channels at a time; rows of numbers are one pixel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels._tiles import lanes_of, split, vectors
from pellucid.compiler.schedule import Place

__all__ = ["channel_sums", "pixels_of"]


def _image(place: Place) -> tuple[int, int, int, int]:
    """Return (height, width, channels, row) of an image; other tensors are one row of pixels."""
    if len(place.shape) == 3:
        return (*place.shape, place.row)
    return (1, math.prod(place.shape[:-1]), place.shape[-1], 0)


def channel_sums(
    f: Function,
    places: Sequence[Place],
    targets: Sequence[Address],
    term: Callable[[list[Index], Index, int | None], list[Value]],
) -> None:
    """Write targets[k] += Σ over pixels of term(where in each place, channel, count)[k]."""
    height, width, channels, _ = _image(places[0])
    rows = [_image(place)[3] for place in places]
    for first, length, count in split(vectors(f, channels), 4):
        for block in range(count):
            begin = first + block * length
            chosen = [
                ((begin + i) * f.lanes, lanes_of(f, begin + i, channels)) for i in range(length)
            ]

            def over_rows(
                r: Index, acc: list[Value], chosen: list[tuple[int, int]] = chosen
            ) -> list[Value]:
                def over_columns(c: Index, acc: list[Value]) -> list[Value]:
                    new = []
                    for k, n in chosen:
                        where = [r * row + c * channels + k for row in rows]
                        new += term(where, k, n)
                    return [a + value for a, value in zip(acc, new, strict=True)]

                return f.carry(width, acc, over_columns)

            start = [target.load(k, n) for k, n in chosen for target in targets]
            ends = iter(f.carry(height, start, over_rows))
            for k, n in chosen:
                for target in targets:
                    target.store(next(ends), k, n)


def pixels_of(f: Function, *places: Place) -> Iterator[tuple[list[Index], Index, int | None]]:
    """Yield (where in each place, channel, count) for every vector of every pixel.

    What the caller writes for each becomes the body of loops.
    """
    height, width, channels, _ = _image(places[0])
    rows = [_image(place)[3] for place in places]
    for k, n in vectors_over(f, channels):
        with f.each(height) as r, f.each(width) as c:
            yield [r * row + c * channels + k for row in rows], k, n

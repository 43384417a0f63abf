"""Windows at the edge: runs of positions whose windows lack the same taps.

Where padding is no frame of zeros (a maximum must not see them, a mean must not count them), the
positions along an axis are cut into runs that have the same taps inside the image: one run for the
inside, and a few at the edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pellucid.compiler.ir import Address, Function, Index, vectors_over
from pellucid.compiler.schedule import Place
from pellucid.compiler.spans import CELLS, Span, bounds_of, each_of
from pellucid.ops._window import Axis, Windows

__all__ = ["Run", "parts_of_windows", "positions", "runs"]


@dataclass(frozen=True)
class Run:
    """Positions `first` … `first + count − 1` of an axis, and their taps inside the image.

    Attributes:
        first: The first position.
        count: How many there are.
        offsets: For each tap inside, its distance from `position · stride`, in cells.
    """

    first: int
    count: int
    offsets: tuple[int, ...]


def runs(axis: Axis) -> list[Run]:
    """Return the runs of an axis, in order."""
    found: list[Run] = []
    for position in range(axis.output):
        taps = [tap * axis.dilation - axis.before for tap in range(axis.window)]
        inside = tuple(t for t in taps if 0 <= position * axis.stride + t < axis.size)
        if found and found[-1].offsets == inside:
            found[-1] = Run(found[-1].first, found[-1].count + 1, inside)
        else:
            found.append(Run(position, 1, inside))
    return found


def positions(
    f: Function, windows: Windows, y: Place, *images: Place, span: Span | None = None
) -> Iterator[tuple[list[tuple[Index, list[int]]], Index, int | None]]:
    """Yield what every vector of every window needs.

    For each image (of x's shape) that is where the window is, and how far its taps are from there;
    then where its output is in y, and how many numbers count.

    What the caller writes becomes the body of loops.
    """
    channels = y.shape[2]
    bounds = bounds_of(f, span, windows.rows.output)
    for r in runs(windows.rows):
        for c in runs(windows.columns):
            taps = [
                [a * image.row + b * channels for a in r.offsets for b in c.offsets]
                for image in images
            ]
            with each_of(f, bounds, r.first, r.count) as i, f.each(c.count) as j:
                row, column = i + r.first, j + c.first
                in_y = row * y.row + column * channels
                across = column * (windows.columns.stride * channels)
                down = [row * (windows.rows.stride * image.row) + across for image in images]
                for k, n in vectors_over(f, channels):
                    yield [(d + k, t) for d, t in zip(down, taps, strict=True)], in_y + k, n


def parts_of_windows(windows: Windows, channels: int) -> int:
    """Return into how many parts `positions` is worth being taken apart."""
    loads = windows.rows.output * windows.columns.output * channels
    loads *= windows.rows.window * windows.columns.window
    return max(1, min(windows.rows.output, 64, loads // CELLS))


def clear(f: Function, place: Place, target: Address) -> None:
    """Set an image (frame left alone) to 0."""
    from pellucid.compiler.spans import cells

    for (i,), n in cells(f, place):
        target.store(f.zero(), i, n)

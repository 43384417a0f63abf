"""Sliding windows: the arithmetic that convolution and pooling share.

Along one axis of `size` cells, a window of `window` taps that are `dilation` cells apart covers
`extent = (window − 1)·dilation + 1` cells, and moves by `stride`. With `before` and `after` cells
of padding there are

    output = ⌊(size + before + after − extent) / stride⌋ + 1

positions. Padding is

* ``"valid"``: none;
* ``"same"``: as TensorFlow has it: output = ⌈size / stride⌉, and the padding that this needs,
  max((output − 1)·stride + extent − size, 0), is split in two halves, the larger one *after*;
* ``((top, bottom), (left, right))``: as given.

With `ceil_mode` the division is rounded up: the last window may hang over the end, as long as it
begins before the padding there. What it hangs over counts as further padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import Array, Shape, known

Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]

__all__ = [
    "Axis",
    "Padding",
    "Pair",
    "Windows",
    "check_padding",
    "check_pair",
    "check_pooling",
    "check_sides",
    "output_sizes",
]


def check_pair(op: str, name: str, pair: Any, least: int = 1) -> None:
    """Raise ArgumentError unless `pair` is two whole numbers of at least `least`."""
    good = isinstance(pair, tuple) and len(pair) == 2
    if not good or not all(isinstance(n, int) and n >= least for n in pair):
        raise ArgumentError(
            f"{op}: {name} must be two whole numbers (height, width) of at least {least}, "
            f"received {pair!r}."
        )


def check_sides(op: str, name: str, sides: Any) -> None:
    """Raise ArgumentError unless `sides` is ((top, bottom), (left, right)), none below 0."""
    good = isinstance(sides, tuple) and len(sides) == 2
    pairs = sides if good else ()
    good = good and all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs)
    if not good or not all(isinstance(n, int) and n >= 0 for pair in pairs for n in pair):
        raise ArgumentError(
            f"{op}: {name} must be ((top, bottom), (left, right)), whole numbers of at least 0, "
            f"received {sides!r}."
        )


def check_padding(op: str, padding: Any) -> None:
    """Raise ArgumentError unless `padding` is 'valid', 'same' or ((top, bottom), (left, right))."""
    if isinstance(padding, tuple):
        check_sides(op, "padding", padding)
    elif padding not in ("valid", "same"):
        raise ArgumentError(
            f"{op}: padding must be 'valid', 'same' or ((top, bottom), (left, right)), "
            f"received {padding!r}."
        )


def check_pooling(
    op: str, pool_size: Any, strides: Any, padding: Any, dilation: Any = (1, 1)
) -> None:
    """Raise ArgumentError unless the attributes are those of windows that reach into the image."""
    check_pair(op, "pool_size", pool_size)
    check_pair(op, "strides", strides)
    check_pair(op, "dilation_rate", dilation)
    check_padding(op, padding)
    if not isinstance(padding, str):
        for window, apart, sides in zip(pool_size, dilation, padding, strict=True):
            extent = (window - 1) * apart + 1
            if max(sides) >= extent:
                raise ArgumentError(
                    f"{op}: padding must be smaller than the {extent} cells that pool_size "
                    f"{pool_size} reaches over, received {padding}: a window could lie wholly in "
                    f"the padding."
                )


@dataclass(frozen=True)
class Axis:
    """The window arithmetic along one axis.

    Attributes:
        size: How many cells there are.
        window: How many taps the window has.
        stride: How far it moves.
        dilation: The distance between its taps.
        before: Cells of padding before the first cell.
        after: Cells of padding after the last one, `overhang` among them.
        overhang: Those that only the last window's hanging over made necessary.
    """

    size: int
    window: int
    stride: int
    dilation: int
    before: int
    after: int
    overhang: int = 0

    @property
    def extent(self) -> int:
        """How many cells the window reaches over."""
        return (self.window - 1) * self.dilation + 1

    @property
    def output(self) -> int:
        """How many positions the window takes."""
        return (self.size + self.before + self.after - self.extent) // self.stride + 1

    def meets(self, position: int, tap: int) -> int | None:
        """Return the cell under a tap of the window at `position`; None in the padding."""
        cell = position * self.stride + tap * self.dilation - self.before
        return cell if 0 <= cell < self.size else None

    def taps(self, position: int) -> Iterator[tuple[int, int | None]]:
        """Yield (tap, cell) of the window at `position`; the cell is None in the padding."""
        for tap in range(self.window):
            yield tap, self.meets(position, tap)

    def met_from(self, position: int) -> Array:
        """Return the cell under each tap of the window at `position`; −1 in the padding."""
        return self._met(position, np.arange(self.window))

    def met_by(self, tap: int) -> Array:
        """Return the cell that a tap meets at each position; −1 in the padding."""
        return self._met(np.arange(self.output), tap)

    def _met(self, position: Any, tap: Any) -> Array:
        cells = position * self.stride + tap * self.dilation - self.before
        return np.where((cells >= 0) & (cells < self.size), cells, -1)

    def inside(self) -> list[int]:
        """Return how many cells of the image, padding left out, each window covers."""
        positions = range(self.output)
        return [sum(cell is not None for _, cell in self.taps(i)) for i in positions]

    def misses(self) -> bool:
        """Return whether some window has no tap in the image, in a time that no size changes."""
        reach = (self.window - 1) * self.dilation
        if (self.output - 1) * self.stride - self.before >= self.size:
            return True
        if self.dilation <= self.size:
            return self.before > reach
        starts = range(-self.before, 0, self.stride)[: self.output]
        return any(-start > reach or start % self.dilation >= self.size for start in starts)

    def counted(self) -> list[int]:
        """Return how many cells, padding included and overhang left out, each window covers."""
        end = self.size + self.after - self.overhang + self.before
        starts = (position * self.stride for position in range(self.output))
        return [len(range(start, min(start + self.extent, end), self.dilation)) for start in starts]

    def positions(self, cell: int) -> Iterator[tuple[int, int]]:
        """Yield (position, tap) of every window that covers `cell`, in order of position."""
        for tap in reversed(range(self.window)):
            place = cell + self.before - tap * self.dilation
            if place % self.stride == 0 and 0 <= place // self.stride < self.output:
                yield place // self.stride, tap


@dataclass(frozen=True)
class Windows:
    """Where a two-dimensional window goes over images of one height and width."""

    rows: Axis
    columns: Axis

    @classmethod
    def over(
        cls,
        op: str,
        size: tuple[int | None, int | None],
        window: Pair,
        strides: Pair,
        padding: Padding,
        dilation: Pair = (1, 1),
        ceil_mode: bool = False,
    ) -> Windows:
        """Return the windows over images of `size`; ShapeError if not even one fits."""
        axes = []
        for i, name in enumerate(("height", "width")):
            (cells,) = known(size[i : i + 1])
            axis = Axis(cells, window[i], strides[i], dilation[i], 0, 0)
            if padding == "same":
                output = -(-cells // strides[i])
                needed = max((output - 1) * strides[i] + axis.extent - cells, 0)
                before, after = needed // 2, needed - needed // 2
            else:
                before, after = (0, 0) if isinstance(padding, str) else padding[i]
            axis = Axis(cells, window[i], strides[i], dilation[i], before, after)
            if axis.output < 1:
                raise ShapeError(
                    f"{op}: a window that reaches over {axis.extent} cells does not fit into the "
                    f"image's {name} of {cells} with padding {before} + {after}. Use a smaller "
                    f"window or padding='same'."
                )
            axes.append(_hung_over(axis) if ceil_mode else axis)
        return cls(*axes)

    @property
    def output(self) -> Pair:
        """The number of positions, (rows, columns)."""
        return self.rows.output, self.columns.output

    @property
    def padding(self) -> tuple[Pair, Pair]:
        """The padding, ((top, bottom), (left, right))."""
        return (self.rows.before, self.rows.after), (self.columns.before, self.columns.after)

    def require_cells(self, op: str) -> None:
        """Raise ShapeError if all taps of some window miss the image."""
        if self.rows.misses() or self.columns.misses():
            raise ShapeError(
                f"{op}: with padding {self.padding} and dilation "
                f"{(self.rows.dilation, self.columns.dilation)}, all taps of a window miss the "
                f"image of {self.rows.size}×{self.columns.size}. Use less padding or dilation."
            )

    def pad(self, x: Array, fill: float = 0.0) -> Array:
        """Return x (N, H, W, C) with its padding, filled with `fill`; x itself if there is none."""
        if any(side for sides in self.padding for side in sides):
            return np.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=fill)
        return x

    def crop(self, padded: Array) -> Array:
        """Return the image without its padding: the adjoint of `pad`."""
        r, c = self.rows, self.columns
        return padded[:, r.before : r.before + r.size, c.before : c.before + c.size]

    def taps(self) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
        """Yield (ky, kx, place) for every tap, in row-major order.

        `padded[place]`, of shape (N, OH, OW, C), is what the tap meets at every position.
        """
        r, c = self.rows, self.columns
        for ky in range(r.window):
            top = ky * r.dilation
            rows = slice(top, top + (r.output - 1) * r.stride + 1, r.stride)
            for kx in range(c.window):
                left = kx * c.dilation
                columns = slice(left, left + (c.output - 1) * c.stride + 1, c.stride)
                yield ky, kx, (slice(None), rows, columns)

    def view(self, x: Array, fill: float = 0.0) -> Array:
        """Return the windows of x (N, H, W, C) as a view (N, OH, OW, KH, KW, C).

        The padding is filled with `fill`; without padding nothing is copied.
        """
        r, c = self.rows, self.columns
        every = sliding_window_view(self.pad(x, fill), (r.extent, c.extent), axis=(1, 2))
        chosen = every[:, :: r.stride, :: c.stride, :, :: r.dilation, :: c.dilation]
        return chosen.transpose(0, 1, 2, 4, 5, 3)

    def zeros(self, batch: int, channels: int, dtype: np.dtype[Any]) -> Array:
        """Return a padded image of zeros, to add windows to."""
        r, c = self.rows, self.columns
        height, width = r.size + r.before + r.after, c.size + c.before + c.after
        return np.zeros((batch, height, width, channels), dtype)

    def overlap_add(self, windows: Array) -> Array:
        """Return the adjoint of `view`: each window (N, OH, OW, KH, KW, C) added back in place."""
        padded = self.zeros(windows.shape[0], windows.shape[-1], windows.dtype)
        for ky, kx, place in self.taps():
            padded[place] += windows[:, :, :, ky, kx]
        return self.crop(padded)


def output_sizes(x: Shape, sizes: Callable[[Shape], Pair]) -> tuple[int | None, int | None]:
    """Return `sizes(x)`, the output's height and width; None where that of x is not known.

    Height and width do not depend on each other: for an unknown one any large number will do.
    """
    height, width = x[1:3]
    seen = (_LARGE if n is None else n for n in (height, width))
    rows, columns = sizes((x[0], *seen, x[3]))
    return None if height is None else rows, None if width is None else columns


_LARGE = 2**14


def _hung_over(axis: Axis) -> Axis:
    """Return the axis with one more window at its end, if it begins before the padding there."""
    begin = axis.output * axis.stride - axis.before
    overhang = begin + axis.extent - axis.size - axis.after
    if begin >= axis.size or overhang >= axis.stride:
        return axis
    return replace(axis, after=axis.after + overhang, overhang=overhang)

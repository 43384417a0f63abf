"""Average pooling: every output pixel is the mean of a window of input pixels.

    y[n, i, j, c] = 1 / count[i, j] · Σ_ky Σ_kx  x[n, i·s + ky·d − p, j·s + kx·d − p, c]

with stride s, dilation d and padding p along each axis; outside the image x is 0. The padding is
left out of the count, so that count[i, j] is the number of the window's cells inside the image.
With `count_include_padding` cells of padding count as well; what a window hangs over never does.

| tensor | shape          |
|--------|----------------|
| x      | (N, H, W, C)   |
| y      | (N, OH, OW, C) |

Source: LeCun, Boser, Denker, Henderson, Howard, Hubbard, Jackel, "Handwritten Digit Recognition
with a Back-Propagation Network", NIPS 2, 1989; 'same' padding and its count are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of
from pellucid.ops._window import Padding, Pair, Windows, check_pooling, output_sizes


@dataclass(frozen=True)
class AveragePool2D(Operation):
    """Average pooling; the module's docstring has the formula.

    Attributes:
        pool_size: The window's height and width.
        strides: How far the window moves, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)), smaller than the window.
        count_include_padding: Whether a cell of padding counts as a pixel that is 0.
        dilation_rate: The distance between the window's taps, (down, right).
        ceil_mode: Whether the last window may hang over the image's end; it begins before the
            padding there.
    """

    pool_size: Pair
    strides: Pair
    padding: Padding = "valid"
    count_include_padding: bool = False
    dilation_rate: Pair = (1, 1)
    ceil_mode: bool = False

    name: ClassVar[str] = "average_pool2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_pooling(self.name, self.pool_size, self.strides, self.padding, self.dilation_rate)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, OH, OW, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        return (x[0], *output_sizes(x, self._output), x[3])

    def forward(self, x: Array) -> Array:
        """Add tap after tap of the window, and divide by the count."""
        windows = self._windows(x.shape)
        padded = windows.pad(x)
        (_, _, first), *others = windows.taps()
        y = padded[first].copy()
        for _, _, place in others:
            y += padded[place]
        y *= self._shares(windows).astype(y.dtype)
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Hand every cell of window (i, j) its share, dy[n, i, j, c] / count[i, j]."""
        if "x" not in wrt:
            return (None,)
        windows = self._windows(x.shape)
        dx = windows.zeros(len(x), x.shape[3], dy.dtype)
        shared = dy * self._shares(windows).astype(dy.dtype)
        for _, _, place in windows.taps():
            dx[place] += shared
        return (windows.crop(dx),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The sum of the window's cells inside the image, row by row, times 1/count."""
        n, i, j, c = cell
        windows = self._windows(x.shape)
        cells = [
            cell_of("x", x, (n, row, column, c))
            for _, row in windows.rows.taps(i)
            for _, column in windows.columns.taps(j)
            if row is not None and column is not None
        ]
        return Product((self._share(windows, i, j), Sum(cells)))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """For each window that covers the cell: dy · 1/count."""
        n, row, column, c = cell
        windows = self._windows(x.shape)
        return Sum(
            [
                Product((cell_of("dy", dy, (n, i, j, c)), self._share(windows, i, j)))
                for i, _ in windows.rows.positions(row)
                for j, _ in windows.columns.positions(column)
            ]
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Windows that touch, overlap or leave gaps; odd sizes; both ways to count."""
        yield Case(cls((2, 2), (2, 2)), ((2, 4, 6, 3),))
        yield Case(cls((2, 2), (2, 2), "same"), ((1, 5, 3, 2),))
        yield Case(cls((3, 2), (1, 2)), ((2, 5, 6, 1),))
        yield Case(cls((3, 3), (2, 1), "same"), ((2, 6, 5, 2),))
        yield Case(cls((2, 1), (3, 2)), ((1, 7, 5, 2),))
        yield Case(cls((3, 4), (2, 3), ((2, 0), (1, 3))), ((2, 4, 5, 1),))
        yield Case(
            cls((3, 3), (2, 2), ((1, 1), (2, 0)), count_include_padding=True), ((2, 5, 5, 2),)
        )
        yield Case(cls((2, 3), (2, 1), "same", dilation_rate=(2, 2)), ((2, 6, 5, 2),))
        for include in (False, True):
            op = cls((3, 2), (2, 3), ((1, 1), (1, 0)), include, (1, 2), ceil_mode=True)
            yield Case(op, ((1, 6, 7, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls((0, 2), (2, 2)), ArgumentError, "pool_size")
        yield Invalid(lambda: cls((2, 2), (2, 0)), ArgumentError, "strides")
        yield Invalid(
            lambda: cls((2, 2), (2, 2), ((0, 0), (0, 2))), ArgumentError, "must be smaller"
        )
        yield Invalid(lambda: cls((2, 2), (2, 2)).output_shape((4, 4, 1)), ShapeError, "4 axes")
        yield Invalid(lambda: cls((2, 3), (2, 2)).output_shape((1, 4, 2, 1)), ShapeError, "width")
        missed = cls((1, 2), (1, 1), ((0, 0), (1, 1)), dilation_rate=(1, 2))
        yield Invalid(lambda: missed.output_shape((1, 4, 1, 1)), ShapeError, "miss the image")

    def _output(self, x: Shape) -> Pair:
        windows = self._windows(x)
        windows.require_cells(self.name)
        return windows.output

    def _windows(self, x: Shape) -> Windows:
        return Windows.over(
            self.name,
            (x[1], x[2]),
            self.pool_size,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.ceil_mode,
        )

    def _shares(self, windows: Windows) -> Array:
        """1/count for every window: (OH, OW, 1)."""
        rows, columns = (
            axis.counted() if self.count_include_padding else axis.inside()
            for axis in (windows.rows, windows.columns)
        )
        return np.asarray(1 / np.outer(rows, columns)[:, :, np.newaxis])

    def _share(self, windows: Windows, i: int, j: int) -> Constant:
        """1/count for one window."""
        share = float(self._shares(windows)[i, j, 0])
        return Constant(f"1/{round(1 / share)}", share)

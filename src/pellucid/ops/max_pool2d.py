"""Max pooling: every output pixel is the largest of a window of input pixels.

    y[n, i, j, c] = max over ky, kx of  x[n, i·s + ky·d − p, j·s + kx·d − p, c]

with stride s, dilation d and padding p along each axis. The padding is −∞: a cell outside the
image never wins. Where several cells are the largest, the first in row-major order wins, and it
alone receives the gradient.

| tensor | shape          |
|--------|----------------|
| x      | (N, H, W, C)   |
| y      | (N, OH, OW, C) |

Source: Zhou and Chellappa, "Computation of Optical Flow Using a Neural Network", IEEE International
Conference on Neural Networks, 1988; 'same' padding is TensorFlow's.
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
from pellucid.ops._terms import Constant, Expression, Maximum, Product, Sum, cell_of
from pellucid.ops._window import Padding, Pair, Windows, check_pooling, output_sizes


@dataclass(frozen=True)
class MaxPool2D(Operation):
    """Max pooling; the module's docstring has the formula.

    Attributes:
        pool_size: The window's height and width.
        strides: How far the window moves, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)), smaller than the window.
        dilation_rate: The distance between the window's taps, (down, right).
        ceil_mode: Whether the last window may hang over the image's end; it begins before the
            padding there, and what it hangs over is no part of it.
    """

    pool_size: Pair
    strides: Pair
    padding: Padding = "valid"
    dilation_rate: Pair = (1, 1)
    ceil_mode: bool = False

    name: ClassVar[str] = "max_pool2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_pooling(self.name, self.pool_size, self.strides, self.padding, self.dilation_rate)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, OH, OW, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        return (x[0], *output_sizes(x, self._output), x[3])

    def forward(self, x: Array) -> Array:
        """Take the larger number, tap after tap of the window."""
        windows = self._windows(x.shape)
        padded = windows.pad(x, -np.inf)
        (_, _, first), *others = windows.taps()
        y = padded[first].copy()
        for _, _, place in others:
            np.maximum(y, padded[place], out=y)
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Hand every dy[n, i, j, c] to the cell that won window (i, j)."""
        if "x" not in wrt:
            return (None,)
        windows = self._windows(x.shape)
        padded = windows.pad(x, -np.inf)
        dx = windows.zeros(len(x), x.shape[3], dy.dtype)
        undecided = np.ones(y.shape, bool)
        for _, _, place in windows.taps():
            won = padded[place] == y
            won &= undecided
            undecided ^= won
            dx[place] += dy * won
        return (windows.crop(dx),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The candidates, which are the window's cells inside the image, row by row."""
        return Maximum([cell_of("x", x, place) for place in self._candidates(cell, x.shape)])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """For each window that covers the cell: dy · 1 where the cell won, dy · 0 where not."""
        n, row, column, c = cell
        windows = self._windows(x.shape)
        shares: list[Expression] = []
        for i, _ in windows.rows.positions(row):
            for j, _ in windows.columns.positions(column):
                places = self._candidates((n, i, j, c), x.shape)
                winner = places[int(np.argmax([x[place] for place in places]))]
                gate = Constant("winner", 1.0) if winner == cell else Constant("loser", 0.0)
                shares.append(Product((cell_of("dy", dy, (n, i, j, c)), gate)))
        return Sum(shares)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Windows that touch, overlap or leave gaps; odd sizes; every kind of padding."""
        yield Case(cls((2, 2), (2, 2)), ((2, 4, 6, 3),))
        yield Case(cls((2, 2), (2, 2)), ((2, 5, 7, 2),))
        yield Case(cls((2, 2), (2, 2), "same"), ((1, 5, 3, 2),))
        yield Case(cls((3, 2), (1, 2)), ((2, 5, 6, 1),))
        yield Case(cls((3, 3), (2, 1), "same"), ((2, 6, 5, 2),))
        yield Case(cls((2, 1), (3, 2)), ((1, 7, 5, 2),))
        yield Case(cls((3, 4), (2, 3), ((2, 0), (1, 3))), ((2, 4, 5, 1),))
        yield Case(cls((1, 1), (1, 1)), ((1, 2, 3, 2),))
        yield Case(cls((2, 3), (2, 1), "same", (2, 2)), ((2, 6, 5, 2),))
        yield Case(cls((3, 2), (2, 3), ((1, 0), (1, 1)), (1, 2), True), ((1, 6, 7, 2),))
        yield Case(cls((3, 2), (3, 2), ceil_mode=True), ((2, 7, 5, 1),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls((0, 2), (2, 2)), ArgumentError, "pool_size")
        yield Invalid(lambda: cls((2, 2), (2, 0)), ArgumentError, "strides")
        yield Invalid(lambda: cls((2, 2), (2, 2), "full"), ArgumentError, "'valid', 'same'")
        yield Invalid(
            lambda: cls((2, 2), (2, 2), ((2, 0), (0, 0))), ArgumentError, "must be smaller"
        )
        yield Invalid(lambda: cls((2, 2), (2, 2)).output_shape((4, 4, 1)), ShapeError, "4 axes")
        yield Invalid(lambda: cls((3, 2), (2, 2)).output_shape((1, 2, 4, 1)), ShapeError, "height")
        missed = cls((2, 1), (1, 1), ((1, 1), (0, 0)), (2, 1))
        yield Invalid(lambda: missed.output_shape((1, 1, 4, 1)), ShapeError, "miss the image")

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

    def _candidates(self, cell: tuple[int, ...], x: Shape) -> list[tuple[int, ...]]:
        """The places of x inside the window of y[cell], in row-major order."""
        n, i, j, c = cell
        windows = self._windows(x)
        return [
            (n, row, column, c)
            for _, row in windows.rows.taps(i)
            for _, column in windows.columns.taps(j)
            if row is not None and column is not None
        ]

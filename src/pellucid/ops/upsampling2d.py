"""Upsampling: every image becomes a whole number of times as high and as wide.

    nearest:   y[n, i, j, c] = x[n, ⌊i / SH⌋, ⌊j / SW⌋, c]
    bilinear:  y[n, i, j, c] = Σ_h Σ_w  R[i, h] · S[j, w] · x[n, h, w, c]

Row i of R weighs the two rows of x that lie around (i + ½) / SH − ½, by nearness; at the edges both
are the same row. S does so for columns. These are half-pixel centres: pixels are little squares,
and the picture's corners stay where they are.

| tensor | shape                  |
|--------|------------------------|
| x      | (N, H, W, C)           |
| y      | (N, SH · H, SW · W, C) |

Source: the layer of the same name in Keras; half-pixel centres as in TensorFlow 2's image.resize.
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
from pellucid.ops._window import Pair, check_pair


@dataclass(frozen=True)
class UpSampling2D(Operation):
    """Upsampling; the module's docstring has the formula.

    Attributes:
        size: How many times as high and as wide, (SH, SW).
        interpolation: 'nearest' or 'bilinear'.
    """

    size: Pair = (2, 2)
    interpolation: str = "nearest"

    name: ClassVar[str] = "upsampling2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_pair(self.name, "size", self.size)
        if self.interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(
                f"{self.name}: interpolation must be 'nearest' or 'bilinear', "
                f"received {self.interpolation!r}."
            )

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, SH · H, SW · W, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        height, width = (
            None if cells is None else cells * times
            for cells, times in zip(x[1:3], self.size, strict=True)
        )
        return (x[0], height, width, x[3])

    def forward(self, x: Array) -> Array:
        """Repeat rows and columns, or mix neighbouring ones."""
        if self.interpolation == "nearest":
            return x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2)
        rows, columns = self._weights(x)
        return _mix(x, rows, columns)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return to every pixel the gradients of the pixels that it went into, as weighed there."""
        if "x" not in wrt:
            return (None,)
        if self.interpolation == "nearest":
            dx = np.zeros(x.shape, dy.dtype)
            for i, j in np.ndindex(self.size):
                dx += dy[:, i :: self.size[0], j :: self.size[1]]
            return (dx,)
        rows, columns = self._weights(x)
        return (_mix(dy, rows.T, columns.T),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The pixel, or up to four of them with their weights."""
        n, i, j, c = cell
        if self.interpolation == "nearest":
            return cell_of("x", x, (n, i // self.size[0], j // self.size[1], c))
        rows, columns = self._weights(x)
        return _weighted("x", x, n, c, rows[i], columns[j])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradients of the pixels that this one went into, as weighed there."""
        n, row, column, c = cell
        if self.interpolation == "nearest":
            top, left = row * self.size[0], column * self.size[1]
            block = np.ndindex(self.size)
            return Sum([cell_of("dy", dy, (n, top + i, left + j, c)) for i, j in block])
        rows, columns = self._weights(x)
        return _weighted("dy", dy, n, c, rows[:, row], columns[:, column])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both interpolations, even, odd and different factors, images of one row or column."""
        for interpolation in ("nearest", "bilinear"):
            yield Case(cls((2, 2), interpolation), ((2, 3, 4, 2),))
            yield Case(cls((3, 1), interpolation), ((1, 4, 2, 3),))
            yield Case(cls((2, 5), interpolation), ((2, 1, 3, 1),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls((0, 2)), ArgumentError, "size")
        yield Invalid(lambda: cls((2, 2), "cubic"), ArgumentError, "'nearest' or 'bilinear'")
        yield Invalid(lambda: cls().output_shape((3, 3, 1)), ShapeError, "4 axes")

    def _weights(self, x: Array) -> tuple[Array, Array]:
        """R (SH·H, H) and S (SW·W, W)."""
        rows, columns = (
            _bilinear(cells, times, x.dtype)
            for cells, times in zip(x.shape[1:3], self.size, strict=True)
        )
        return rows, columns


def _bilinear(cells: int, times: int, dtype: np.dtype[np.floating]) -> Array:
    """The weight of each of `cells` input cells in each of the output cells along one axis."""
    outputs = np.arange(cells * times)
    centre = (outputs + 0.5) / times - 0.5
    low = np.floor(centre)
    weights = np.zeros((len(outputs), cells))
    for cell, weight in ((low, low + 1 - centre), (low + 1, centre - low)):
        inside = np.clip(cell, 0, cells - 1).astype(int)
        weights[outputs, inside] += weight
    return weights.astype(dtype)


def _mix(x: Array, rows: Array, columns: Array) -> Array:
    """Σ_h Σ_w rows[i, h] · columns[j, w] · x[n, h, w, c], one axis after the other."""
    n, _, width, channels = x.shape
    tall = rows @ x.reshape(n, rows.shape[1], width * channels)
    wide = columns @ tall.reshape(n * len(rows), width, channels)
    return np.asarray(wide.reshape(n, len(rows), len(columns), channels))


def _weighted(name: str, tensor: Array, n: int, c: int, rows: Array, columns: Array) -> Sum:
    """The cells of one channel of one image that have a weight, with it, row by row."""
    return Sum(
        [
            Product(
                (
                    Constant("weight", float(rows[i]) * float(columns[j])),
                    cell_of(name, tensor, (n, i, j, c)),
                )
            )
            for i in np.flatnonzero(rows).tolist()
            for j in np.flatnonzero(columns).tolist()
        ]
    )

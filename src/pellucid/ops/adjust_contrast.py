"""Contrast: every pixel's distance from its channel's mean, times a factor for the image.

    y[n, i, j, c] = mean[n, c] + factors[n] · (x[n, i, j, c] − mean[n, c])

with mean[n, c] = 1 / (H·W) · Σ_i Σ_j x[n, i, j, c]. The factors are an input, drawn by whoever
trains: the operation itself has no randomness.

| tensor  | shape        |
|---------|--------------|
| x       | (N, H, W, C) |
| factors | (N, 1)       |
| y       | as x         |

Source: `keras.layers.RandomContrast`, without the draw and without clipping.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._moments import centred, mean, mean_of_terms
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Cell, Constant, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class AdjustContrast(Operation):
    """Contrast; the module's docstring has the formula."""

    name: ClassVar[str] = "adjust_contrast"
    inputs: ClassVar[tuple[str, ...]] = ("x", "factors")
    constant: ClassVar[frozenset[str]] = frozenset({"factors"})

    def output_shape(self, x: Shape, factors: Shape) -> Shape:
        """Return the shape of x."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        if factors != (x[0], 1):
            raise ShapeError(
                f"{self.name}: expected factors of shape ({x[0]}, 1), one for each image, "
                f"received {factors}."
            )
        return x

    def forward(self, x: Array, factors: Array) -> Array:
        """Subtract each channel's mean, multiply, add it again."""
        middle = np.mean(x, axis=(1, 2), keepdims=True)
        y: Array = x - middle
        y *= _for_images(factors, x)
        y += middle
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, factors: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = factor · dy + (1 − factor) · mean(dy): the mean depends on every pixel."""
        if "x" not in wrt:
            return None, None
        factor = _for_images(factors, dy)
        return factor * dy + (1 - factor) * dy.mean(axis=(1, 2), keepdims=True), None

    def terms(self, cell: tuple[int, ...], x: Array, factors: Array) -> Expression:
        """Return mean + factor · (x − mean), with the mean written out."""
        middle = mean(_channel("x", x, cell))
        factor = cell_of("factors", factors, (cell[0], 0))
        return Sum((middle, Product((factor, centred(cell_of("x", x, cell), middle)))))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array, factors: Array
    ) -> Expression:
        """Return factor · dy + (1 − factor) · mean of dy."""
        factor = cell_of("factors", factors, (cell[0], 0))
        rest = Sum((Constant("1", 1.0), Product((Constant("-1", -1.0), factor))))
        above = mean_of_terms("mean of dy", _channel("dy", dy, cell))
        return Sum((Product((factor, cell_of("dy", dy, cell))), Product((rest, above))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Several images and factors, and an image of one pixel."""
        yield Case(cls(), ((3, 4, 3, 2), (3, 1)))
        yield Case(cls(), ((2, 1, 1, 3), (2, 1)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that cannot be."""
        yield Invalid(lambda: cls().output_shape((2, 3, 4), (2, 1)), ShapeError, "4 axes")
        yield Invalid(lambda: cls().output_shape((2, 3, 4, 1), (2,)), ShapeError, "factors")


def _for_images(factors: Array, x: Array) -> Array:
    """The factors as (N, 1, 1, 1), in x's type."""
    return factors.astype(x.dtype)[:, :, np.newaxis, np.newaxis]


def _channel(name: str, tensor: Array, cell: tuple[int, ...]) -> list[Cell]:
    """The cells of the same image and channel, row by row."""
    n, _, _, c = cell
    return [cell_of(name, tensor, (n, i, j, c)) for i, j in np.ndindex(tensor.shape[1:3])]

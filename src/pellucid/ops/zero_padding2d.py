"""Zero padding: rows and columns of zeros around every image.

    y[n, i, j, c] = x[n, i − top, j − left, c],   and 0 outside the image

| tensor | shape                                      |
|--------|--------------------------------------------|
| x      | (N, H, W, C)                               |
| y      | (N, H + top + bottom, W + left + right, C) |

Source: the layer of the same name in Keras.
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
from pellucid.ops._terms import Constant, Expression, cell_of
from pellucid.ops._window import Pair, check_sides


@dataclass(frozen=True)
class ZeroPadding2D(Operation):
    """Zero padding; the module's docstring has the formula.

    Attributes:
        padding: ((top, bottom), (left, right)).
    """

    padding: tuple[Pair, Pair]

    name: ClassVar[str] = "zero_padding2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_sides(self.name, "padding", self.padding)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, H + top + bottom, W + left + right, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        height, width = (
            None if size is None else size + sum(sides)
            for size, sides in zip(x[1:3], self.padding, strict=True)
        )
        return (x[0], height, width, x[3])

    def forward(self, x: Array) -> Array:
        """Put the image into an array of zeros."""
        return np.pad(x, ((0, 0), *self.padding, (0, 0)))

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Cut the image out of dy."""
        (top, _), (left, _) = self.padding
        return (dy[:, top : top + x.shape[1], left : left + x.shape[2]],)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The pixel, or the padding's 0."""
        (top, _), (left, _) = self.padding
        n, i, j, c = cell
        i, j = i - top, j - left
        if 0 <= i < x.shape[1] and 0 <= j < x.shape[2]:
            return cell_of("x", x, (n, i, j, c))
        return Constant("padding", 0.0)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient where the pixel went."""
        (top, _), (left, _) = self.padding
        n, i, j, c = cell
        return cell_of("dy", dy, (n, i + top, j + left, c))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Padding on all sides, on one, on none."""
        yield Case(cls(((1, 2), (3, 0))), ((2, 3, 4, 2),))
        yield Case(cls(((0, 0), (0, 1))), ((1, 2, 2, 3),))
        yield Case(cls(((0, 0), (0, 0))), ((2, 2, 3, 1),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(((0, -1), (0, 0))), ArgumentError, "padding")
        yield Invalid(lambda: cls(((1, 1), (1, 1))).output_shape((3, 3, 1)), ShapeError, "4 axes")

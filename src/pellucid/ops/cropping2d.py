"""Cropping: rows and columns cut off the edges of every image.

    y[n, i, j, c] = x[n, i + top, j + left, c]

| tensor | shape                                      |
|--------|--------------------------------------------|
| x      | (N, H, W, C)                               |
| y      | (N, H − top − bottom, W − left − right, C) |

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
class Cropping2D(Operation):
    """Cropping; the module's docstring has the formula.

    Attributes:
        cropping: ((top, bottom), (left, right)).
    """

    cropping: tuple[Pair, Pair]

    name: ClassVar[str] = "cropping2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_sides(self.name, "cropping", self.cropping)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, H − top − bottom, W − left − right, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        sizes: list[int | None] = []
        for size, sides in zip(x[1:3], self.cropping, strict=True):
            if size is not None and size <= sum(sides):
                raise ShapeError(
                    f"{self.name}: cropping {self.cropping} leaves nothing of images of shape "
                    f"{x[1:]}. Crop less than the height and the width."
                )
            sizes.append(None if size is None else size - sum(sides))
        return (x[0], *sizes, x[3])

    def forward(self, x: Array) -> Array:
        """Cut the middle out."""
        return x[self._middle(x.shape)].copy()

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Put dy in the middle of zeros: what was cut off changes nothing."""
        return (np.pad(dy, ((0, 0), *self.cropping, (0, 0))),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The pixel."""
        (top, _), (left, _) = self.cropping
        n, i, j, c = cell
        return cell_of("x", x, (n, i + top, j + left, c))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient where the pixel went, or 0 for one that was cut off."""
        (top, _), (left, _) = self.cropping
        n, i, j, c = cell
        i, j = i - top, j - left
        if 0 <= i < dy.shape[1] and 0 <= j < dy.shape[2]:
            return cell_of("dy", dy, (n, i, j, c))
        return Constant("cropped", 0.0)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Cropping on all sides, on one, on none."""
        yield Case(cls(((1, 2), (3, 0))), ((2, 5, 4, 2),))
        yield Case(cls(((0, 0), (0, 1))), ((1, 2, 2, 3),))
        yield Case(cls(((0, 0), (0, 0))), ((2, 2, 3, 1),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(((0, -1), (0, 0))), ArgumentError, "cropping")
        yield Invalid(lambda: cls(((1, 1), (1, 1))).output_shape((3, 3, 1)), ShapeError, "4 axes")
        yield Invalid(
            lambda: cls(((1, 1), (1, 1))).output_shape((1, 3, 2, 1)), ShapeError, "leaves nothing"
        )

    def _middle(self, x: tuple[int, ...]) -> tuple[slice, ...]:
        (top, bottom), (left, right) = self.cropping
        return slice(None), slice(top, x[1] - bottom), slice(left, x[2] - right)

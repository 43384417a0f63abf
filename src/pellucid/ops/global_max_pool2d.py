"""Global max pooling: every channel of an image becomes its largest pixel.

    y[n, c] = max over i, j of  x[n, i, j, c]

Where several pixels are the largest, the first in row-major order wins, and it alone receives the
gradient.

| tensor | shape                              |
|--------|------------------------------------|
| x      | (N, H, W, C)                       |
| y      | (N, C), with keepdims (N, 1, 1, C) |

Source: Oquab, Bottou, Laptev, Sivic, "Is Object Localization for Free? Weakly-Supervised Learning
with Convolutional Neural Networks", CVPR, 2015.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Constant, Expression, Maximum, Product, cell_of


@dataclass(frozen=True)
class GlobalMaxPool2D(Operation):
    """Global max pooling; the module's docstring has the formula.

    Attributes:
        keepdims: Whether y keeps the height and width axes, with size 1.
    """

    keepdims: bool = False

    name: ClassVar[str] = "global_max_pool2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, C) or (N, 1, 1, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        return (x[0], 1, 1, x[3]) if self.keepdims else (x[0], x[3])

    def forward(self, x: Array) -> Array:
        """Take the largest pixel of each channel."""
        return np.asarray(x.max(axis=(1, 2), keepdims=self.keepdims))

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Hand dy[n, c] to the pixel that won."""
        if "x" not in wrt:
            return (None,)
        n, height, width, channels = x.shape
        dx = np.zeros((n, height * width, channels), dy.dtype)
        winners = x.reshape(dx.shape).argmax(axis=1)[:, np.newaxis]
        np.put_along_axis(dx, winners, dy.reshape(n, 1, channels), axis=1)
        return (dx.reshape(x.shape),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The candidates: every pixel of the channel, row by row."""
        n, c = cell[0], cell[-1]
        return Maximum([cell_of("x", x, (n, i, j, c)) for i, j in np.ndindex(x.shape[1:3])])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """Return dy · 1 where the pixel won, dy · 0 where not."""
        n, i, j, c = cell
        won = int(x[n, :, :, c].argmax()) == i * x.shape[2] + j
        gate = Constant("winner", 1.0) if won else Constant("loser", 0.0)
        pooled = (n, 0, 0, c) if self.keepdims else (n, c)
        return Product((cell_of("dy", dy, pooled), gate))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """With and without the pooled axes, and an image of one pixel."""
        yield Case(cls(), ((3, 4, 5, 2),))
        yield Case(cls(keepdims=True), ((2, 3, 2, 3),))
        yield Case(cls(), ((1, 1, 1, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that cannot be."""
        yield Invalid(lambda: cls().output_shape((2, 3, 4)), ShapeError, "4 axes")

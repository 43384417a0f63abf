"""Global average pooling: every channel of an image becomes the mean of its pixels.

    y[n, c] = 1 / (H·W) · Σ_i Σ_j  x[n, i, j, c]

| tensor | shape                              |
|--------|------------------------------------|
| x      | (N, H, W, C)                       |
| y      | (N, C), with keepdims (N, 1, 1, C) |

Source: Lin, Chen, Yan, "Network in Network", ICLR, 2014.
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
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class GlobalAveragePool2D(Operation):
    """Global average pooling; the module's docstring has the formula.

    Attributes:
        keepdims: Whether y keeps the height and width axes, with size 1.
    """

    keepdims: bool = False

    name: ClassVar[str] = "global_average_pool2d"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, C) or (N, 1, 1, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        return (x[0], 1, 1, x[3]) if self.keepdims else (x[0], x[3])

    def forward(self, x: Array) -> Array:
        """Average the pixels of each channel."""
        return np.asarray(x.mean(axis=(1, 2), keepdims=self.keepdims))

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Hand every pixel its share, dy[n, c] / (H·W)."""
        if "x" not in wrt:
            return (None,)
        n, height, width, channels = x.shape
        share = dy.reshape(n, 1, 1, channels) / (height * width)
        return (np.broadcast_to(share, x.shape).copy(),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The sum of the channel's pixels, row by row, times 1/(H·W)."""
        n, c = cell[0], cell[-1]
        pixels = [cell_of("x", x, (n, i, j, c)) for i, j in np.ndindex(x.shape[1:3])]
        return Product((_share(x.shape), Sum(pixels)))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """Return dy · 1/(H·W)."""
        n, c = cell[0], cell[-1]
        pooled = (n, 0, 0, c) if self.keepdims else (n, c)
        return Product((cell_of("dy", dy, pooled), _share(x.shape)))

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


def _share(x: tuple[int, ...]) -> Constant:
    return Constant(f"1/{x[1] * x[2]}", 1 / (x[1] * x[2]))

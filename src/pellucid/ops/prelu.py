"""Parametric ReLU: the negative numbers made smaller by slopes that are learned.

    y = x where x > 0, else alpha · x

| tensor | shape                                                      |
|--------|------------------------------------------------------------|
| x      | (N, …)                                                     |
| alpha  | x's last axes; 1 along an axis that shares one slope       |
| y      | as x's                                                     |

At 0 the slope is alpha.

Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers: Surpassing Human-Level Performance on
ImageNet Classification", ICCV 2015.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._merge import folded, place_read, places_spread_to
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Cell, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class PReLU(Operation):
    """Parametric ReLU; the module's docstring has the formula."""

    name: ClassVar[str] = "prelu"
    inputs: ClassVar[tuple[str, ...]] = ("x", "alpha")

    def output_shape(self, x: Shape, alpha: Shape) -> Shape:
        """Return the shape of x."""
        own = x[len(x) - len(alpha) :]
        if len(alpha) > len(x) or any(
            n is not None and a not in (1, n) for a, n in zip(alpha, own, strict=True)
        ):
            raise ShapeError(
                f"prelu: expected alpha of a shape that spreads to x's, {x}: its last sizes, or 1 "
                f"along some axes; received {alpha}."
            )
        return x

    def forward(self, x: Array, alpha: Array) -> Array:
        """Multiply what is not positive by its slope."""
        return np.where(x > 0, x, alpha * x)

    def backward(
        self, dy: Array, y: Array, x: Array, alpha: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x and alpha.

        dx     = dy where x > 0, else dy · alpha
        dalpha = Σ dy · min(x, 0) over the batch and the axes that share a slope
        """
        dx = dalpha = None
        if "x" in wrt:
            dx = np.where(x > 0, dy, dy * alpha)
        if "alpha" in wrt:
            dalpha = folded(dy * np.minimum(x, 0), alpha.shape)
        return dx, dalpha

    def terms(self, cell: tuple[int, ...], x: Array, alpha: Array) -> Expression:
        """The number itself, or the number times its slope."""
        pixel, slope = cell_of("x", x, cell), _slope(alpha, cell)
        return pixel if pixel.value > 0 else Product((slope, pixel))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array, alpha: Array
    ) -> Expression:
        """For x: the gradient behind it times the slope; for alpha: each place it was used at."""
        if wrt == "x":
            above = cell_of("dy", dy, cell)
            return above if x[cell] > 0 else Product((above, _slope(alpha, cell)))
        return Sum(
            [
                Product((cell_of("dy", dy, place), _negative(cell_of("x", x, place))))
                for place in places_spread_to(cell, alpha.shape, x.shape)
            ]
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """A slope for each number, for each channel, and one for all."""
        yield Case(cls(), ((3, 4), (4,)))
        yield Case(cls(), ((2, 3, 2, 4), (3, 2, 4)))
        yield Case(cls(), ((2, 3, 2, 4), (1, 1, 4)))
        yield Case(cls(), ((2, 3, 2), (1, 1)))
        yield Case(cls(), ((2, 3, 2), (2, 1, 1)))
        yield Case(cls(), ((2, 3), ()))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Slopes that do not fit."""
        yield Invalid(lambda: cls().output_shape((2, 3), (4,)), ShapeError, "alpha")
        yield Invalid(lambda: cls().output_shape((2, 3), (1, 2, 3)), ShapeError, "alpha")


def _slope(alpha: Array, cell: tuple[int, ...]) -> Cell:
    return cell_of("alpha", alpha, place_read(cell, alpha.shape))


def _negative(pixel: Cell) -> Expression:
    return Call("min(x, 0)", (pixel,), lambda value: min(value, 0.0))

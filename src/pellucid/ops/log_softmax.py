"""The logarithms of softmax's probabilities, without ever taking the logarithm of 0.

    y[i] = x[i] − log Σ_j exp(x[j])        i and j along `axis`

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

The largest x is subtracted from all first: y stays the same, and nothing overflows.

Source: as softmax.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import axis_index
from pellucid.ops._stable import exponentials
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum, cell_of
from pellucid.ops.softmax import lane, probability, shifted, total_of


@dataclass(frozen=True)
class LogSoftmax(Operation):
    """Logarithms of probabilities; the module's docstring has the formula.

    Attributes:
        axis: The axis along which the probabilities add up to 1.
    """

    axis: int = -1

    name: ClassVar[str] = "log_softmax"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        axis_index(self.name, self.axis, x)
        return x

    def forward(self, x: Array) -> Array:
        """Subtract the logarithm of the sum of the exponentials."""
        z, _, total = exponentials(x, self.axis)
        z -= np.log(total)
        return z

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = dy − exp(y) · Σ_j dy[j]."""
        return (dy - np.exp(y) * dy.sum(axis=self.axis, keepdims=True),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, less the logarithm of the sum of all exponentials."""
        numbers = shifted("x", x, cell, self.axis)
        log = Named("logarithm of the sum", Call("log", (total_of(numbers),), math.log))
        return Sum((numbers[cell[self.axis]], Product((Constant("−1", -1.0), log))))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The cell's own dy, less its probability's share of all."""
        total = Sum([cell_of("dy", dy, place) for place in lane(cell, x, self.axis)])
        chance = Named("probability", probability("x", x, cell, self.axis))
        share = Product((Constant("−1", -1.0), chance, Named("sum of dy", total)))
        return Sum((cell_of("dy", dy, cell), share))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every axis, one class, numbers far apart."""
        yield Case(cls(), ((3, 5),))
        yield Case(cls(axis=1), ((2, 3, 4),))
        yield Case(cls(axis=-2), ((1, 2, 3, 2),))
        yield Case(cls(), ((2, 1),))
        yield Case(cls(), ((2, 4),), lambda generator: (generator.normal(-30, 3, (2, 4)),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """An axis that is not there."""
        yield Invalid(lambda: cls(axis=-3).output_shape((3, 4)), ShapeError, "no axis -3")

"""Unit normalisation: each sample scaled to a length of 1.

    y = x · r,     r = min(1 / √(Σ x²), 1 / ε)

with one sum for each group of numbers that differ only in their place along `axis`. What is
shorter than ε is divided by ε, so that zeros stay zeros.

| tensor | shape           |
|--------|-----------------|
| x      | any of rank ≥ 2 |
| y      | as x            |

Source: the layer of the same name in Keras; it is ONNX' LpNormalization with p = 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._along_axes import AlongAxes
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Shape
from pellucid.ops._terms import Call, Cell, Constant, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class UnitNormalization(AlongAxes):
    """Unit normalisation; the module's docstring has the formula.

    Attributes:
        axis: The axis to measure along, or several, in ascending order.
        epsilon: ε, the smallest length to divide by.
    """

    epsilon: float = 1e-12

    name: ClassVar[str] = "unit_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        self.check_shapes(x)
        return x

    def forward(self, x: Array) -> Array:
        """Divide every group by its length."""
        y: Array = x * self._reciprocal(x)
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = r · (dy − y · Σ dy · y); only r · dy where x is shorter than ε."""
        r = self._reciprocal(x)
        along = (dy * y).sum(axis=self._axes(x.ndim), keepdims=True)
        return (r * (dy - np.where(r < 1 / self.epsilon, y * along, 0)),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """Return x · r, with the sum of the squares written out."""
        return Product((cell_of("x", x, cell), self._root(self._group(x, cell))))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The formula of `backward`, over one group."""
        group = self._group(x, cell)
        root = self._root(group)
        own = cell_of("dy", dy, cell)
        if root.value >= 1 / self.epsilon:
            return Product((root, own))
        products = [
            Product((cell_of("dy", dy, at.index), cell_of("y", y, at.index))) for at in group
        ]
        along = Product((Constant("-1", -1.0), cell_of("y", y, cell), Sum(products)))
        return Product((root, Sum((own, along))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Rows and images; one axis and several; a length below ε."""

        def uniform(*shape: int) -> Callable[[np.random.Generator], tuple[Array | None, ...]]:
            return lambda generator: (generator.uniform(-1, 2, shape),)

        yield Case(cls(), ((3, 4),), uniform(3, 4))
        yield Case(cls(axis=(1, 2)), ((2, 3, 2, 2),), uniform(2, 3, 2, 2))
        yield Case(cls(epsilon=50.0), ((2, 3),), uniform(2, 3))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(axis=()), ArgumentError, "axis")
        yield Invalid(lambda: cls(axis=0).output_shape((2, 3)), ShapeError, "batch")

    def _reciprocal(self, x: Array) -> Array:
        """r, with an axis of size 1 for each that is normalised."""
        lengths = np.sqrt(np.square(x).sum(axis=self._axes(x.ndim), keepdims=True))
        return np.asarray(1 / np.maximum(lengths, self.epsilon))

    def _root(self, group: Sequence[Cell]) -> Call:
        squares = [Call("square", (cell,), lambda x: x * x) for cell in group]
        return Call(
            "1/length", (Sum(squares),), lambda total: 1 / max(math.sqrt(total), self.epsilon)
        )

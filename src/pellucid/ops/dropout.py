"""Dropout: each number is kept with probability 1 − rate, and then scaled up; else it is 0.

    y = x · mask / (1 − rate)

so that the mean of y over many masks is x. The mask is an input, drawn by whoever trains: the
operation itself has no randomness. A mask of fewer numbers, with an axis of size 1, drops whole
rows, columns or channels at once.

| tensor | shape                                        |
|--------|----------------------------------------------|
| x      | (N, …)                                       |
| mask   | as x, or 1 along some axes; 1 keeps, 0 drops |
| y      | as x                                         |

Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: A Simple Way to Prevent
Neural Networks from Overfitting", JMLR 15, 2014; scaling in training, not later, is Keras'.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Constant, Expression, Product, cell_of


@dataclass(frozen=True)
class Dropout(Operation):
    """Dropout; the module's docstring has the formula.

    Attributes:
        rate: The share of numbers to drop, from 0 to 1; with 1 everything is 0.
    """

    rate: float

    name: ClassVar[str] = "dropout"
    inputs: ClassVar[tuple[str, ...]] = ("x", "mask")
    constant: ClassVar[frozenset[str]] = frozenset({"mask"})

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ArgumentError(f"{self.name}: rate must be from 0 to 1, received {self.rate!r}.")

    def output_shape(self, x: Shape, mask: Shape) -> Shape:
        """Return the shape of x."""
        if len(x) != len(mask) or any(m not in (1, n) for n, m in zip(x, mask, strict=False)):
            raise ShapeError(
                f"{self.name}: expected a mask of x's shape {x}, or of size 1 along some of its "
                f"axes, received {mask}."
            )
        return x

    def forward(self, x: Array, mask: Array) -> Array:
        """Multiply by the mask and by 1 / (1 − rate)."""
        y = np.multiply(x, mask, dtype=x.dtype)
        y *= self._scale
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, mask: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = dy · mask / (1 − rate)."""
        return (self.forward(dy, mask) if "x" in wrt else None, None)

    def terms(self, cell: tuple[int, ...], x: Array, mask: Array) -> Expression:
        """The number, its place in the mask, and the scale."""
        return self._product("x", x, cell, mask)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array, mask: Array
    ) -> Expression:
        """The gradient above, its place in the mask, and the scale."""
        return self._product("dy", dy, cell, mask)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Rates from 0 to 1; a mask for each number, and one for whole channels."""
        yield cls(0.5)._case((3, 4), (3, 4))
        yield cls(0.2)._case((2, 3, 3, 2), (2, 1, 1, 2))
        yield cls(0.0)._case((2, 3), (2, 3))
        yield cls(1.0)._case((2, 3), (2, 3))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(1.5), ArgumentError, "rate")
        yield Invalid(lambda: cls(-0.1), ArgumentError, "rate")
        yield Invalid(lambda: cls(0.5).output_shape((2, 3), (3,)), ShapeError, "mask")
        yield Invalid(lambda: cls(0.5).output_shape((2, 3), (2, 2)), ShapeError, "mask")

    @property
    def _scale(self) -> float:
        return 0.0 if self.rate == 1 else 1 / (1 - self.rate)

    def _product(self, name: str, tensor: Array, cell: tuple[int, ...], mask: Array) -> Expression:
        place = [at if size > 1 else 0 for at, size in zip(cell, mask.shape, strict=True)]
        scale = Constant("1/(1 - rate)", self._scale)
        return Product((cell_of(name, tensor, cell), cell_of("mask", mask, place), scale))

    def _case(self, shape: tuple[int, ...], mask: tuple[int, ...]) -> Case:
        def make(generator: np.random.Generator) -> tuple[Array, ...]:
            kept = generator.random(mask) >= self.rate
            return generator.standard_normal(shape), kept.astype(np.float64)

        return Case(self, (shape, mask), make)

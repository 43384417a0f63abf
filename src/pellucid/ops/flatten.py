"""Every sample as one row: all axes but the first become one, the last axis running fastest.

    y[n, (i·W + j)·C + c] = x[n, i, j, c]

| tensor | shape            |
|--------|------------------|
| x      | (N, …)           |
| y      | (N, product of …)|

A tensor of shape (N,) becomes (N, 1), as in Keras.

Source: Keras' Flatten layer, channels last.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import product
from pellucid.ops._terms import Expression, cell_of


@dataclass(frozen=True)
class Flatten(Operation):
    """All axes but the first as one; the module's docstring has the formula."""

    name: ClassVar[str] = "flatten"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, product of the other sizes)."""
        if not x:
            raise ShapeError("flatten: expected x with at least 1 axis (N, …), received shape ().")
        return (x[0], product(x[1:]))

    def forward(self, x: Array) -> Array:
        """Read the same numbers in another shape."""
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy in the shape of x."""
        return (dy.reshape(x.shape),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, from where it stood."""
        place = np.unravel_index(cell[1], x.shape[1:]) if x.ndim > 1 else ()
        return cell_of("x", x, (cell[0], *(int(i) for i in place)))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient of the one number, from where it went."""
        place = np.ravel_multi_index(cell[1:], x.shape[1:]) if x.ndim > 1 else 0
        return cell_of("dy", dy, (cell[0], int(place)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One to four axes."""
        yield Case(cls(), ((2, 3, 4, 2),))
        yield Case(cls(), ((1, 5, 3),))
        yield Case(cls(), ((3, 4),))
        yield Case(cls(), ((3,),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """A number has no batch axis."""
        yield Invalid(lambda: cls().output_shape(()), ShapeError, "at least 1 axis")

"""The penalty on large weights: l1 times their absolute values plus l2 times their squares.

    y = l1 · Σ_i |w[i]| + l2 · Σ_i w[i]²

| tensor | shape |
|--------|-------|
| w      | any   |
| y      | ()    |

At w[i] = 0 the gradient of |w[i]| is taken to be 0.

Source: Tibshirani, "Regression Shrinkage and Selection via the Lasso", 1996 (l1); Hoerl, Kennard,
"Ridge Regression", Technometrics 12(1), 1970 (l2).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Constant, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class L1L2(Operation):
    """The penalty on large weights; the module's docstring has the formula.

    Attributes:
        l1: The factor of the absolute values.
        l2: The factor of the squares.
    """

    l1: float = 0.0
    l2: float = 0.0

    name: ClassVar[str] = "l1_l2"
    inputs: ClassVar[tuple[str, ...]] = ("w",)

    def __post_init__(self) -> None:
        for factor, value in (("l1", self.l1), ("l2", self.l2)):
            if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise ArgumentError(
                    f"l1_l2: {factor} must be a finite number of at least 0, received {value!r}."
                )

    def output_shape(self, w: Shape) -> Shape:
        """Return ()."""
        return ()

    def forward(self, w: Array) -> Array:
        """Add up the penalties of all weights."""
        penalty = w.dtype.type(0)
        if self.l1:
            penalty += w.dtype.type(self.l1) * np.abs(w).sum()
        if self.l2:
            penalty += w.dtype.type(self.l2) * np.square(w).sum()
        return np.asarray(penalty)

    def backward(
        self, dy: Array, y: Array, w: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dw = dy · (l1 · sign(w) + 2 · l2 · w)."""
        slope = (2 * self.l2) * w
        if self.l1:
            slope += self.l1 * np.sign(w)
        return (dy * slope,)

    def terms(self, cell: tuple[int, ...], w: Array) -> Expression:
        """The penalty of every weight."""
        sizes = [Call("|w|", (cell_of("w", w, place),), abs) for place in np.ndindex(w.shape)]
        squares = [Product((cell_of("w", w, place),) * 2) for place in np.ndindex(w.shape)]
        return Sum(
            (
                Product((Constant("l1", self.l1), Sum(sizes))),
                Product((Constant("l2", self.l2), Sum(squares))),
            )
        )

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, w: Array
    ) -> Expression:
        """A constant pull of l1 towards 0, and one of l2 that grows with the weight."""
        weight = cell_of("w", w, cell)
        sign = Call("sign", (weight,), np.sign)
        pulls = (
            Product((Constant("l1", self.l1), sign)),
            Product((Constant("2·l2", 2 * self.l2), weight)),
        )
        return Product((cell_of("dy", dy, ()), Sum(pulls)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Either penalty, both and none, on kernels and biases."""
        yield Case(cls(l1=0.01), ((3, 2, 2),))
        yield Case(cls(l2=0.02), ((3, 4),))
        yield Case(cls(l1=0.3, l2=0.2), ((5,),))
        yield Case(cls(), ((2, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Factors that would reward large weights."""
        yield Invalid(lambda: cls(l1=-0.1), ArgumentError, "l1")
        yield Invalid(lambda: cls(l2=math.nan), ArgumentError, "l2")

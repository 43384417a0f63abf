"""Root-mean-square normalisation: each sample divided by its root mean square, and scaled.

    y = γ · x · r,     r = 1 / √(mean(x²) + ε)

with one mean for each group of the m numbers that differ only in their place along `axis`. Unlike
layer normalisation it does not shift.

| tensor    | shape                                   |
|-----------|-----------------------------------------|
| x         | any of rank ≥ 2                         |
| gamma (γ) | x's sizes along `axis`, may be left out |
| y         | as x                                    |

Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS, 2019.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._along_axes import AlongAxes
from pellucid.ops._moments import mean_of_terms, reciprocal_root
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Shape
from pellucid.ops._terms import Call, Cell, Constant, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class RMSNormalization(AlongAxes):
    """Root-mean-square normalisation; the module's docstring has the formula.

    Attributes:
        axis: The axis to normalise over, or several, in ascending order.
        epsilon: ε, which keeps the root away from 0.
    """

    epsilon: float = 1e-6

    name: ClassVar[str] = "rms_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x", "gamma")
    optional: ClassVar[frozenset[str]] = frozenset({"gamma"})

    def output_shape(self, x: Shape, gamma: Shape | None = None) -> Shape:
        """Return the shape of x."""
        self.check_shapes(x, gamma=gamma)
        return x

    def forward(self, x: Array, gamma: Array | None = None) -> Array:
        """Divide every group by its root mean square, multiply by γ."""
        y: Array = x * self._reciprocal(x)
        return y if gamma is None else y * self._aligned(gamma, x.ndim)

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        gamma: Array | None = None,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x and gamma.

        dgamma = Σ dy · x · r             over all samples and places that share it
        dx     = g · r − x · r³ · mean(g · x)   with g = γ · dy
        """
        dx = dgamma = None
        r = self._reciprocal(x)
        if gamma is not None:
            dgamma = np.asarray((dy * x * r).sum(axis=self._others(x.ndim)))
        if "x" in wrt:
            g = dy if gamma is None else dy * self._aligned(gamma, x.ndim)
            shared = (g * x).mean(axis=self._axes(x.ndim), keepdims=True)
            dx = g * r - x * (r * r * r * shared)
        return dx, dgamma

    def terms(self, cell: tuple[int, ...], x: Array, gamma: Array | None = None) -> Expression:
        """Return γ · x · r, with the mean of the squares written out."""
        factors: tuple[Expression, ...] = (
            cell_of("x", x, cell),
            self._root(self._group(x, cell)),
        )
        if gamma is not None:
            factors = (cell_of("gamma", gamma, self._weight(cell)), *factors)
        return Product(factors)

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        x: Array,
        gamma: Array | None = None,
    ) -> Expression:
        """The formulas of `backward`: over one group for x, over all samples for γ."""
        if wrt != "x":
            return Sum(
                [
                    Product((up, cell_of("x", x, up.index), self._root(self._group(x, up.index))))
                    for up in self._users(cell, dy)
                ]
            )
        group = self._group(x, cell)
        root = self._root(group)
        gradients: list[tuple[Expression, ...]] = []
        for at in group:
            weight = self._weight(at.index)
            own = () if gamma is None else (cell_of("gamma", gamma, weight),)
            gradients.append((cell_of("dy", dy, at.index), *own))
        name = "dy" if gamma is None else "gamma · dy"
        products = [Product((*g, at)) for g, at in zip(gradients, group, strict=True)]
        position = next(i for i, at in enumerate(group) if at.index == cell)
        return Sum(
            (
                Product((*gradients[position], root)),
                Product(
                    (
                        Constant("-1", -1.0),
                        group[position],
                        Product((root, root, root)),
                        mean_of_terms(f"mean of {name} · x", products),
                    )
                ),
            )
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Rows and images; one axis and several; with and without γ."""
        yield Case(cls(), ((3, 4), (4,)))
        yield Case(cls(epsilon=0.1), ((2, 3, 2, 5), None))
        yield Case(cls(axis=(1, 3)), ((2, 3, 2, 4), (3, 4)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(axis=()), ArgumentError, "axis")
        yield Invalid(lambda: cls(epsilon=0.0), ArgumentError, "epsilon")
        yield Invalid(lambda: cls(axis=2).output_shape((2, 3)), ShapeError, "axis=2")
        yield Invalid(lambda: cls().output_shape((2, 3), (2,)), ShapeError, "gamma")

    def _reciprocal(self, x: Array) -> Array:
        """r, with an axis of size 1 for each that is normalised."""
        squares = np.square(x).mean(axis=self._axes(x.ndim), keepdims=True)
        return np.asarray(1 / np.sqrt(squares + self.epsilon))

    def _root(self, group: Sequence[Cell]) -> Call:
        squares = [Call("square", (cell,), lambda x: x * x) for cell in group]
        return reciprocal_root(mean_of_terms("mean of squares", squares), self.epsilon)

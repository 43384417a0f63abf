"""Layer normalisation: each sample shifted and scaled to mean 0 and deviation 1, then by γ and β.

    y = γ · x̂ + β,     x̂ = (x − mean) / √(variance + ε)

with one mean and one biased variance, Σ (x − mean)² / m, for each group of the m numbers that
differ only in their place along `axis`. Nothing depends on the rest of the batch.

| tensor              | shape                                                |
|---------------------|------------------------------------------------------|
| x                   | any of rank ≥ 2                                      |
| gamma (γ), beta (β) | x's sizes along `axis`, each of them may be left out |
| y                   | as x                                                 |

Source: Ba, Kiros, Hinton, "Layer Normalization", arXiv:1607.06450, 2016.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._along_axes import AlongAxes
from pellucid.ops._moments import (
    centred,
    gradient_of_normalised,
    mean,
    normalised,
    reciprocal_deviation,
)
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Shape
from pellucid.ops._terms import Expression, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class LayerNormalization(AlongAxes):
    """Layer normalisation; the module's docstring has the formula.

    Attributes:
        axis: The axis to normalise over, or several, in ascending order.
        epsilon: ε, which keeps the root away from 0.
    """

    name: ClassVar[str] = "layer_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x", "gamma", "beta")
    optional: ClassVar[frozenset[str]] = frozenset({"gamma", "beta"})

    def output_shape(
        self, x: Shape, gamma: Shape | None = None, beta: Shape | None = None
    ) -> Shape:
        """Return the shape of x."""
        self.check_shapes(x, gamma=gamma, beta=beta)
        return x

    def forward(self, x: Array, gamma: Array | None = None, beta: Array | None = None) -> Array:
        """Normalise every group by its own mean and variance, multiply by γ, add β."""
        y, _ = self._normalise(x)
        if gamma is not None:
            y *= self._aligned(gamma, x.ndim)
        if beta is not None:
            y += self._aligned(beta, x.ndim)
        return y

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        gamma: Array | None = None,
        beta: Array | None = None,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x, gamma and beta.

        dbeta  = Σ dy           over all samples and places that share it
        dgamma = Σ dy · x̂
        dx     = (g − mean(g) − x̂ · mean(g · x̂)) / √(variance + ε)   with g = γ · dy
        """
        dx = dgamma = dbeta = None
        axes, others = self._axes(x.ndim), self._others(x.ndim)
        x_hat, reciprocal = self._normalise(x)
        if gamma is not None:
            dgamma = np.asarray((dy * x_hat).sum(axis=others))
        if beta is not None:
            dbeta = np.asarray(dy.sum(axis=others))
        if "x" in wrt:
            g = dy if gamma is None else dy * self._aligned(gamma, x.ndim)
            product = (g * x_hat).mean(axis=axes, keepdims=True)
            dx = (g - g.mean(axis=axes, keepdims=True) - x_hat * product) * reciprocal
        return dx, dgamma, dbeta

    def terms(
        self, cell: tuple[int, ...], x: Array, gamma: Array | None = None, beta: Array | None = None
    ) -> Expression:
        """Return γ · x̂ + β, with mean and variance written out."""
        group = self._group(x, cell)
        centre = centred(cell_of("x", x, cell), mean(group))
        x_hat = Named("x_hat", Product((centre, reciprocal_deviation(group, self.epsilon))))
        weight = self._weight(cell)
        scaled = x_hat if gamma is None else Product((cell_of("gamma", gamma, weight), x_hat))
        return scaled if beta is None else Sum((scaled, cell_of("beta", beta, weight)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        x: Array,
        gamma: Array | None = None,
        beta: Array | None = None,
    ) -> Expression:
        """The formulas of `backward`: over one group for x, over all samples for γ and β."""
        if wrt != "x":
            above = self._users(cell, dy)
            if wrt == "beta":
                return Sum(above)
            return Sum([Product((up, self._x_hat(up.index, x))) for up in above])
        group = self._group(x, cell)
        upstream: list[tuple[Expression, ...]] = []
        for at in group:
            weight = self._weight(at.index)
            own = () if gamma is None else (cell_of("gamma", gamma, weight),)
            upstream.append((cell_of("dy", dy, at.index), *own))
        return gradient_of_normalised(cell, group, upstream, self.epsilon)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Rows and images; one axis and several; with and without γ and β."""
        yield Case(cls(), ((3, 4), (4,), (4,)))
        yield Case(cls(), ((2, 3, 2, 5), (5,), None))
        yield Case(cls(axis=(1, 2, 3)), ((2, 3, 2, 2), (3, 2, 2), (3, 2, 2)))
        yield Case(cls(axis=(1, -1), epsilon=0.1), ((2, 3, 2, 4), None, (3, 4)))
        yield Case(cls(axis=1), ((2, 5, 3), None, None))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(axis=()), ArgumentError, "axis")
        yield Invalid(lambda: cls(epsilon=-1.0), ArgumentError, "epsilon")
        yield Invalid(lambda: cls(axis=2).output_shape((2, 3)), ShapeError, "axis=2")
        yield Invalid(lambda: cls(axis=0).output_shape((2, 3)), ShapeError, "batch")
        yield Invalid(lambda: cls(axis=(2, 1)).output_shape((2, 3, 4)), ShapeError, "ascending")
        yield Invalid(lambda: cls().output_shape((2, None)), ShapeError, "known")
        yield Invalid(lambda: cls().output_shape((2, 3), (2,)), ShapeError, "gamma")

    def _normalise(self, x: Array) -> tuple[Array, Array]:
        """x̂ and 1/√(variance + ε)."""
        axes = self._axes(x.ndim)
        x_hat = x - x.mean(axis=axes, keepdims=True)
        variance = np.square(x_hat).mean(axis=axes, keepdims=True)
        reciprocal = 1 / np.sqrt(variance + self.epsilon)
        x_hat *= reciprocal
        return x_hat, np.asarray(reciprocal)

    def _x_hat(self, cell: tuple[int, ...], x: Array) -> Named:
        group = self._group(x, cell)
        reciprocal = reciprocal_deviation(group, self.epsilon).value
        return normalised(cell_of("x", x, cell), mean(group).value, reciprocal)

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

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._moments import (
    centred,
    mean,
    mean_of_terms,
    normalised,
    reciprocal_deviation,
)
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Cell, Constant, Expression, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class LayerNormalization(Operation):
    """Layer normalisation; the module's docstring has the formula.

    Attributes:
        axis: The axis to normalise over, or several, in ascending order.
        epsilon: ε, which keeps the root away from 0.
    """

    axis: int | tuple[int, ...] = -1
    epsilon: float = 1e-3

    name: ClassVar[str] = "layer_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x", "gamma", "beta")
    optional: ClassVar[frozenset[str]] = frozenset({"gamma", "beta"})

    def __post_init__(self) -> None:
        if not self._listed or not all(isinstance(axis, int) for axis in self._listed):
            raise ArgumentError(
                f"{self.name}: axis must be an axis or a tuple of axes, received {self.axis!r}."
            )
        if not self.epsilon > 0:
            raise ArgumentError(
                f"{self.name}: epsilon must be more than 0, received {self.epsilon!r}."
            )

    def output_shape(
        self, x: Shape, gamma: Shape | None = None, beta: Shape | None = None
    ) -> Shape:
        """Return the shape of x."""
        rank = len(x)
        inside = all(-rank <= axis < rank for axis in self._listed)
        axes = self._axes(rank)
        if rank < 2 or not inside or axes != tuple(sorted(set(axes))) or axes[0] == 0:
            raise ShapeError(
                f"{self.name}: expected an axis other than the batch, or several in ascending "
                f"order, of an x with two axes or more, received axis={self.axis} for shape {x}."
            )
        expected = tuple(x[axis] for axis in axes)
        if None in expected:
            raise ShapeError(
                f"{self.name}: the size along axis {self.axis} must be known, received shape {x}."
            )
        for name, shape in (("gamma", gamma), ("beta", beta)):
            if shape is not None and shape != expected:
                raise ShapeError(
                    f"{self.name}: expected {name} of shape {expected}, the sizes of x {x} along "
                    f"axis {self.axis}, received {shape}."
                )
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
        axes = self._axes(x.ndim)
        others = tuple(axis for axis in range(x.ndim) if axis not in axes)
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
        group = self._group("x", x, cell)
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
            axes = self._axes(x.ndim)
            fixed = dict(zip(axes, cell, strict=True))
            users = [[fixed[i]] if i in fixed else range(n) for i, n in enumerate(x.shape)]
            above = [cell_of("dy", dy, place) for place in itertools.product(*users)]
            if wrt == "beta":
                return Sum(above)
            return Sum([Product((up, self._x_hat(up.index, x))) for up in above])

        weighted: list[Expression] = []
        products: list[Expression] = []
        group = self._group("x", x, cell)
        middle, reciprocal = mean(group).value, reciprocal_deviation(group, self.epsilon)
        for at in group:
            factors: tuple[Expression, ...] = (cell_of("dy", dy, at.index),)
            if gamma is not None:
                factors = (*factors, cell_of("gamma", gamma, self._weight(at.index)))
            weighted.append(Product(factors))
            products.append(Product((*factors, normalised(at, middle, reciprocal.value))))
        own = next(i for i, at in enumerate(group) if at.index == cell)
        x_hat = normalised(group[own], middle, reciprocal.value)
        minus = Constant("-1", -1.0)
        name = "dy" if gamma is None else "gamma · dy"
        inner = (
            weighted[own],
            Product((minus, mean_of_terms(f"mean of {name}", weighted))),
            Product((minus, x_hat, mean_of_terms(f"mean of {name} · x_hat", products))),
        )
        return Product((reciprocal, Sum(inner)))

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

    @property
    def _listed(self) -> tuple[int, ...]:
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The axes to normalise over, counted from the first."""
        return tuple(axis % rank for axis in self._listed)

    def _aligned(self, weight: Array, rank: int) -> Array:
        """`weight` with an axis of size 1 for each axis of x that is not normalised."""
        axes = self._axes(rank)
        return np.expand_dims(weight, tuple(i for i in range(rank) if i not in axes))

    def _normalise(self, x: Array) -> tuple[Array, Array]:
        """x̂ and 1/√(variance + ε)."""
        axes = self._axes(x.ndim)
        x_hat = x - x.mean(axis=axes, keepdims=True)
        variance = np.square(x_hat).mean(axis=axes, keepdims=True)
        reciprocal = 1 / np.sqrt(variance + self.epsilon)
        x_hat *= reciprocal
        return x_hat, np.asarray(reciprocal)

    def _group(self, name: str, x: Array, cell: tuple[int, ...]) -> list[Cell]:
        """The cells of x that are normalised together with `cell`."""
        axes = self._axes(x.ndim)
        ranges = [range(x.shape[i]) if i in axes else [at] for i, at in enumerate(cell)]
        return [cell_of(name, x, place) for place in itertools.product(*ranges)]

    def _weight(self, cell: tuple[int, ...]) -> tuple[int, ...]:
        """The place in γ and β that belongs to a cell of x."""
        return tuple(cell[axis] for axis in self._axes(len(cell)))

    def _x_hat(self, cell: tuple[int, ...], x: Array) -> Named:
        group = self._group("x", x, cell)
        reciprocal = reciprocal_deviation(group, self.epsilon).value
        return normalised(cell_of("x", x, cell), mean(group).value, reciprocal)

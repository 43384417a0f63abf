"""Group normalisation: each group of a sample's channels made to have mean 0 and deviation 1.

    y = γ · x̂ + β,     x̂ = (x − mean) / √(variance + ε)

The channels are split into `groups` runs of C / groups. Each run of each sample, over all places,
has one mean and one biased variance, Σ (x − mean)² / m; γ and β are those of the channel. With one
group for each channel (groups = −1) this is instance normalisation; with a single one it is layer
normalisation over the whole sample. Nothing depends on the rest of the batch.

| tensor              | shape                              |
|---------------------|------------------------------------|
| x                   | any of rank ≥ 2, (N, …, C)         |
| gamma (γ), beta (β) | (C,), each of them may be left out |
| y                   | as x                               |

Source: Wu and He, "Group Normalization", ECCV, 2018; Ulyanov, Vedaldi, Lempitsky, "Instance
Normalization: The Missing Ingredient for Fast Stylization", arXiv:1607.08022, 2016.
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
    gradient_of_normalised,
    mean,
    normalised,
    reciprocal_deviation,
)
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import axis_index
from pellucid.ops._terms import Cell, Expression, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class GroupNormalization(Operation):
    """Group normalisation; the module's docstring has the formula.

    Attributes:
        groups: The number of runs that the channels are split into; −1 for one for each channel.
        axis: The axis of the channels.
        epsilon: ε, which keeps the root away from 0.
    """

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3

    name: ClassVar[str] = "group_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x", "gamma", "beta")
    optional: ClassVar[frozenset[str]] = frozenset({"gamma", "beta"})

    def __post_init__(self) -> None:
        if not isinstance(self.groups, int) or (self.groups < 1 and self.groups != -1):
            raise ArgumentError(
                f"{self.name}: groups must be a whole number of at least 1, or -1 for one for "
                f"each channel, received {self.groups!r}."
            )
        if not isinstance(self.axis, int):
            raise ArgumentError(
                f"{self.name}: axis must be a whole number, received {self.axis!r}."
            )
        if not self.epsilon > 0:
            raise ArgumentError(
                f"{self.name}: epsilon must be more than 0, received {self.epsilon!r}."
            )

    def output_shape(
        self, x: Shape, gamma: Shape | None = None, beta: Shape | None = None
    ) -> Shape:
        """Return the shape of x."""
        axis = axis_index(self.name, self.axis, x)
        channels = x[axis]
        if axis == 0 or channels is None:
            raise ShapeError(
                f"{self.name}: expected a known number of channels along an axis other than the "
                f"batch, received axis={self.axis} for shape {x}."
            )
        if channels % self._count(channels):
            raise ShapeError(
                f"{self.name}: {channels} channels cannot be split into {self.groups} groups."
            )
        for name, shape in (("gamma", gamma), ("beta", beta)):
            if shape is not None and shape != (channels,):
                raise ShapeError(
                    f"{self.name}: expected {name} of shape ({channels},), one number for each "
                    f"channel of x {x}, received {shape}."
                )
        return x

    def forward(self, x: Array, gamma: Array | None = None, beta: Array | None = None) -> Array:
        """Normalise every group by its own mean and variance, multiply by γ, add β."""
        x_hat, _ = self._normalise(x)
        y = x_hat.reshape(x.shape)
        if gamma is not None:
            y = y * self._aligned(gamma, x.ndim)
        return y if beta is None else y + self._aligned(beta, x.ndim)

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

        dbeta  = Σ dy           over all samples and places
        dgamma = Σ dy · x̂
        dx     = (g − mean(g) − x̂ · mean(g · x̂)) / √(variance + ε)   with g = γ · dy
        """
        dx = dgamma = dbeta = None
        others = tuple(i for i in range(x.ndim) if i != self.axis % x.ndim)
        x_hat, reciprocal = self._normalise(x)
        if gamma is not None:
            dgamma = np.asarray((dy * x_hat.reshape(x.shape)).sum(axis=others))
        if beta is not None:
            dbeta = np.asarray(dy.sum(axis=others))
        if "x" in wrt:
            scaled = dy if gamma is None else dy * self._aligned(gamma, x.ndim)
            g, axes = self._split(scaled)
            product = (g * x_hat).mean(axis=axes, keepdims=True)
            dx = (g - g.mean(axis=axes, keepdims=True) - x_hat * product) * reciprocal
            dx = dx.reshape(x.shape)
        return dx, dgamma, dbeta

    def terms(
        self, cell: tuple[int, ...], x: Array, gamma: Array | None = None, beta: Array | None = None
    ) -> Expression:
        """Return γ · x̂ + β, with mean and variance written out."""
        group = self._group(x, cell)
        centre = centred(cell_of("x", x, cell), mean(group))
        x_hat = Named("x_hat", Product((centre, reciprocal_deviation(group, self.epsilon))))
        channel = (cell[self.axis],)
        scaled = x_hat if gamma is None else Product((cell_of("gamma", gamma, channel), x_hat))
        return scaled if beta is None else Sum((scaled, cell_of("beta", beta, channel)))

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
            ranges = [range(n) for n in x.shape]
            ranges[self.axis] = range(cell[0], cell[0] + 1)
            above = [cell_of("dy", dy, place) for place in itertools.product(*ranges)]
            if wrt == "beta":
                return Sum(above)
            return Sum([Product((up, self._x_hat(up.index, x))) for up in above])
        group = self._group(x, cell)
        upstream: list[tuple[Expression, ...]] = []
        for at in group:
            channel = (at.index[self.axis],)
            own = () if gamma is None else (cell_of("gamma", gamma, channel),)
            upstream.append((cell_of("dy", dy, at.index), *own))
        return gradient_of_normalised(cell, group, upstream, self.epsilon)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Rows and images; one group, some, and one for each channel; with and without γ and β."""
        yield Case(cls(2), ((3, 4), (4,), (4,)))
        yield Case(cls(2), ((2, 3, 2, 4), (4,), None))
        yield Case(cls(1, epsilon=0.1), ((2, 2, 3, 2), None, (2,)))
        yield Case(cls(-1), ((2, 3, 2, 3), (3,), (3,)))
        yield Case(cls(3, axis=1), ((2, 6, 3), (6,), None))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(0), ArgumentError, "groups")
        yield Invalid(lambda: cls(2, epsilon=0.0), ArgumentError, "epsilon")
        yield Invalid(lambda: cls(2).output_shape((2, 3, 3, 5)), ShapeError, "2 groups")
        yield Invalid(lambda: cls(1, axis=0).output_shape((2, 3)), ShapeError, "batch")
        yield Invalid(lambda: cls(1, axis=2).output_shape((2, 3)), ShapeError, "no axis 2")
        yield Invalid(lambda: cls(1).output_shape((2, None)), ShapeError, "known")
        yield Invalid(lambda: cls(1).output_shape((2, 3), (2,)), ShapeError, "gamma")

    def _count(self, channels: int) -> int:
        return channels if self.groups == -1 else self.groups

    def _split(self, x: Array) -> tuple[Array, tuple[int, ...]]:
        """X with its channels' axis as two, (groups, C / groups), and the axes of one group."""
        axis = self.axis % x.ndim
        groups = self._count(x.shape[axis])
        shape = (*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])
        return x.reshape(shape), tuple(i for i in range(1, x.ndim + 1) if i != axis)

    def _aligned(self, weight: Array, rank: int) -> Array:
        """`weight` with an axis of size 1 for each axis of x but the channels'."""
        return np.expand_dims(weight, tuple(i for i in range(rank) if i != self.axis % rank))

    def _normalise(self, x: Array) -> tuple[Array, Array]:
        """x̂, split, and 1/√(variance + ε)."""
        split, axes = self._split(x)
        x_hat = split - split.mean(axis=axes, keepdims=True)
        variance = np.square(x_hat).mean(axis=axes, keepdims=True)
        reciprocal = 1 / np.sqrt(variance + self.epsilon)
        x_hat *= reciprocal
        return x_hat, np.asarray(reciprocal)

    def _group(self, x: Array, cell: tuple[int, ...]) -> list[Cell]:
        """The cells of x that are normalised together with `cell`."""
        axis = self.axis % x.ndim
        run = x.shape[axis] // self._count(x.shape[axis])
        first = cell[axis] // run * run
        ranges = [range(n) for n in x.shape]
        ranges[0] = range(cell[0], cell[0] + 1)
        ranges[axis] = range(first, first + run)
        return [cell_of("x", x, place) for place in itertools.product(*ranges)]

    def _x_hat(self, cell: tuple[int, ...], x: Array) -> Named:
        group = self._group(x, cell)
        reciprocal = reciprocal_deviation(group, self.epsilon).value
        return normalised(cell_of("x", x, cell), mean(group).value, reciprocal)

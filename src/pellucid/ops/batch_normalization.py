"""Batch normalisation: each channel shifted and scaled to mean β and standard deviation γ.

    y = γ · x̂ + β,     x̂ = (x − mean) / √(variance + ε)

with one mean and one variance for each channel. In training they are those of the batch, over
every axis but `axis`, of m numbers each; the variance is the biased one, Σ (x − mean)² / m. A step
of training then moves the stored statistics towards them:

    moving ← momentum · moving + (1 − momentum) · batch's

Otherwise they are the stored ones.

| tensor                       | shape                           |
|------------------------------|---------------------------------|
| x                            | any of rank ≥ 2, C along `axis` |
| gamma (γ), beta (β)          | (C,), each may be left out      |
| moving_mean, moving_variance | (C,)                            |
| y                            | as x                            |

Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift", ICML, 2015; the biased variance in the stored statistics is Keras'.
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
    reciprocal_root,
    variance,
)
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Cell, Constant, Expression, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class BatchNormalization(Operation):
    """Batch normalisation; the module's docstring has the formula.

    Attributes:
        axis: The axis of the channels.
        epsilon: ε, which keeps the root away from 0.
        momentum: The share that the stored statistics keep in a step.
        training: Whether the batch is normalised by its own statistics.
    """

    axis: int = -1
    epsilon: float = 1e-3
    momentum: float = 0.99
    training: bool = False

    name: ClassVar[str] = "batch_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x", "gamma", "beta", "moving_mean", "moving_variance")
    optional: ClassVar[frozenset[str]] = frozenset({"gamma", "beta"})
    constant: ClassVar[frozenset[str]] = frozenset({"moving_mean", "moving_variance"})

    def __post_init__(self) -> None:
        if not isinstance(self.axis, int):
            raise ArgumentError(f"{self.name}: axis must be one axis, received {self.axis!r}.")
        if not self.epsilon > 0:
            raise ArgumentError(
                f"{self.name}: epsilon must be more than 0, received {self.epsilon!r}."
            )
        if not 0 <= self.momentum <= 1:
            raise ArgumentError(
                f"{self.name}: momentum must be from 0 to 1, received {self.momentum!r}."
            )

    def output_shape(
        self,
        x: Shape,
        gamma: Shape | None,
        beta: Shape | None,
        moving_mean: Shape,
        moving_variance: Shape,
    ) -> Shape:
        """Return the shape of x."""
        if len(x) < 2 or not -len(x) <= self.axis < len(x) or x[self.axis] is None:
            raise ShapeError(
                f"{self.name}: expected x with two axes or more and a known number of channels "
                f"along axis {self.axis}, received shape {x}."
            )
        given = zip(self.inputs[1:], (gamma, beta, moving_mean, moving_variance), strict=True)
        for name, shape in given:
            if shape is not None and shape != (x[self.axis],):
                raise ShapeError(
                    f"{self.name}: expected {name} of shape ({x[self.axis]},), one number for "
                    f"each channel along axis {self.axis} of x {x}, received {shape}."
                )
        return x

    def forward(
        self,
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        moving_mean: Array,
        moving_variance: Array,
    ) -> Array:
        """Subtract the mean, multiply by γ / √(variance + ε), add β: channel by channel."""
        x = np.moveaxis(x, self.axis, -1)
        middle, spread = self._statistics(x, moving_mean, moving_variance)
        y = x - middle
        y *= self._scale(spread, gamma)
        if beta is not None:
            y += beta
        return np.moveaxis(y, -1, self.axis)

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        moving_mean: Array,
        moving_variance: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x, gamma and beta.

        dbeta  = Σ dy
        dgamma = Σ dy · x̂
        dx     = γ / √(variance + ε) · dy, and in training, since mean and variance depend on x too,
                 γ / √(variance + ε) · (dy − dbeta / m − x̂ · dgamma / m)
        """
        dx = None
        x, dy = np.moveaxis(x, self.axis, -1), np.moveaxis(dy, self.axis, -1)
        middle, spread = self._statistics(x, moving_mean, moving_variance)
        x_hat = x - middle
        x_hat *= self._scale(spread, None)
        dbeta = _channel_sums(dy)
        dgamma = _channel_sums(dy, x_hat)
        if "x" in wrt:
            if self.training:
                m = x.size // x.shape[-1]
                dx = x_hat  # is not needed any more, and of the right size
                dx *= -dgamma / m
                dx += dy
                dx -= dbeta / m
                dx *= self._scale(spread, gamma)
            else:
                dx = dy * self._scale(spread, gamma)
            dx = np.moveaxis(dx, -1, self.axis)
        return dx, None if gamma is None else dgamma, None if beta is None else dbeta, None, None

    def state_updates(
        self,
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        moving_mean: Array,
        moving_variance: Array,
    ) -> tuple[Array, ...]:
        """Return the new moving_mean and moving_variance of a training step."""
        if not self.training:
            return ()
        x = np.moveaxis(x, self.axis, -1)
        now = self._statistics(x, moving_mean, moving_variance)
        keep = self.momentum
        stored = moving_mean, moving_variance
        return tuple(keep * old + (1 - keep) * new for old, new in zip(stored, now, strict=True))

    def state_terms(
        self,
        which: int,
        cell: tuple[int, ...],
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        moving_mean: Array,
        moving_variance: Array,
    ) -> Expression:
        """Return momentum · moving + (1 − momentum) · the batch's mean or variance."""
        axis = self.axis % x.ndim
        group = self._group("x", x, tuple(cell[0] if i == axis else 0 for i in range(x.ndim)))
        now = variance(group) if which else mean(group)
        name = self.inputs[3 + which]
        old = cell_of(name, (moving_mean, moving_variance)[which], cell)
        kept = Product((Constant("momentum", self.momentum), old))
        return Sum((kept, Product((Constant("1 − momentum", 1 - self.momentum), now))))

    def terms(
        self,
        cell: tuple[int, ...],
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        moving_mean: Array,
        moving_variance: Array,
    ) -> Expression:
        """Return γ · x̂ + β, with mean and variance written out."""
        channel = (cell[self.axis],)
        middle: Expression
        if self.training:
            group = self._group("x", x, cell)
            middle, reciprocal = mean(group), reciprocal_deviation(group, self.epsilon)
        else:
            middle = cell_of("moving_mean", moving_mean, channel)
            stored = cell_of("moving_variance", moving_variance, channel)
            reciprocal = reciprocal_root(stored, self.epsilon)
        x_hat = Named("x_hat", Product((centred(cell_of("x", x, cell), middle), reciprocal)))
        scaled = x_hat if gamma is None else Product((cell_of("gamma", gamma, channel), x_hat))
        return scaled if beta is None else Sum((scaled, cell_of("beta", beta, channel)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        moving_mean: Array,
        moving_variance: Array,
    ) -> Expression:
        """The formulas of `backward`, for one channel."""
        place = (
            cell
            if wrt == "x"
            else tuple(cell[0] if axis == self.axis % x.ndim else 0 for axis in range(x.ndim))
        )
        channel = place[self.axis]
        above = self._group("dy", dy, place)
        if wrt == "beta":
            return Sum(above)

        group = self._group("x", x, place)
        if self.training:
            middle = mean(group).value
            reciprocal = reciprocal_deviation(group, self.epsilon)
        else:
            middle = float(moving_mean[channel])
            stored = cell_of("moving_variance", moving_variance, (channel,))
            reciprocal = reciprocal_root(stored, self.epsilon)
        products = [
            Product((up, normalised(at, middle, reciprocal.value)))
            for up, at in zip(above, group, strict=True)
        ]
        if wrt == "gamma":
            return Sum(products)

        own: Expression = cell_of("dy", dy, cell)
        if self.training:
            x_hat = normalised(cell_of("x", x, cell), middle, reciprocal.value)
            minus = Constant("-1", -1.0)
            own = Sum(
                (
                    own,
                    Product((minus, mean_of_terms("mean of dy", above))),
                    Product((minus, x_hat, mean_of_terms("mean of dy · x_hat", products))),
                )
            )
        scale = () if gamma is None else (cell_of("gamma", gamma, (channel,)),)
        return Product((*scale, reciprocal, own))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Training and not; images and rows; other axes; with and without γ and β."""
        for training in (True, False):
            yield cls(training=training)._case((3, 4, 5, 2))
            yield cls(training=training, axis=1)._case((2, 3, 2, 2))
            yield cls(training=training, epsilon=0.1)._case((5, 3))
            yield cls(training=training)._case((2, 3, 2), gamma=False)
            yield cls(training=training)._case((2, 3, 2), beta=False)
            yield cls(training=training, momentum=0.5)._case((4, 2), gamma=False, beta=False)

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        c = (3,)
        yield Invalid(lambda: cls(epsilon=0.0), ArgumentError, "epsilon")
        yield Invalid(lambda: cls(momentum=1.5), ArgumentError, "momentum")
        yield Invalid(lambda: cls().output_shape((3,), c, c, c, c), ShapeError, "two axes")
        yield Invalid(lambda: cls(axis=2).output_shape((2, 3), c, c, c, c), ShapeError, "axis 2")
        yield Invalid(lambda: cls().output_shape((2, None), c, c, c, c), ShapeError, "known")
        yield Invalid(lambda: cls().output_shape((2, 3), (2,), c, c, c), ShapeError, "gamma")
        yield Invalid(
            lambda: cls().output_shape((2, 3), c, c, c, (1,)), ShapeError, "moving_variance"
        )

    def _statistics(
        self, x: Array, moving_mean: Array, moving_variance: Array
    ) -> tuple[Array, Array]:
        """Mean and variance for each channel of x, whose channels are last."""
        if not self.training:
            return moving_mean, moving_variance
        if not x.size:
            raise ShapeError(
                f"{self.name}: in training the statistics are those of the batch; received a batch "
                f"of shape {x.shape}, which holds no numbers."
            )
        m = x.size // x.shape[-1]
        middle = _channel_sums(x) / m
        deviation = x - middle
        return middle, _channel_sums(deviation, deviation) / m

    def _scale(self, spread: Array, gamma: Array | None) -> Array:
        """γ / √(variance + ε)."""
        return (1 if gamma is None else gamma) / np.sqrt(spread + self.epsilon)

    def _group(self, name: str, x: Array, cell: tuple[int, ...]) -> list[Cell]:
        """The cells of x in the same channel as `cell`."""
        axis = self.axis % x.ndim
        axes = [[at] if i == axis else range(x.shape[i]) for i, at in enumerate(cell)]
        return [cell_of(name, x, place) for place in itertools.product(*axes)]

    def _case(self, shape: tuple[int, ...], *, gamma: bool = True, beta: bool = True) -> Case:
        c = (shape[self.axis],)
        shapes = (shape, c if gamma else None, c if beta else None, c, c)

        def make(generator: np.random.Generator) -> tuple[Array | None, ...]:
            normal = [None if s is None else generator.standard_normal(s) for s in shapes]
            return (*normal[:4], generator.uniform(0.5, 2.0, c))

        return Case(self, shapes, make)


def _channel_sums(a: Array, b: Array | None = None) -> Array:
    """Σ a, or Σ a·b, for each channel; sample by sample first, to keep rounding errors small."""
    rows = a.reshape(len(a), -1, a.shape[-1])
    if b is None:
        return np.asarray(rows.sum(axis=1).sum(axis=0))
    return np.asarray(np.einsum("npc,npc->nc", rows, b.reshape(rows.shape)).sum(axis=0))

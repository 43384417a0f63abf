"""The Kullback-Leibler divergence: what is lost when predictions stand for the targets.

    y[n] = Σ_k t · log(t / p),      t, p = targets[n, k], prediction[n, k], at least ε and at most 1

with ε = 1e-7, as in Keras: a sum over the last axis, not a mean.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = −t / p where ε < p < 1, and 0 else.

Source: Kullback, Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics
22(1), 1951.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._mean_loss import MeanLoss
from pellucid.ops._operation import Array, Case
from pellucid.ops._targets import EPSILON
from pellucid.ops._terms import Call, Cell, Expression, Product


@dataclass(frozen=True)
class KLDivergence(MeanLoss):
    """The Kullback-Leibler divergence; the module's docstring has the formula."""

    name: ClassVar[str] = "kl_divergence"
    averaged: ClassVar[bool] = False

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return t · log(t / p)."""
        t, p = (np.clip(v, EPSILON, 1) for v in (targets, prediction))
        loss: Array = t * np.log(t / p)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return −t / p, and 0 where p is held."""
        t, p = (np.clip(v, EPSILON, 1) for v in (targets, prediction))
        slope: Array = np.where((prediction > EPSILON) & (prediction < 1), -t / p, 0)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The target, times the logarithm of its quotient."""
        t, p = (Call("clip", (cell,), _held) for cell in (target, prediction))
        quotient = Call("divide", (t, p), lambda a, b: a / b)
        return Product((t, Call("log", (quotient,), math.log)))

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The quotient, with the other sign."""

        def slope(t: float, p: float) -> float:
            return -_held(t) / p if EPSILON < p < 1 else 0.0

        return Call("−t / p", (target, prediction), slope)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As every mean loss, with probabilities, and with what is held."""

        def make(shape: tuple[int, ...]) -> Case:
            return Case(
                cls(), (shape, shape), lambda g: (g.uniform(0.1, 0.9, shape), g.random(shape))
            )

        for case in super().cases():
            yield make(case.shapes[0] or ())
        yield Case(cls(), ((3,), (3,)), lambda g: (g.uniform(1.5, 2, 3), g.uniform(-1, 2, 3)))


def _held(v: float) -> float:
    return min(max(v, EPSILON), 1.0)

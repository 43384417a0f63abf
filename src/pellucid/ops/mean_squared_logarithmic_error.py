"""The mean of the squared differences of logarithms, over the last axis.

    y[n] = (1/K) · Σ_k (log(1 + p) − log(1 + t))²

where p and t are prediction[n, k] and targets[n, k], but at least ε = 1e-7, as in Keras.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = 2 · (log(1 + p) − log(1 + t)) / (K · (1 + p)) where p > ε, and 0 else.

Source: the squared error of numbers on a logarithmic scale; the ε is Keras'.
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
from pellucid.ops._terms import Call, Cell, Constant, Expression, Product, Sum


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(MeanLoss):
    """The mean squared difference of logarithms; the module's docstring has the formula."""

    name: ClassVar[str] = "mean_squared_logarithmic_error"

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return (log(1 + prediction) − log(1 + targets))²."""
        loss: Array = np.square(_log(prediction) - _log(targets))
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return 2 · (log(1 + prediction) − log(1 + targets)) / (1 + prediction), above ε."""
        apart = _log(prediction) - _log(targets)
        slope: Array = np.where(
            prediction > EPSILON, 2 * apart / (1 + np.maximum(prediction, EPSILON)), 0
        )
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The square of the difference of the logarithms."""
        return Call("square", (_apart(prediction, target),), lambda a: a * a)

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """Twice the difference, times the logarithm's slope."""
        slope = Call("log(1 + p)'", (prediction,), lambda p: 1 / (1 + p) if p > EPSILON else 0.0)
        return Product((Constant("2", 2.0), _apart(prediction, target), slope))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As every mean loss, above 0 and on both sides of it."""
        yield from super().cases()
        yield Case(cls(), ((3, 4), (3, 4)), lambda g: (g.random((3, 4)), g.random((3, 4))))


def _log(values: Array) -> Array:
    return np.log1p(np.maximum(values, EPSILON))


def _apart(prediction: Cell, target: Cell) -> Sum:
    logs = [
        Call("log(1 + p)", (cell,), lambda v: math.log1p(max(v, EPSILON)))
        for cell in (prediction, target)
    ]
    return Sum((logs[0], Product((Constant("−1", -1.0), logs[1]))))

"""The mean of the absolute differences in percent of the targets, over the last axis.

    y[n] = (100/K) · Σ_k |prediction[n, k] − targets[n, k]| / max(|targets[n, k]|, ε)

with ε = 1e-7, as in Keras.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = 100 · sign(prediction − targets) / (K · max(|targets|, ε)).

Source: the mean of absolute percentage errors is common in forecasting; the ε is Keras'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._mean_loss import MeanLoss, difference
from pellucid.ops._operation import Array
from pellucid.ops._targets import EPSILON
from pellucid.ops._terms import Call, Cell, Constant, Expression, Product


@dataclass(frozen=True)
class MeanAbsolutePercentageError(MeanLoss):
    """The mean absolute difference in percent; the module's docstring has the formula."""

    name: ClassVar[str] = "mean_absolute_percentage_error"

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return 100 · |prediction − targets| / max(|targets|, ε)."""
        loss: Array = 100 * np.abs(prediction - targets) / _size(targets)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return 100 · sign(prediction − targets) / max(|targets|, ε)."""
        slope: Array = 100 * np.sign(prediction - targets) / _size(targets)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The difference without its sign, as a share of the target."""
        return _percent(Call("abs", (difference(prediction, target),), abs), target)

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The difference's sign, as a share of the target."""
        return _percent(Call("sign", (difference(prediction, target),), np.sign), target)


def _size(targets: Array) -> Array:
    return np.maximum(np.abs(targets), EPSILON)


def _percent(part: Expression, target: Cell) -> Expression:
    size = Call("abs", (target,), lambda t: max(abs(t), EPSILON))
    return Product((Constant("100", 100.0), Call("divide", (part, size), lambda a, b: a / b)))

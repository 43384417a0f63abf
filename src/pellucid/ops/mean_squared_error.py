"""The mean of the squared differences, over the last axis.

    y[n] = (1/K) · Σ_k (prediction[n, k] − targets[n, k])²

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = 2 · (prediction[n, k] − targets[n, k]) / K.

Source: Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1823.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._mean_loss import MeanLoss, difference
from pellucid.ops._operation import Array
from pellucid.ops._terms import Cell, Constant, Expression, Product


@dataclass(frozen=True)
class MeanSquaredError(MeanLoss):
    """The mean squared difference; the module's docstring has the formula."""

    name: ClassVar[str] = "mean_squared_error"

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return (prediction − targets)²."""
        loss: Array = np.square(prediction - targets)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return 2 · (prediction − targets)."""
        slope: Array = 2 * (prediction - targets)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The difference, times itself."""
        return Product((difference(prediction, target),) * 2)

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """Twice the difference."""
        return Product((Constant("2", 2.0), difference(prediction, target)))

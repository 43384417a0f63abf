"""The mean of the absolute differences, over the last axis.

    y[n] = (1/K) · Σ_k |prediction[n, k] − targets[n, k]|

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = sign(prediction[n, k] − targets[n, k]) / K, and 0 where they are equal.

Source: Laplace, "Mémoire sur la probabilité des causes par les évènemens", 1774.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._mean_loss import MeanLoss, difference
from pellucid.ops._operation import Array
from pellucid.ops._terms import Call, Cell, Expression


@dataclass(frozen=True)
class MeanAbsoluteError(MeanLoss):
    """The mean absolute difference; the module's docstring has the formula."""

    name: ClassVar[str] = "mean_absolute_error"

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return |prediction − targets|."""
        loss: Array = np.abs(prediction - targets)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return sign(prediction − targets)."""
        slope: Array = np.sign(prediction - targets)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The difference without its sign."""
        return Call("abs", (difference(prediction, target),), abs)

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The difference's sign."""
        return Call("sign", (difference(prediction, target),), np.sign)

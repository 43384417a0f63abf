"""The mean of the logarithm of the difference's hyperbolic cosine, over the last axis.

    y[n] = (1/K) · Σ_k log cosh(e),     e = prediction[n, k] − targets[n, k]

It is e²/2 for small differences and |e| − log 2 for large ones. Computed as
|e| + log(1 + exp(−2·|e|)) − log 2, which never overflows.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = tanh(e) / K.

Source: Green, "Bayesian Reconstructions from Emission Tomography Data Using a Modified EM
Algorithm", IEEE Transactions on Medical Imaging 9(1), 1990.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._mean_loss import MeanLoss, difference
from pellucid.ops._operation import Array
from pellucid.ops._terms import Call, Cell, Expression


@dataclass(frozen=True)
class LogCosh(MeanLoss):
    """The mean log cosh of the difference; the module's docstring has the formula."""

    name: ClassVar[str] = "log_cosh"

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return log cosh(prediction − targets)."""
        size = np.abs(prediction - targets)
        loss: Array = size + np.log1p(np.exp(-2 * size)) - math.log(2)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return tanh(prediction − targets)."""
        slope: Array = np.tanh(prediction - targets)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The function of the difference."""

        def log_cosh(e: float) -> float:
            return abs(e) + math.log1p(math.exp(-2 * abs(e))) - math.log(2)

        return Call("log cosh", (difference(prediction, target),), log_cosh)

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The hyperbolic tangent of the difference."""
        return Call("tanh", (difference(prediction, target),), math.tanh)

"""The Poisson loss: how unlikely counts are, given the means predicted for them.

    y[n] = (1/K) · Σ_k (prediction[n, k] − targets[n, k] · log(prediction[n, k] + ε))

with ε = 1e-7, as in Keras. This is the negative logarithm of the Poisson distribution, but for what
does not depend on the prediction.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = (1 − targets / (prediction + ε)) / K.

Source: Nelder, Wedderburn, "Generalized Linear Models", Journal of the Royal Statistical Society A
135(3), 1972.
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

_MINUS = Constant("−1", -1.0)


@dataclass(frozen=True)
class Poisson(MeanLoss):
    """The Poisson loss; the module's docstring has the formula."""

    name: ClassVar[str] = "poisson"

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return prediction − targets · log(prediction + ε)."""
        with np.errstate(invalid="ignore", divide="ignore"):  # a mean below 0 makes a NaN
            loss: Array = prediction - targets * np.log(prediction + EPSILON)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return 1 − targets / (prediction + ε)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            slope: Array = 1 - targets / (prediction + EPSILON)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The mean, less the count times the mean's logarithm."""
        log = Call("log", (_above_zero(prediction),), math.log)
        return Sum((prediction, Product((_MINUS, target, log))))

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """1, less the count for each of the mean."""
        share = Call("divide", (target, _above_zero(prediction)), lambda a, b: a / b)
        return Sum((Constant("1", 1.0), Product((_MINUS, share))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As every mean loss, with means above 0 and counts."""

        def make(shape: tuple[int, ...]) -> Case:
            return Case(
                cls(),
                (shape, shape),
                lambda g: (g.random(shape) + 0.1, g.poisson(2.0, shape) * 1.0),
            )

        for case in super().cases():
            yield make(case.shapes[0] or ())


def _above_zero(prediction: Cell) -> Sum:
    return Sum((prediction, Constant("epsilon", EPSILON)))

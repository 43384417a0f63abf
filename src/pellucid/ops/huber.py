"""Huber's loss: squared for small differences, absolute for large ones.

    e      = prediction − targets
    loss   = e² / 2                  where |e| ≤ delta
             delta · (|e| − delta/2) elsewhere
    y[n]   = (1/K) · Σ_k loss[n, k]

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂loss/∂prediction = e, but at least −delta and at most delta.

Source: Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35(1),
1964.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._mean_loss import MeanLoss, difference
from pellucid.ops._operation import Array, Case, Invalid
from pellucid.ops._terms import Call, Cell, Expression


@dataclass(frozen=True)
class Huber(MeanLoss):
    """Huber's loss; the module's docstring has the formula.

    Attributes:
        delta: The difference from which on the loss grows no longer as the square.
    """

    delta: float = 1.0

    name: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        if not isinstance(self.delta, (int, float)) or not 0 < self.delta < math.inf:
            raise ArgumentError(
                f"huber: delta must be a finite number above 0, received {self.delta!r}."
            )

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return m · (|e| − m/2), where m is |e|, but at most delta."""
        size = np.abs(prediction - targets)
        bounded = np.minimum(size, self.delta)
        loss: Array = bounded * (size - 0.5 * bounded)
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return e, but at least −delta and at most delta."""
        slope: Array = np.clip(prediction - targets, -self.delta, self.delta)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """Huber's function of the difference."""

        def huber(error: float) -> float:
            bounded = min(abs(error), self.delta)
            return bounded * (abs(error) - 0.5 * bounded)

        return Call("huber", (difference(prediction, target),), huber)

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The difference, clipped."""
        return Call(
            "huber'",
            (difference(prediction, target),),
            lambda error: min(max(error, -self.delta), self.delta),
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As every mean loss; early and late turns to the absolute difference."""
        yield from super().cases()
        yield Case(cls(delta=0.3), ((3, 4), (3, 4)))
        yield Case(cls(delta=5.0), ((3, 4), (3, 4)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """As every mean loss; a delta that is not positive."""
        yield from super().invalid_cases()
        yield Invalid(lambda: cls(delta=0.0), ArgumentError, "delta")

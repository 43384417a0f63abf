"""The mean of what is missing to a margin of 1, over the last axis; squared if wanted.

    y[n] = (1/K) · Σ_k max(1 − targets[n, k] · prediction[n, k], 0)^power

for targets of −1 and 1, and a power of 1 or 2.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

Where m, the maximum, is above 0, ∂y[n] / ∂prediction[n, k] = −targets · power · m^(power − 1) / K.

Source: Cortes, Vapnik, "Support-Vector Networks", Machine Learning 20, 1995.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._mean_loss import MeanLoss
from pellucid.ops._operation import Array, Case, Invalid
from pellucid.ops._terms import Call, Cell, Constant, Expression, Maximum, Product, Sum


@dataclass(frozen=True)
class Hinge(MeanLoss):
    """The mean of what is missing to the margin; the module's docstring has the formula.

    Attributes:
        power: 1, or 2 for the square.
    """

    power: int = 1

    name: ClassVar[str] = "hinge"

    def __post_init__(self) -> None:
        if self.power not in (1, 2):
            raise ArgumentError(f"hinge: power must be 1 or 2, received {self.power!r}.")

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return max(1 − targets · prediction, 0), or its square."""
        missing: Array = np.maximum(1 - targets * prediction, 0)
        return missing if self.power == 1 else missing * missing

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return −targets where something is missing, or −2 · targets times what is missing."""
        missing = np.maximum(1 - targets * prediction, 0)
        slope: Array = -targets * (missing > 0 if self.power == 1 else 2 * missing)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """What is missing, once or twice as a factor."""
        missing = Maximum((_missing(prediction, target), Constant("0", 0.0)))
        return missing if self.power == 1 else Product((missing, missing))

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The target, with the other sign, and a gate or twice what is missing."""
        power = self.power
        gate = Call(
            f"hinge{power}'".replace("1", ""),
            (_missing(prediction, target),),
            lambda m: float(m > 0) if power == 1 else 2 * max(m, 0.0),
        )
        return Product((Constant("−1", -1.0), target, gate))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As every mean loss; squared."""
        yield from super().cases()
        yield Case(cls(power=2), ((3, 4), (3, 4)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """As every mean loss; another power."""
        yield from super().invalid_cases()
        yield Invalid(lambda: cls(power=3), ArgumentError, "power")


def _missing(prediction: Cell, target: Cell) -> Sum:
    return Sum((Constant("1", 1.0), Product((Constant("−1", -1.0), target, prediction))))

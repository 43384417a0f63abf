"""The binary cross-entropy, with less weight for what is predicted well already.

    b      = −t · log c(p) − (1 − t) · log(1 − c(p))        c(p) = p, at least ε and at most 1 − ε
    m      = t · (1 − p) + (1 − t) · p                      how far the prediction misses
    loss   = b · m^gamma
    y[n]   = (1/K) · Σ_k loss[n, k] · (alpha · t + (1 − alpha) · (1 − t), if alpha is given)

with ε = 1e-7, as in Keras; with label smoothing s, t is (1 − s) · target + s / 2.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

    ∂loss/∂p = m^gamma · g · (p − t) / (p · (1 − p)) + gamma · m^(gamma − 1) · (1 − 2·t) · b

where the gate g is 1 if ε < p < 1 − ε, and 0 where c holds p back.

Source: Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", ICCV 2017.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._mean_loss import MeanLoss
from pellucid.ops._operation import Array, Case, Invalid
from pellucid.ops._targets import check_smoothing, clip, clipped, gate, is_open
from pellucid.ops._terms import Call, Cell, Constant, Expression, Product


@dataclass(frozen=True)
class BinaryFocalCrossEntropy(MeanLoss):
    """The binary focal cross-entropy; the module's docstring has the formula.

    Attributes:
        gamma: How much less what is predicted well counts; 0 for the plain cross-entropy.
        alpha: The weight of the class 1, that of 0 being 1 − alpha; None for 1 and 1.
        label_smoothing: The share of the target that is ½.
    """

    gamma: float = 2.0
    alpha: float | None = None
    label_smoothing: float = 0.0

    name: ClassVar[str] = "binary_focal_cross_entropy"

    def __post_init__(self) -> None:
        check_smoothing(self.name, self.label_smoothing)
        check_focus(self.name, self.gamma)

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return the weighted cross-entropy of each number."""
        t, weight, missed, b = self._parts(prediction, targets)
        del t
        loss: Array = weight * missed**self.gamma * b
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return the derivative of each number's loss."""
        t, weight, missed, b = self._parts(prediction, targets)
        held = clipped(prediction)
        own = is_open(prediction) * (held - t) / (held * (1 - held))
        slope: Array = missed**self.gamma * own
        if self.gamma:
            with np.errstate(divide="ignore", invalid="ignore"):
                focus = self.gamma * missed ** (self.gamma - 1) * (1 - 2 * t) * b
            slope = slope + focus
        return np.asarray(weight * slope)

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The cross-entropy, times what it counts."""
        cross = Call("cross_entropy", (prediction, target), self._cross_entropy)
        factors: tuple[Expression, ...] = (self._focus(prediction, target), cross)
        return Product((*self._weight_terms(target), *factors))

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The derivative of the weighted cross-entropy."""

        def slope(p: float, target: float) -> float:
            t, held = self._smoothed(target), clip(p)
            missed = t * (1 - p) + (1 - t) * p
            own = gate(p) * (held - t) / (held * (1 - held))
            focus = self.gamma and self.gamma * missed ** (self.gamma - 1) * (1 - 2 * t)
            return float(missed**self.gamma * own + focus * self._cross_entropy(p, target))

        own = Call("focal_cross_entropy'", (prediction, target), slope)
        return Product((*self._weight_terms(target), own))

    def _parts(
        self, prediction: Array, targets: Array
    ) -> tuple[Array, Array | float, Array, Array]:
        """Return t, the weight, how far the prediction misses, and the cross-entropy."""
        t = targets * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        weight = 1.0 if self.alpha is None else self.alpha * t + (1 - self.alpha) * (1 - t)
        missed = t * (1 - prediction) + (1 - t) * prediction
        held = clipped(prediction)
        b = -t * np.log(held) - (1 - t) * np.log1p(-held)
        return t, weight, missed, b

    def _smoothed(self, target: float) -> float:
        return target * (1 - self.label_smoothing) + 0.5 * self.label_smoothing

    def _cross_entropy(self, p: float, target: float) -> float:
        t, held = self._smoothed(target), clip(p)
        return -t * math.log(held) - (1 - t) * math.log1p(-held)

    def _focus(self, prediction: Cell, target: Cell) -> Expression:
        def focus(p: float, target: float) -> float:
            t = self._smoothed(target)
            return float((t * (1 - p) + (1 - t) * p) ** self.gamma)

        return Call("missed^gamma", (prediction, target), focus)

    def _weight_terms(self, target: Cell) -> tuple[Expression, ...]:
        if self.alpha is None:
            return ()
        t = self._smoothed(target.value)
        return (Constant("class weight", self.alpha * t + (1 - self.alpha) * (1 - t)),)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As every mean loss, with probabilities; every attribute."""

        def make(op: BinaryFocalCrossEntropy, shape: tuple[int, ...]) -> Case:
            def inputs(g: np.random.Generator) -> tuple[Array, Array]:
                return g.uniform(0.1, 0.9, shape), g.integers(0, 2, shape) * 1.0

            return Case(op, (shape, shape), inputs)

        for shape in ((3, 4), (2, 1), (1, 2, 3), (5,)):
            yield make(cls(), shape)
        yield make(cls(gamma=0.0), (3, 4))
        yield make(cls(gamma=1.5, alpha=0.25, label_smoothing=0.1), (3, 4))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """As every mean loss; attributes that cannot be."""
        yield from super().invalid_cases()
        yield Invalid(lambda: cls(gamma=-1.0), ArgumentError, "gamma")
        yield Invalid(lambda: cls(label_smoothing=2.0), ArgumentError, "label_smoothing")


def check_focus(op: str, gamma: float) -> None:
    """Raise ArgumentError unless gamma is a number of at least 0."""
    if not isinstance(gamma, int | float) or not 0 <= gamma < math.inf:
        raise ArgumentError(f"{op}: gamma must be a number of at least 0, received {gamma!r}.")

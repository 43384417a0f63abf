"""The cross-entropy of yes-or-no predictions; the mean over the last axis.

    y[n] = −(1/K) · Σ_k t · log c(p) + (1 − t) · log(1 − c(p)),     c(p) = p, but in [ε, 1 − ε]

for probabilities p, with ε = 1e-7 as in Keras; from logits x, p = σ(x), exactly and without ε:

    y[n] = (1/K) · Σ_k max(x, 0) − x·t + log(1 + exp(−|x|)),        ∂y[n]/∂x = (σ(x) − t) / K

With label smoothing s, t = (1 − s) · targets + s/2.

| tensor     | shape                                                              |
|------------|--------------------------------------------------------------------|
| prediction | (N, …, K), probabilities or logits                                 |
| targets    | as the prediction, 0 or 1 or between                               |
| y          | (N, …)                                                             |

For probabilities ∂y[n]/∂p = ((1 − t)/(1 − p) − t/p) / K, and 0 where c holds p back.

Source: Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal Statistical Society
B 20(2), 1958; the ε is Keras'.
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
from pellucid.ops._stable import sigmoid
from pellucid.ops._targets import check_smoothing, clip, clipped, gate, is_open
from pellucid.ops._terms import Call, Cell, Constant, Expression, Product, Sum


@dataclass(frozen=True)
class BinaryCrossEntropy(MeanLoss):
    """The cross-entropy of yes and no; the module's docstring has the formula.

    Attributes:
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: How far the targets are drawn towards one half.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    name: ClassVar[str] = "binary_cross_entropy"

    def __post_init__(self) -> None:
        check_smoothing(self.name, self.label_smoothing)

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return the cross-entropy of each number."""
        t = self._smooth(targets)
        loss: Array
        if self.from_logits:
            x = prediction
            loss = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
        else:
            p = clipped(prediction)
            loss = -(t * np.log(p) + (1 - t) * np.log(1 - p))
        return loss

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return σ(x) − t, or (1 − t)/(1 − p) − t/p."""
        t = self._smooth(targets)
        slope: Array
        if self.from_logits:
            slope = sigmoid(prediction) - t
        else:
            p = clipped(prediction)
            slope = is_open(prediction) * ((1 - t) / (1 - p) - t / p)
        return slope

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The two logarithms, or the stable form of their sum."""
        t = self._smooth_target(target)
        minus = Constant("−1", -1.0)
        if self.from_logits:
            positive = Call("relu", (prediction,), lambda x: max(x, 0.0))
            rest = Call(
                "log(1 + exp(−|x|))", (prediction,), lambda x: math.log1p(math.exp(-abs(x)))
            )
            return Sum((positive, Product((minus, prediction, t)), rest))
        yes = Call("clip", (prediction,), clip)
        no = Sum((Constant("1", 1.0), Product((minus, yes))))
        not_wanted = Sum((Constant("1", 1.0), Product((minus, t))))
        logs = (
            Product((t, Call("log", (yes,), math.log))),
            Product((not_wanted, Call("log", (no,), math.log))),
        )
        return Product((minus, Sum(logs)))

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """The probability less the target, or the slopes of the two logarithms."""
        t = self._smooth_target(target)
        minus = Constant("−1", -1.0)
        if self.from_logits:
            chance = Call("sigmoid", (prediction,), lambda x: float(sigmoid(np.asarray(x))))
            return Sum((chance, Product((minus, t))))
        yes = Call("clip", (prediction,), clip)
        one = Constant("1", 1.0)
        no = Sum((one, Product((minus, yes))))
        not_wanted = Sum((one, Product((minus, t))))
        slopes = Sum(
            (
                Call("divide", (not_wanted, no), lambda a, b: a / b),
                Product((minus, Call("divide", (t, yes), lambda a, b: a / b))),
            )
        )
        return Product((Call("clip'", (prediction,), gate), slopes))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Logits and probabilities, smoothed or not, clipped ones too."""

        def chances(generator: np.random.Generator) -> tuple[Array | None, ...]:
            return generator.uniform(0.02, 0.98, (3, 4)), generator.random((3, 4))

        def logits(generator: np.random.Generator) -> tuple[Array | None, ...]:
            return generator.normal(0, 4, (3, 4)), generator.integers(0, 2, (3, 4))

        for smoothing in (0.0, 0.2):
            yield Case(cls(False, smoothing), ((3, 4), (3, 4)), chances)
            yield Case(cls(True, smoothing), ((3, 4), (3, 4)), logits)
        yield Case(cls(True), ((2, 1), (2, 1)))
        beyond = np.array([[-1.0], [2.0], [3.0]])
        yield Case(cls(), ((3, 1), (3, 1)), lambda _: (beyond, np.array([[1.0], [0.0], [1.0]])))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """As every mean loss; smoothing beyond all."""
        yield from super().invalid_cases()
        yield Invalid(lambda: cls(label_smoothing=2), ArgumentError, "label_smoothing")

    def _smooth(self, targets: Array) -> Array:
        if not self.label_smoothing:
            return targets
        smooth: Array = targets * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        return smooth

    def _smooth_target(self, target: Cell) -> Expression:
        if not self.label_smoothing:
            return target
        kept = Constant("1 − label_smoothing", 1 - self.label_smoothing)
        return Sum(
            (Product((kept, target)), Constant("label_smoothing / 2", self.label_smoothing / 2))
        )

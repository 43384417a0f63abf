"""Softmax and cross-entropy in one: the loss of class scores (logits), without any ε.

    y[n] = −Σ_k t[n, k] · log p[n, k],        p = softmax(logits)
         = Σ_k t[n, k] · (log Σ_j exp(logits[n, j]) − logits[n, k])

    ∂y[n] / ∂logits[n, k] = p[n, k] · Σ_j t[n, j] − t[n, k],     p − t where the targets add up to 1

t is what the targets say: the class number's one-hot row if `sparse`, else the targets as they
are; with label smoothing s and K classes, (1 − s) · t + s / K.

| tensor  | shape                                                             |
|---------|-------------------------------------------------------------------|
| logits  | (N, …, K)                                                         |
| targets | sparse: class numbers (N, …) or (N, …, 1); else like the logits   |
| y       | (N, …)                                                            |

Source: Bridle, "Training Stochastic Model Recognition Algorithms as Networks can Lead to Maximum
Mutual Information Estimation of Parameters", NIPS 1989; label smoothing: Szegedy, Vanhoucke, Ioffe,
Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._stable import exponentials
from pellucid.ops._targets import (
    check_class_targets,
    check_smoothing,
    class_numbers,
    class_target,
    class_targets,
)
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum, cell_of
from pellucid.ops.softmax import lane, probability, shifted, total_of


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Operation):
    """The cross-entropy of logits; the module's docstring has the formula.

    Attributes:
        sparse: Whether the targets are class numbers rather than probabilities.
        label_smoothing: The share of the target that is spread over all classes.
    """

    sparse: bool = False
    label_smoothing: float = 0.0

    name: ClassVar[str] = "softmax_cross_entropy"
    inputs: ClassVar[tuple[str, ...]] = ("logits", "targets")
    constant: ClassVar[frozenset[str]] = frozenset({"targets"})

    def __post_init__(self) -> None:
        check_smoothing(self.name, self.label_smoothing)

    def output_shape(self, logits: Shape, targets: Shape) -> Shape:
        """Return (N, …)."""
        check_class_targets(self.name, "logits", logits, targets, self.sparse)
        return logits[:-1]

    def forward(self, logits: Array, targets: Array) -> Array:
        """Subtract the target's logit from the logarithm of the sum of the exponentials."""
        z, _, total = exponentials(logits, axis=-1)
        log_total = np.log(total)[..., 0]
        if self.sparse and not self.label_smoothing:
            numbers = class_numbers(self.name, targets, logits.shape)
            return np.asarray(log_total - np.take_along_axis(z, numbers, axis=-1)[..., 0])
        t = self._wanted(targets, logits)
        return np.asarray(log_total * t.sum(axis=-1) - (z * t).sum(axis=-1))

    def backward(
        self,
        dy: Array,
        y: Array,
        logits: Array,
        targets: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dlogits = dy · (p · Σ t − t)."""
        _, p, total = exponentials(logits, axis=-1)
        p /= total
        if self.sparse and not self.label_smoothing:
            numbers = class_numbers(self.name, targets, logits.shape)
            np.put_along_axis(p, numbers, np.take_along_axis(p, numbers, axis=-1) - 1, axis=-1)
        else:
            t = self._wanted(targets, logits)
            p *= t.sum(axis=-1, keepdims=True)
            p -= t
        p *= dy[..., np.newaxis]
        return p, None

    def terms(self, cell: tuple[int, ...], logits: Array, targets: Array) -> Expression:
        """The logarithm of the sum of the exponentials, less the logits that the targets want."""
        numbers = shifted("logits", logits, (*cell, 0), axis=-1)
        log = Named("logarithm of the sum", Call("log", (total_of(numbers),), math.log))
        wanted = [self._wanted_at(place, targets, logits) for place in lane((*cell, 0), logits, -1)]
        if self.sparse and not self.label_smoothing:
            k = [t.value for t in wanted].index(1.0)
            return Sum((log, Product((Constant("−1", -1.0), wanted[k], numbers[k]))))
        picked = Sum([Product(pair) for pair in zip(wanted, numbers, strict=True)])
        total = Named("sum of the targets", Sum(wanted))
        return Sum((Product((log, total)), Product((Constant("−1", -1.0), picked))))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        logits: Array,
        targets: Array,
    ) -> Expression:
        """The probability, less what the target says it should be."""
        chance: Expression = Named("probability", probability("logits", logits, cell, -1))
        if not self.sparse:
            wanted = [self._wanted_at(place, targets, logits) for place in lane(cell, logits, -1)]
            chance = Product((chance, Named("sum of the targets", Sum(wanted))))
        target = self._wanted_at(cell, targets, logits)
        error = Sum((chance, Product((Constant("−1", -1.0), target))))
        return Product((cell_of("dy", dy, cell[:-1]), error))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Class numbers and probabilities, smoothed or not, one and more axes of samples."""
        for smoothing in (0.0, 0.1):
            yield class_case(cls(sparse=True, label_smoothing=smoothing), (4, 5), (4,))
            yield class_case(cls(label_smoothing=smoothing), (3, 4), (3, 4))
        yield class_case(cls(sparse=True), (3, 5), (3, 1))
        yield class_case(cls(sparse=True), (2, 2, 3, 4), (2, 2, 3))
        yield class_case(cls(), (2, 3, 2), (2, 3, 2))
        yield class_case(cls(sparse=True), (1, 1), (1,))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Targets of another shape or out of range."""
        yield Invalid(lambda: cls(label_smoothing=1.5), ArgumentError, "label_smoothing")
        yield Invalid(lambda: cls().output_shape((4, 3), (4,)), ShapeError, "same shape")
        yield Invalid(lambda: cls(True).output_shape((4, 3), (4, 3)), ShapeError, "class numbers")
        yield Invalid(
            lambda: cls(True).forward(np.zeros((2, 3)), np.array([0, 3])), DataError, "0 to 2"
        )
        yield Invalid(
            lambda: cls(True).forward(np.zeros((2, 3)), np.array([0, 0.5])), DataError, "whole"
        )

    def _wanted(self, targets: Array, logits: Array) -> Array:
        return class_targets(self.name, targets, logits, self.sparse, self.label_smoothing)

    def _wanted_at(self, place: tuple[int, ...], targets: Array, logits: Array) -> Expression:
        return class_target(place, targets, logits, self.sparse, self.label_smoothing)


def class_case(
    op: Operation, scores: tuple[int, ...], targets: tuple[int, ...], *, chances: bool = False
) -> Case:
    """Return a case with scores (probabilities if `chances`) and class numbers or probabilities."""

    def make(generator: np.random.Generator) -> tuple[Array | None, ...]:
        given = generator.uniform(0.05, 1, scores) if chances else generator.normal(0, 3, scores)
        if scores == targets:
            return given, generator.random(targets)
        return given, generator.integers(0, scores[-1], targets)

    return Case(op, (scores, targets), make)

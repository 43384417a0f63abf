"""The cross-entropy of class probabilities: how little was given to the class that it was.

    q[n, k] = p[n, k] / Σ_j p[n, j]
    y[n]    = −Σ_k t[n, k] · log c(q[n, k]),        c(q) = q, but at least ε and at most 1 − ε

with ε = 1e-7, as in Keras. t is what the targets say: the class number's one-hot row if `sparse`,
else the targets as they are; with label smoothing s and K classes, (1 − s) · t + s / K.

    ∂y[n] / ∂p[n, k] = Σ_j t[n, j]·g[n, j] / Σ_j p[n, j] − t[n, k]·g[n, k] / p[n, k]

where the gate g is 1 if ε < q < 1 − ε, and 0 where c holds q back. If all p are 0 there is no q,
and y is NaN. On the logits themselves softmax_cross_entropy is exact, and needs no ε.

| tensor        | shape                                                           |
|---------------|-----------------------------------------------------------------|
| probabilities | (N, …, K)                                                       |
| targets       | sparse: class numbers (N, …) or (N, …, 1); else (N, …, K)       |
| y             | (N, …)                                                          |

Source: Good, "Rational Decisions", Journal of the Royal Statistical Society B 14(1), 1952; the
normalisation and the ε are Keras'.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._targets import (
    check_class_targets,
    check_smoothing,
    class_target,
    class_targets,
    clip,
    clipped,
    gate,
    is_open,
)
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum, cell_of
from pellucid.ops.softmax import lane
from pellucid.ops.softmax_cross_entropy import class_case


@dataclass(frozen=True)
class CategoricalCrossEntropy(Operation):
    """The cross-entropy of probabilities; the module's docstring has the formula.

    Attributes:
        sparse: Whether the targets are class numbers rather than probabilities.
        label_smoothing: The share of the target that is spread over all classes.
    """

    sparse: bool = False
    label_smoothing: float = 0.0

    name: ClassVar[str] = "categorical_cross_entropy"
    inputs: ClassVar[tuple[str, ...]] = ("probabilities", "targets")
    constant: ClassVar[frozenset[str]] = frozenset({"targets"})

    def __post_init__(self) -> None:
        check_smoothing(self.name, self.label_smoothing)

    def output_shape(self, probabilities: Shape, targets: Shape) -> Shape:
        """Return (N, …)."""
        check_class_targets(self.name, "probabilities", probabilities, targets, self.sparse)
        return probabilities[:-1]

    def forward(self, probabilities: Array, targets: Array) -> Array:
        """Normalise, clip, and add up the logarithms that the targets want."""
        t = self._wanted(targets, probabilities)
        with np.errstate(invalid="ignore", divide="ignore"):  # all are 0: y is NaN
            q = probabilities / probabilities.sum(axis=-1, keepdims=True)
        return np.asarray(-(t * np.log(clipped(q))).sum(axis=-1))

    def backward(
        self,
        dy: Array,
        y: Array,
        probabilities: Array,
        targets: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dprobabilities = dy · (Σ t·g / Σ p − t·g / p)."""
        total = probabilities.sum(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            passes = is_open(probabilities / total)
            t = self._wanted(targets, probabilities) * passes
            shares = np.divide(t, probabilities, out=np.zeros_like(probabilities), where=passes)
            return dy[..., np.newaxis] * (t.sum(axis=-1, keepdims=True) / total - shares), None

    def terms(self, cell: tuple[int, ...], probabilities: Array, targets: Array) -> Expression:
        """The logarithms of the probabilities, each as far as the target wants it."""
        logs: list[Expression] = []
        for place in lane((*cell, 0), probabilities, -1):
            wanted = self._wanted_at(place, targets, probabilities)
            if self.sparse and not wanted.value:
                continue
            q = _normalised(probabilities, place)
            held = Call("clip", (q,), clip)
            logs.append(Product((wanted, Call("log", (held,), math.log))))
        return Product((Constant("−1", -1.0), Sum(logs)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        probabilities: Array,
        targets: Array,
    ) -> Expression:
        """What all classes' normalisation gives, less what the class itself is wanted."""
        places = lane(cell, probabilities, -1)
        wanted = [
            Product(
                (
                    self._wanted_at(place, targets, probabilities),
                    Call("clip'", (_normalised(probabilities, place),), gate),
                )
            )
            for place in places
        ]
        total = Named("sum", Sum([cell_of("probabilities", probabilities, p) for p in places]))
        chance = cell_of("probabilities", probabilities, cell)
        common = Call("divide", (Sum(wanted), total), lambda a, b: a / b)
        # Where the gate is shut the share is 0, even of a probability that is 0.
        own = Call("divide", (wanted[cell[-1]], chance), lambda a, b: a / b if a else 0.0)
        error = Sum((common, Product((Constant("−1", -1.0), own))))
        return Product((cell_of("dy", dy, cell[:-1]), error))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Class numbers and probabilities, smoothed or not, one and more axes of samples."""
        for smoothing in (0.0, 0.1):
            sparse, dense = cls(True, smoothing), cls(False, smoothing)
            yield class_case(sparse, (4, 5), (4,), chances=True)
            yield class_case(dense, (3, 4), (3, 4), chances=True)
        yield class_case(cls(sparse=True), (3, 5), (3, 1), chances=True)
        yield class_case(cls(sparse=True), (2, 2, 3), (2, 2), chances=True)
        yield class_case(cls(), (2, 3, 2), (2, 3, 2), chances=True)
        clipped_ones = np.array([[3.0, -1.0, 0.5], [0.2, 0.7, -0.1]])
        yield Case(cls(), ((2, 3), (2, 3)), lambda g: (clipped_ones, g.random((2, 3))))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Targets of another shape, smoothing beyond all."""
        yield Invalid(lambda: cls(label_smoothing=-1), ArgumentError, "label_smoothing")
        yield Invalid(lambda: cls().output_shape((4, 3), (4,)), ShapeError, "same shape")
        yield Invalid(lambda: cls(True).output_shape((4, 3), (4, 3)), ShapeError, "class numbers")

    def _wanted(self, targets: Array, probabilities: Array) -> Array:
        return class_targets(self.name, targets, probabilities, self.sparse, self.label_smoothing)

    def _wanted_at(
        self, place: tuple[int, ...], targets: Array, probabilities: Array
    ) -> Expression:
        return class_target(place, targets, probabilities, self.sparse, self.label_smoothing)


def _normalised(probabilities: Array, place: tuple[int, ...]) -> Expression:
    """The probability at `place`, divided by the sum of its sample's."""
    cells = [
        cell_of("probabilities", probabilities, other) for other in lane(place, probabilities, -1)
    ]
    return Call("divide", (cells[place[-1]], Named("sum", Sum(cells))), lambda a, b: a / b)

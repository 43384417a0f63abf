"""The categorical hinge: how far the best wrong class comes within 1 of the right one.

    y[n] = max(1 + wrong − right, 0)
    right = Σ_k targets[n, k] · prediction[n, k]
    wrong = max_k (1 − targets[n, k]) · prediction[n, k]

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

Where y > 0, ∂y[n] / ∂prediction[n, k] = (1 − targets[n, k]) · w[n, k] − targets[n, k], where w is 1
for the wrong class that is largest (equals share it) and 0 for all others.

Source: Crammer, Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector
Machines", JMLR 2, 2001.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._targets import check_same_shape
from pellucid.ops._terms import Constant, Expression, Maximum, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class CategoricalHinge(Operation):
    """The categorical hinge; the module's docstring has the formula."""

    name: ClassVar[str] = "categorical_hinge"
    inputs: ClassVar[tuple[str, ...]] = ("prediction", "targets")
    constant: ClassVar[frozenset[str]] = frozenset({"targets"})

    def output_shape(self, prediction: Shape, targets: Shape) -> Shape:
        """Return (N, …), without the last axis."""
        check_same_shape(self.name, "prediction", prediction, targets)
        return prediction[:-1]

    def forward(self, prediction: Array, targets: Array) -> Array:
        """Return 1 + wrong − right, but at least 0."""
        t = targets.astype(prediction.dtype, copy=False)
        wrong, right = ((1 - t) * prediction).max(axis=-1), (t * prediction).sum(axis=-1)
        return np.asarray(np.maximum(1 + wrong - right, 0))

    def backward(
        self,
        dy: Array,
        y: Array,
        prediction: Array,
        targets: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dprediction = dy · ((1 − t) · w − t) where y > 0."""
        t = targets.astype(prediction.dtype, copy=False)
        slope = (1 - t) * self._winners(prediction, t) - t
        return slope * (dy * (y > 0))[..., np.newaxis], None

    def terms(self, cell: tuple[int, ...], prediction: Array, targets: Array) -> Expression:
        """The largest wrong score and the right one, with the margin between them."""
        right, wrong = [], []
        for k in range(prediction.shape[-1]):
            score = cell_of("prediction", prediction, (*cell, k))
            target = cell_of("targets", targets, (*cell, k))
            right.append(Product((target, score)))
            wrong.append(Product((Constant("1 − target", 1 - target.value), score)))
        sides = Product((Constant("−1", -1.0), Named("right", Sum(right))))
        missing = Sum((Constant("1", 1.0), Named("wrong", Maximum(wrong)), sides))
        return Maximum((missing, Constant("0", 0.0)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        prediction: Array,
        targets: Array,
    ) -> Expression:
        """What the score counts among the wrong ones, less what it counts as the right one."""
        target = float(targets[cell])
        winner = self._winners(prediction, targets.astype(prediction.dtype))[cell]
        share = Constant("(1 − target) · largest", (1 - target) * float(winner))
        apart = Sum((share, Product((Constant("−1", -1.0), cell_of("targets", targets, cell)))))
        gate = Constant("gate", float(y[cell[:-1]] > 0))
        return Product((cell_of("dy", dy, cell[:-1]), gate, apart))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One-hot targets and others, one and more axes of samples."""

        def one_hot(g: np.random.Generator) -> tuple[Array, Array]:
            return 3 * g.standard_normal((6, 4)), np.eye(4)[g.integers(0, 4, 6)]

        yield Case(cls(), ((6, 4), (6, 4)), one_hot)
        for shape in ((2, 1), (1, 2, 3), (5,)):
            yield Case(cls(), (shape, shape))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that NumPy would spread to each other."""
        yield Invalid(lambda: cls().output_shape((4, 1), (4, 3)), ShapeError, "same shape")
        yield Invalid(lambda: cls().output_shape((), ()), ShapeError, "same shape")

    def _winners(self, prediction: Array, t: Array) -> Array:
        """1 for the largest of (1 − t) · prediction, shared by equals, and 0 for all others."""
        scores = (1 - t) * prediction
        largest = (scores == scores.max(axis=-1, keepdims=True)).astype(prediction.dtype)
        return np.asarray(largest / largest.sum(axis=-1, keepdims=True))

"""The cosine of the angle between prediction and targets, with the other sign.

    y[n] = −Σ_k p[n, k] · t[n, k],    p = prediction / |prediction|,    t = targets / |targets|

where |v| = √Σ_k v², but at least ε = 1e-7. It is −1 for the same direction, 0 for a right angle and
1 for the opposite direction.

| tensor     | shape            |
|------------|------------------|
| prediction | (N, …, K)        |
| targets    | as the prediction|
| y          | (N, …)           |

∂y[n] / ∂prediction[n, k] = −(t[n, k] + y[n] · p[n, k]) / |prediction|, and −t[n, k] / ε where
|prediction| is held at ε.

Source: Salton, "Automatic Information Organization and Retrieval", 1968; the ε is Keras'.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._targets import EPSILON, check_same_shape
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of

_MINUS = Constant("−1", -1.0)


@dataclass(frozen=True)
class CosineSimilarity(Operation):
    """The negative cosine; the module's docstring has the formula."""

    name: ClassVar[str] = "cosine_similarity"
    inputs: ClassVar[tuple[str, ...]] = ("prediction", "targets")
    constant: ClassVar[frozenset[str]] = frozenset({"targets"})

    def output_shape(self, prediction: Shape, targets: Shape) -> Shape:
        """Return (N, …), without the last axis."""
        check_same_shape(self.name, "prediction", prediction, targets)
        return prediction[:-1]

    def forward(self, prediction: Array, targets: Array) -> Array:
        """Return −Σ p · t."""
        t = targets.astype(prediction.dtype, copy=False)
        return np.asarray(-(prediction / _length(prediction) * (t / _length(t))).sum(axis=-1))

    def backward(
        self,
        dy: Array,
        y: Array,
        prediction: Array,
        targets: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dprediction = −dy · (t + y · p) / |prediction|."""
        t = targets.astype(prediction.dtype, copy=False)
        length = _length(prediction)
        turned = np.where(length > EPSILON, y[..., np.newaxis] * prediction / length, 0)
        return -dy[..., np.newaxis] * (t / _length(t) + turned) / length, None

    def terms(self, cell: tuple[int, ...], prediction: Array, targets: Array) -> Expression:
        """The products of both, divided by their lengths."""
        products = [
            Product(
                (
                    cell_of("prediction", prediction, (*cell, k)),
                    cell_of("targets", targets, (*cell, k)),
                )
            )
            for k in range(prediction.shape[-1])
        ]
        return Product((_MINUS, *_shares(cell, prediction, targets), Sum(products)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        prediction: Array,
        targets: Array,
    ) -> Expression:
        """The target's direction, and the prediction's own as far as it is taken already."""
        here, there = _shares(cell[:-1], prediction, targets)
        parts: list[Expression] = [Product((there, cell_of("targets", targets, cell)))]
        if here.value < 1 / EPSILON:
            own = cell_of("y", y, cell[:-1])
            parts.append(Product((own, here, cell_of("prediction", prediction, cell))))
        return Product((_MINUS, cell_of("dy", dy, cell[:-1]), here, Sum(parts)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One and more numbers for each sample, one and more axes of samples."""
        for shape in ((3, 4), (2, 3), (1, 2, 3), (5,)):
            yield Case(cls(), (shape, shape))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that NumPy would spread to each other."""
        yield Invalid(lambda: cls().output_shape((4, 1), (4, 3)), ShapeError, "same shape")
        yield Invalid(lambda: cls().output_shape((), ()), ShapeError, "same shape")


def _length(values: Array) -> Array:
    lengths = np.sqrt(np.square(values).sum(axis=-1, keepdims=True))
    return np.asarray(np.maximum(lengths, EPSILON))


def _shares(cell: tuple[int, ...], prediction: Array, targets: Array) -> tuple[Constant, Constant]:
    lengths = (float(_length(a[cell].astype(np.float64))[0]) for a in (prediction, targets))
    here, there = lengths
    return Constant("1/|prediction|", 1 / here), Constant("1/|targets|", 1 / there)

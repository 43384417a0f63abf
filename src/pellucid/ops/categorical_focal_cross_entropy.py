"""The cross-entropy of class probabilities, with less weight for what is predicted well already.

    q[n, k] = p[n, k] / Σ_j p[n, j],  but at least ε and at most 1 − ε
    y[n]    = −Σ_k alpha · (1 − q[n, k])^gamma · t[n, k] · log q[n, k]

with ε = 1e-7, as in Keras; with label smoothing s and K classes, t is (1 − s) · target + s / K.

| tensor        | shape                |
|---------------|----------------------|
| probabilities | (N, …, K)            |
| targets       | as the probabilities |
| y             | (N, …)               |

With h = ∂y / ∂q = alpha · t · (gamma · (1 − q)^(gamma − 1) · log q − (1 − q)^gamma / q), and h = 0
where q is held back,

    ∂y[n] / ∂p[n, k] = (h[n, k] − Σ_j h[n, j] · q[n, j]) / Σ_j p[n, j]

Source: Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", ICCV 2017; for
more than two classes as in Keras.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._targets import check_same_shape, check_smoothing, clip, clipped, is_open
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum, cell_of
from pellucid.ops.binary_focal_cross_entropy import check_focus


@dataclass(frozen=True)
class CategoricalFocalCrossEntropy(Operation):
    """The categorical focal cross-entropy; the module's docstring has the formula.

    Attributes:
        gamma: How much less what is predicted well counts; 0 for the plain cross-entropy.
        alpha: What the loss is multiplied with: a number, or one for each class.
        label_smoothing: The share of the target that is spread over all classes.
    """

    gamma: float = 2.0
    alpha: float | tuple[float, ...] = 0.25
    label_smoothing: float = 0.0

    name: ClassVar[str] = "categorical_focal_cross_entropy"
    inputs: ClassVar[tuple[str, ...]] = ("probabilities", "targets")
    constant: ClassVar[frozenset[str]] = frozenset({"targets"})

    def __post_init__(self) -> None:
        check_smoothing(self.name, self.label_smoothing)
        check_focus(self.name, self.gamma)

    def output_shape(self, probabilities: Shape, targets: Shape) -> Shape:
        """Return (N, …)."""
        check_same_shape(self.name, "probabilities", probabilities, targets)
        if isinstance(self.alpha, tuple) and probabilities[-1] not in (None, len(self.alpha)):
            raise ShapeError(
                f"{self.name}: alpha has {len(self.alpha)} numbers, but there are "
                f"{probabilities[-1]} classes."
            )
        return probabilities[:-1]

    def forward(self, probabilities: Array, targets: Array) -> Array:
        """Normalise, hold, and add up the weighted logarithms."""
        q = clipped(probabilities / probabilities.sum(axis=-1, keepdims=True))
        wanted = self._wanted(targets, probabilities)
        return np.asarray(-(wanted * (1 - q) ** self.gamma * np.log(q)).sum(axis=-1))

    def backward(
        self,
        dy: Array,
        y: Array,
        probabilities: Array,
        targets: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dprobabilities = dy · (h − Σ h · q) / Σ p."""
        total = probabilities.sum(axis=-1, keepdims=True)
        q = probabilities / total
        h = self._slope(q) * self._wanted(targets, probabilities)
        return dy[..., np.newaxis] * (h - (h * q).sum(axis=-1, keepdims=True)) / total, None

    def terms(self, cell: tuple[int, ...], probabilities: Array, targets: Array) -> Expression:
        """The logarithms of the probabilities, each as far as the target wants it."""
        wanted = self._wanted(targets, probabilities)
        gamma = self.gamma
        parts = []
        for k in range(probabilities.shape[-1]):
            held = Call("clip", (self._share((*cell, k), probabilities),), clip)
            focus = Call("(1 − q)^gamma", (held,), lambda q: (1 - q) ** gamma)
            weight = Constant("alpha · t", float(wanted[(*cell, k)]))
            parts.append(Product((weight, focus, Call("log", (held,), math.log))))
        return Product((Constant("−1", -1.0), Sum(parts)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        probabilities: Array,
        targets: Array,
    ) -> Expression:
        """The class's own slope, less what all classes' normalisation takes."""
        wanted = self._wanted(targets, probabilities)

        def slope_at(k: int) -> Product:
            place = (*cell[:-1], k)
            weight = Constant("alpha · t", float(wanted[place]))
            share = self._share(place, probabilities)
            slope = Call("focal'", (share,), lambda q: float(self._slope(np.array(q))))
            return Product((weight, slope))

        classes = range(probabilities.shape[-1])
        common = Named(
            "common",
            Sum(
                [
                    Product((slope_at(k), self._share((*cell[:-1], k), probabilities)))
                    for k in classes
                ]
            ),
        )
        error = Sum((slope_at(cell[-1]), Product((Constant("−1", -1.0), common))))
        total = float(probabilities[cell[:-1]].sum())
        return Product((cell_of("dy", dy, cell[:-1]), Constant("1 / sum", 1 / total), error))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Probabilities that add up to 1 or do not; every attribute; more axes of samples."""

        def make(op: CategoricalFocalCrossEntropy, *shape: int) -> Case:
            def inputs(g: np.random.Generator) -> tuple[Array, Array]:
                return g.uniform(0.2, 1, shape), np.eye(shape[-1])[g.integers(0, 2, shape[:-1])]

            return Case(op, (shape, shape), inputs)

        yield make(cls(), 3, 4)
        yield make(cls(gamma=0.0, alpha=1.0), 2, 3)
        yield make(cls(gamma=1.5, alpha=(0.5, 1.0, 2.0), label_smoothing=0.2), 2, 2, 3)

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(gamma=-1.0), ArgumentError, "gamma")
        yield Invalid(lambda: cls(label_smoothing=2.0), ArgumentError, "label_smoothing")
        yield Invalid(lambda: cls().output_shape((4, 1), (4, 3)), ShapeError, "same shape")
        yield Invalid(
            lambda: cls(alpha=(1.0, 1.0)).output_shape((4, 3), (4, 3)), ShapeError, "3 classes"
        )

    def _wanted(self, targets: Array, probabilities: Array) -> Array:
        """Alpha · t, in the probabilities' type."""
        t = targets.astype(probabilities.dtype, copy=False)
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / t.shape[-1]
        return np.asarray(t * np.asarray(self.alpha, probabilities.dtype))

    def _slope(self, q: Array) -> Array:
        """The derivative of −(1 − q)^gamma · log q, and 0 where q is held."""
        held = clipped(q)
        slope = -((1 - held) ** self.gamma) / held
        if self.gamma:
            slope = slope + self.gamma * (1 - held) ** (self.gamma - 1) * np.log(held)
        return np.asarray(slope * is_open(q))

    def _share(self, place: tuple[int, ...], probabilities: Array) -> Expression:
        row = [(*place[:-1], k) for k in range(probabilities.shape[-1])]
        total = Named("sum", Sum([cell_of("probabilities", probabilities, at) for at in row]))
        chance = cell_of("probabilities", probabilities, place)
        return Named(f"q[{place[-1]}]", Call("divide", (chance, total), lambda a, b: a / b))

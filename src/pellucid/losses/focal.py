"""Focal cross-entropies: what is predicted well already counts less.

Source: Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config
from pellucid.graph import Tracer, Value
from pellucid.losses._loss import Loss
from pellucid.losses.crossentropy import check_probabilities, last_axis, smoothing
from pellucid.ops._operation import Array, Operation, Shape
from pellucid.ops.activation import Activation
from pellucid.ops.binary_focal_cross_entropy import BinaryFocalCrossEntropy
from pellucid.ops.categorical_focal_cross_entropy import CategoricalFocalCrossEntropy
from pellucid.ops.softmax import Softmax

__all__ = [
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
]


class _Focal(Loss):
    """What both have in common."""

    def __init__(
        self,
        alpha: Any,
        gamma: float,
        from_logits: bool,
        label_smoothing: float,
        axis: int,
        reduction: str | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = smoothing(self, label_smoothing)
        self.axis = last_axis(self, axis)

    def operations(self) -> tuple[Operation, Operation]:
        """Return what makes probabilities of logits, and the loss."""
        raise NotImplementedError  # both have their own

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the loss, after a softmax or sigmoid where predictions are logits."""
        made, loss = self.operations()
        if self.from_logits:
            prediction = g.apply(made, prediction, role="probabilities")
        return g.apply(loss, prediction, target, role="losses")

    def check(self, targets: npt.ArrayLike, prediction_shape: Shape) -> None:
        """Refuse what is not a probability from 0 to 1; see `Loss.check`."""
        check_probabilities(self, self._shaped(targets, prediction_shape))

    def get_config(self) -> Config:
        """Return the arguments that make this loss again."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
            "alpha": self.alpha,
            "gamma": self.gamma,
        }


class BinaryFocalCrossentropy(_Focal):
    """The mean over the last axis of m^γ · b, for targets of 0 or 1.

    b is the binary cross-entropy, and m = y · (1 − p) + (1 − y) · p how far the prediction misses.

    Args:
        apply_class_balancing: Whether class 1 counts alpha, and class 0 counts 1 − alpha.
        alpha: See there.
        gamma: γ; with 0 it is the plain binary cross-entropy.
        from_logits: Whether predictions are scores of any size rather than probabilities.
        label_smoothing: s in y := (1 − s) · y + s / 2, from 0 to 1.
        axis: The axis that is averaged over: the last.
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(BinaryFocalCrossentropy()([[0], [1]], [[0.1], [0.6]]), 4)
        0.0414
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(alpha, gamma, from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.operations()

    def operations(self) -> tuple[Operation, Operation]:
        """Return the sigmoid, and the loss."""
        alpha = self.alpha if self.apply_class_balancing else None
        loss = BinaryFocalCrossEntropy(self.gamma, alpha, self.label_smoothing)
        return Activation("sigmoid"), loss

    def get_config(self) -> Config:
        """Return the arguments that make this loss again."""
        return {**super().get_config(), "apply_class_balancing": self.apply_class_balancing}


class CategoricalFocalCrossentropy(_Focal):
    """−Σ_k α · (1 − p_k)^γ · y_k · log p_k, for one-hot targets (N, …, C).

    Args:
        alpha: α: a number, or one for each class.
        gamma: γ; with 0 it is the plain cross-entropy, α times.
        from_logits: Whether predictions are scores of any size rather than probabilities.
        label_smoothing: s in y := (1 − s) · y + s / C, from 0 to 1.
        axis: The axis of the classes: the last.
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(CategoricalFocalCrossentropy()([[0, 1, 0]], [[0.2, 0.6, 0.2]]), 4)
        0.0204
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(alpha, gamma, from_logits, label_smoothing, axis, reduction, name, dtype)
        self.operations()

    def operations(self) -> tuple[Operation, Operation]:
        """Return the softmax, and the loss."""
        given = np.asarray(self.alpha, float)
        alpha = tuple(given.tolist()) if given.ndim else float(given)
        return Softmax(), CategoricalFocalCrossEntropy(self.gamma, alpha, self.label_smoothing)


def binary_focal_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the mean over the last axis of m^γ · b; see `BinaryFocalCrossentropy`."""
    loss = BinaryFocalCrossentropy(
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis
    )
    return loss.values(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return −Σ_k α · (1 − p_k)^γ · y_k · log p_k; see `CategoricalFocalCrossentropy`."""
    loss = CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis)
    return loss.values(y_true, y_pred)

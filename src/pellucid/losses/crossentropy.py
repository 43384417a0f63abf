"""Cross-entropies: how surprising the targets are to the predicted probabilities.

Where the prediction comes straight from a softmax or sigmoid, the loss is computed from what went
into that, in one stable step: log 0 cannot occur. Probabilities from elsewhere are kept 10⁻⁷ away
from 0 and 1, as in Keras.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config
from pellucid.errors import ArgumentError, DataError
from pellucid.graph import Tracer, Value
from pellucid.losses._loss import Loss, as_float, in_parts
from pellucid.ops._operation import Array, Shape
from pellucid.ops.activation import Activation
from pellucid.ops.binary_cross_entropy import BinaryCrossEntropy
from pellucid.ops.categorical_cross_entropy import CategoricalCrossEntropy
from pellucid.ops.softmax import Softmax
from pellucid.ops.softmax_cross_entropy import SoftmaxCrossEntropy

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "check_probabilities",
    "last_axis",
    "smoothing",
    "sparse_categorical_crossentropy",
]


class _Crossentropy(Loss):
    """What the categorical losses have in common."""

    _sparse: ClassVar[bool]
    from_logits: bool
    label_smoothing: float = 0.0

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State −Σ y · log p, from logits wherever they can be had."""
        node = g.producer(prediction)
        softmax = (
            node is not None
            and isinstance(node.op, Softmax)
            and node.op.axis in (-1, len(prediction.shape) - 1)
        )
        logits: Value | None = prediction if self.from_logits else None
        if self.from_logits:
            _warn_of_twice(self, "softmax", softmax)
        elif softmax and node is not None:
            logits = node.inputs[0]
        if logits is None:
            on_probabilities = CategoricalCrossEntropy(self._sparse, self.label_smoothing)
            return g.apply(on_probabilities, prediction, target, role="losses")
        on_logits = SoftmaxCrossEntropy(self._sparse, self.label_smoothing)
        return g.apply(on_logits, logits, target, role="losses")

    def _eager(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
        pred = as_float(y_pred)
        self.check(y_true, pred.shape)
        return self.prepare(y_true, pred.shape, pred.dtype), pred


class CategoricalCrossentropy(_Crossentropy):
    """−Σ_c y_c · log p_c, for one-hot targets (N, …, C).

    Args:
        from_logits: Whether predictions are scores of any size rather than probabilities.
        label_smoothing: s in y := (1 − s) · y + s / C, from 0 to 1.
        axis: The axis of the classes: the last.
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(CategoricalCrossentropy()([[0, 1, 0]], [[0.05, 0.9, 0.05]]), 4)
        0.1054
    """

    _sparse = False

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = smoothing(self, label_smoothing)
        self.axis = last_axis(self, axis)

    def check(self, targets: npt.ArrayLike, prediction_shape: Shape) -> None:
        """Refuse what is not a probability from 0 to 1; see `Loss.check`."""
        check_probabilities(self, self._shaped(targets, prediction_shape))

    def _advice(self, targets: tuple[int, ...], prediction: Shape) -> str:
        if targets[1:] in (tuple(prediction[1:-1]), (*prediction[1:-1], 1)):
            return (
                " These look like class numbers: use loss='sparse_categorical_crossentropy', or "
                f"one-hot rows, utils.to_categorical(y, {prediction[-1]})."
            )
        return ""

    def get_config(self) -> Config:
        """Return the arguments that make this loss again."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class SparseCategoricalCrossentropy(_Crossentropy):
    """−log p[y], for class numbers (N, …) or (N, …, 1) and predictions (N, …, C).

    Args:
        from_logits: Whether predictions are scores of any size rather than probabilities.
        ignore_class: Not offered: give such samples a `sample_weight` of 0.
        reduction: See `Loss`.
        axis: The axis of the classes: the last.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(SparseCategoricalCrossentropy()([1], [[0.05, 0.9, 0.05]]), 4)
        0.1054
    """

    _sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if ignore_class is not None:
            raise ArgumentError(
                f"{self.name}: ignore_class is not offered; give the samples to be ignored a "
                "sample_weight of 0."
            )
        self.from_logits = from_logits
        self.axis = last_axis(self, axis)

    def target_shape(self, prediction_shape: Shape) -> Shape:
        """Return the predictions' shape without the classes."""
        return prediction_shape[:-1]

    def prepare(
        self, targets: npt.ArrayLike, prediction_shape: Shape, dtype: npt.DTypeLike = "float32"
    ) -> Array:
        """Return class numbers as int32; DataError if one is not a class. See `Loss.prepare`."""
        del dtype
        self.check(targets, prediction_shape)
        return self._shaped(targets, prediction_shape).astype(np.int32, copy=False)

    def check(self, targets: npt.ArrayLike, prediction_shape: Shape) -> None:
        """Refuse what is not a whole number below the number of classes; see `Loss.check`."""
        labels, classes = self._shaped(targets, prediction_shape), prediction_shape[-1] or 0
        if not labels.size:
            return
        low, high = labels.min(), labels.max()
        within = low >= 0 and high < classes  # false for NaN as well
        if within and (labels.dtype.kind in "biu" or not (labels % 1).any()):
            return
        with np.errstate(invalid="ignore"):  # infinity has no remainder
            wrong = ~((labels >= 0) & (labels < classes)) | (labels % 1 != 0)
        place = tuple(np.argwhere(wrong)[0]) if labels.ndim else ()
        raise DataError(
            f"{self.name}: expected labels to be whole numbers from 0 to {classes - 1}, since "
            f"predictions have {classes} classes; received labels from {low} to {high}. The first "
            f"wrong one is {labels[place]}"
            + (f", in row {place[0]}." if place else ".")
            + (" If the labels begin at 1, subtract 1." if low == 1 and high == classes else "")
        )

    def _advice(self, targets: tuple[int, ...], prediction: Shape) -> str:
        if targets[1:] == tuple(prediction[1:]):
            return (
                " These look like one-hot rows: use loss='categorical_crossentropy', or class "
                "numbers, y.argmax(axis=-1)."
            )
        return ""

    def get_config(self) -> Config:
        """Return the arguments that make this loss again."""
        return {**super().get_config(), "from_logits": self.from_logits, "ignore_class": None}


class BinaryCrossentropy(Loss):
    """The mean over the last axis of −y · log p − (1 − y) · log(1 − p), for targets of 0 or 1.

    Args:
        from_logits: Whether predictions are scores of any size rather than probabilities.
        label_smoothing: s in y := (1 − s) · y + s / 2, from 0 to 1.
        axis: The axis that is averaged over: the last.
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(BinaryCrossentropy()([[0], [1]], [[0.1], [0.9]]), 4)
        0.1054
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = smoothing(self, label_smoothing)
        self.axis = last_axis(self, axis)

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the loss, from logits wherever they can be had."""
        node = g.producer(prediction)
        op = None if node is None else node.op
        sigmoid = isinstance(op, Activation) and op.function == "sigmoid"
        if self.from_logits:
            _warn_of_twice(self, "sigmoid", sigmoid)
        fused = sigmoid and not self.from_logits and node is not None
        operation = BinaryCrossEntropy(
            from_logits=self.from_logits or fused, label_smoothing=self.label_smoothing
        )
        source = node.inputs[0] if fused and node is not None else prediction
        return g.apply(operation, source, target, role="losses")

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
        }


def categorical_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return −Σ_c y_c · log p_c of each sample; see `CategoricalCrossentropy`."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).values(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array:
    """Return −log p[y] of each sample; see `SparseCategoricalCrossentropy`."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
    return loss.values(y_true, y_pred)


def binary_crossentropy(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the binary cross-entropy of each sample; see `BinaryCrossentropy`."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).values(y_true, y_pred)


def check_probabilities(loss: Loss, targets: Array) -> None:
    """Raise DataError if a target is not a number from 0 to 1."""
    for row, part in in_parts(targets):
        loss._refuse(~((part >= 0) & (part <= 1)), part, row, "a number from 0 to 1")


def smoothing(loss: Loss, value: float) -> float:
    """Return `value`; ArgumentError unless it lies from 0 to 1."""
    if not 0 <= value <= 1:
        raise ArgumentError(f"{loss.name}: expected label_smoothing from 0 to 1, received {value}.")
    return value


def last_axis(loss: Loss, axis: int) -> int:
    """Return `axis`; ArgumentError unless it is the last one."""
    if axis != -1:
        raise ArgumentError(f"{loss.name}: the classes lie along axis -1, received axis={axis}.")
    return axis


def _warn_of_twice(loss: Loss, function: str, applied: bool) -> None:
    if applied:
        warnings.warn(
            f"{loss.name}: from_logits=True, but the predictions come from a {function}, which is "
            f"then applied twice. Leave out one of the two.",
            stacklevel=4,
        )

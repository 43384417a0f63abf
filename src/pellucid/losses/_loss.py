"""What losses have in common: targets that fit, the reduction, and running without a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config, snake_case
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.graph.reference import forward
from pellucid.ops._operation import Array, Operation, Shape
from pellucid.ops.weighted_mean import WeightedMean

__all__ = ["Loss", "OperationLoss", "as_float", "in_parts"]

_REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)
_CHECKED_AT_ONCE = 1 << 22


class Loss:
    """The base of all losses: a subclass states `per_sample`.

    Args:
        name: The loss's name.
        reduction: How one number is made of the samples' losses: 'sum_over_batch_size' (or
            'mean'), their weighted sum divided by their number; 'sum'; 'mean_with_sample_weight',
            divided by the sum of the weights; None (or 'none'), not at all.
        dtype: Accepted for Keras' sake: a loss has the type of the predictions.
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        del dtype
        self.name = name or snake_case(type(self).__name__)
        if reduction not in _REDUCTIONS:
            raise ArgumentError(
                f"{self.name}: reduction must be one of {_REDUCTIONS}, received {reduction!r}."
            )
        self.reduction = reduction

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the loss of each sample, (N, …), as operations on `g`."""
        raise NotImplementedError  # every subclass has its own

    def target_shape(self, prediction_shape: Shape) -> Shape:
        """Return the shape of targets as `prepare` makes them."""
        return prediction_shape

    def prepare(
        self, targets: npt.ArrayLike, prediction_shape: Shape, dtype: npt.DTypeLike = "float32"
    ) -> Array:
        """Return the targets of a batch as the program reads them.

        Args:
            targets: What the user gave.
            prediction_shape: The shape of the model's output; its batch axis is not looked at.
            dtype: The type of the predictions.

        Returns:
            An array of `target_shape(prediction_shape)`.

        Raises:
            ShapeError: the shape is another; only a last axis of size 1 is added or taken off.
            DataError: the targets are not numbers.
        """
        return self._shaped(targets, prediction_shape).astype(dtype, copy=False)

    def check(self, targets: npt.ArrayLike, prediction_shape: Shape) -> None:
        """Look through all targets before the first step.

        Raises:
            ShapeError, DataError: as `prepare`; or a target is NaN, infinite, or not among the
                values that the loss is defined for. The message names the first such row.
        """
        for row, part in in_parts(self._shaped(targets, prediction_shape)):
            self._refuse(~np.isfinite(part), part, row, "a finite number")

    def build(
        self, g: Tracer, prediction: Value, target: Value, weights: Value | None = None
    ) -> Value:
        """State the loss of the batch, one number, as operations on `g`.

        Args:
            g: Records the operations.
            prediction: The model's output.
            target: A value of `target_shape(prediction.shape)`.
            weights: A weight for each sample, (N,), or for each value of `per_sample`.
        """
        losses = self.per_sample(g, prediction, target)
        if self.reduction in (None, "none"):
            raise ArgumentError(
                f"{self.name}: reduction={self.reduction!r} gives a number for each sample, but "
                "training needs one for the batch: use 'sum_over_batch_size' or 'sum'."
            )
        over = "sum_over_batch_size" if self.reduction == "mean" else self.reduction
        return g.apply(WeightedMean(str(over)), losses, weights, role="loss")

    def __call__(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Any:
        """Return the loss of a batch: a float, or with reduction None an array.

        Raises:
            ShapeError, DataError: targets or weights do not fit the predictions.
        """
        true, pred = self._eager(y_true, y_pred)
        if self.reduction in (None, "none"):
            values = self._run(pred, true)
            if sample_weight is None:
                return values
            counts = np.asarray(sample_weight, values.dtype)
            WeightedMean().output_shape(values.shape, counts.shape)
            axes = counts.shape[: values.ndim]
            return values * counts.reshape(*axes, *[1] * (values.ndim - len(axes)))
        weight = None if sample_weight is None else np.asarray(sample_weight, pred.dtype)
        return float(self._run(pred, true, weight, reduce=True))

    def values(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
        """Return the loss of each sample, (N, …): the mean over the last axis, or over classes."""
        pred = as_float(y_pred)
        return self._run(pred, self.prepare(y_true, pred.shape, pred.dtype))

    def _eager(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
        pred = as_float(y_pred)
        if pred.ndim == 1:  # as many samples of one number each
            pred = pred[:, None]
        self.check(y_true, pred.shape)
        return self.prepare(y_true, pred.shape, pred.dtype), pred

    def _run(
        self, pred: Array, true: Array, weight: Array | None = None, reduce: bool = False
    ) -> Array:
        """Run the very operations that training runs."""
        g = Tracer()
        p, t = g.input(pred.shape, "prediction"), g.input(true.shape, "target", "target")
        w = None if weight is None else g.input(weight.shape, "sample_weight", "target")
        result = self.build(g, p, t, w) if reduce else self.per_sample(g, p, t)
        inputs = [(p, pred), (t, true)]
        if w is not None and weight is not None:
            inputs.append((w, weight))
        program = g.program([value for value, _ in inputs], [result])
        return forward(program, [array for _, array in inputs])[result]

    def _shaped(self, targets: npt.ArrayLike, prediction_shape: Shape) -> Array:
        """Return the targets in `target_shape`, without repeating or reordering any."""
        array = np.asarray(targets)
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"{self.name}: expected targets that are numbers, received {array.dtype}."
                + (" Number the classes first." if array.dtype.kind in "OSU" else "")
            )
        wanted = self.target_shape(prediction_shape)
        if array.ndim == len(wanted) - 1 and wanted[-1] == 1:
            array = array[..., None]
        elif array.ndim == len(wanted) + 1 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim != len(wanted) or array.shape[1:] != tuple(wanted[1:]):
            raise ShapeError(
                f"{self.name}: expected targets of shape {wanted} for predictions of shape "
                f"{prediction_shape}, received {np.shape(targets)}."
                + self._advice(np.shape(targets), prediction_shape)
            )
        return array

    def _advice(self, targets: tuple[int, ...], prediction: Shape) -> str:
        del targets, prediction
        return ""

    def _refuse(self, wrong: Array, part: Array, row: int, expected: str) -> None:
        """Raise DataError if any of `wrong` is true; `row` is the number of the first row."""
        if not wrong.any():
            return
        place = np.argwhere(wrong)[0]
        raise DataError(
            f"{self.name}: expected every target to be {expected}, received "
            f"{part[tuple(place)]} in row {row + int(place[0]) if len(place) else row}."
        )

    def get_config(self) -> Config:
        """Return the arguments that make this loss again."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: Config) -> Loss:
        """Make a loss from its arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class OperationLoss(Loss):
    """The base of losses that are one operation on predictions and targets of one shape."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def operation(self) -> Operation:
        """Return the operation."""
        raise NotImplementedError  # every subclass has its own

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the operation."""
        return g.apply(self.operation(), prediction, target, role="losses")


def as_float(y_pred: npt.ArrayLike) -> Array:
    array = np.asarray(y_pred)
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def in_parts(array: Array) -> Iterator[tuple[int, Array]]:
    """Yield runs of rows, with the number of the first, that are looked through at once."""
    if array.ndim == 0:
        yield 0, array
        return
    rows = max(1, _CHECKED_AT_ONCE // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]

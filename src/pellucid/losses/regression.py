"""Losses of numbers: how far predictions are from targets."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from pellucid._registry import Config
from pellucid.graph import Tracer, Value
from pellucid.losses._loss import Loss
from pellucid.ops import huber as huber_operation
from pellucid.ops import mean_absolute_error as absolute
from pellucid.ops import mean_squared_error as squared
from pellucid.ops._operation import Array

__all__ = [
    "Huber",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
]


class MeanSquaredError(Loss):
    """The mean over the last axis of (y − p)².

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
        2.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the mean of the squares."""
        return g.apply(squared.MeanSquaredError(), prediction, target, role="losses")


class MeanAbsoluteError(Loss):
    """The mean over the last axis of |y − p|.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
        1.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the mean of the absolute values."""
        return g.apply(absolute.MeanAbsoluteError(), prediction, target, role="losses")


class Huber(Loss):
    """The mean over the last axis of e²/2 where |e| ≤ δ, and δ·|e| − δ²/2 beyond, e = y − p.

    Args:
        delta: δ, where the parabola becomes a straight line.
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.

    Example:
        >>> Huber(delta=1.0)([[0.0, 0.0]], [[1.0, 3.0]])
        1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = delta

    def per_sample(self, g: Tracer, prediction: Value, target: Value) -> Value:
        """State the mean."""
        return g.apply(huber_operation.Huber(self.delta), prediction, target, role="losses")

    def get_config(self) -> Config:
        """Return the arguments that make this loss again; δ if it is not 1, as Keras expects."""
        return {**super().get_config(), **({} if self.delta == 1.0 else {"delta": self.delta})}


def mean_squared_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of (y − p)²."""
    return MeanSquaredError().values(y_true, y_pred)


def mean_absolute_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of |y − p|."""
    return MeanAbsoluteError().values(y_true, y_pred)


def huber(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, delta: float = 1.0) -> Array:
    """Return the mean over the last axis of the Huber loss; see `Huber`."""
    return Huber(delta).values(y_true, y_pred)

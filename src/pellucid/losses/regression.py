"""Losses of numbers: how far predictions are from targets."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from pellucid._registry import Config
from pellucid.errors import ArgumentError
from pellucid.losses._loss import OperationLoss
from pellucid.ops import cosine_similarity as cosine
from pellucid.ops import huber as huber_operation
from pellucid.ops import log_cosh as log_cosh_operation
from pellucid.ops import mean_absolute_error as absolute
from pellucid.ops import mean_absolute_percentage_error as percentage
from pellucid.ops import mean_squared_error as squared
from pellucid.ops import mean_squared_logarithmic_error as logarithmic
from pellucid.ops._operation import Array, Operation

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
]


class MeanSquaredError(OperationLoss):
    """The mean over the last axis of (y − p)².

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
        2.5
    """

    def operation(self) -> Operation:
        """Return the mean of the squares."""
        return squared.MeanSquaredError()


class MeanAbsoluteError(OperationLoss):
    """The mean over the last axis of |y − p|.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
        1.5
    """

    def operation(self) -> Operation:
        """Return the mean of the absolute values."""
        return absolute.MeanAbsoluteError()


class Huber(OperationLoss):
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
        super().__init__(reduction, name, dtype)
        self.delta = delta

    def operation(self) -> Operation:
        """Return the mean."""
        return huber_operation.Huber(self.delta)

    def get_config(self) -> Config:
        """Return the arguments that make this loss again; δ if it is not 1, as Keras expects."""
        return {**super().get_config(), **({} if self.delta == 1.0 else {"delta": self.delta})}


class MeanAbsolutePercentageError(OperationLoss):
    """The mean over the last axis of 100 · |y − p| / |y|.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]]), 4)
        37.5
    """

    def operation(self) -> Operation:
        """Return the operation."""
        return percentage.MeanAbsolutePercentageError()


class MeanSquaredLogarithmicError(OperationLoss):
    """The mean over the last axis of (log(1 + y) − log(1 + p))², of numbers of at least 0.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(MeanSquaredLogarithmicError()([[0.0]], [[1.0]]), 4)
        0.4805
    """

    def operation(self) -> Operation:
        """Return the operation."""
        return logarithmic.MeanSquaredLogarithmicError()


class LogCosh(OperationLoss):
    """The mean over the last axis of log cosh(p − y): e²/2 when small, |e| − log 2 when large.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(LogCosh()([[0.0]], [[1.0]]), 4)
        0.4338
    """

    def operation(self) -> Operation:
        """Return the operation."""
        return log_cosh_operation.LogCosh()


class CosineSimilarity(OperationLoss):
    """The cosine of the angle between y and p, with the other sign: −1 for one direction.

    Args:
        axis: The axis that the vectors lie along: the last.
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(CosineSimilarity()([[1.0, 0.0]], [[1.0, 1.0]]), 4)
        -0.7071
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        if axis != -1:
            raise ArgumentError(f"{self.name}: the vectors lie along axis -1, received {axis}.")

    def operation(self) -> Operation:
        """Return the operation."""
        return cosine.CosineSimilarity()


def mean_squared_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of (y − p)²."""
    return MeanSquaredError().values(y_true, y_pred)


def mean_absolute_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of |y − p|."""
    return MeanAbsoluteError().values(y_true, y_pred)


def huber(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, delta: float = 1.0) -> Array:
    """Return the mean over the last axis of the Huber loss; see `Huber`."""
    return Huber(delta).values(y_true, y_pred)


def mean_absolute_percentage_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of 100 · |y − p| / |y|."""
    return MeanAbsolutePercentageError().values(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of (log(1 + y) − log(1 + p))²."""
    return MeanSquaredLogarithmicError().values(y_true, y_pred)


def log_cosh(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of log cosh(p − y)."""
    return LogCosh().values(y_true, y_pred)


def cosine_similarity(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, axis: int = -1) -> Array:
    """Return the cosine of the angle between y and p, with the other sign."""
    return CosineSimilarity(axis).values(y_true, y_pred)

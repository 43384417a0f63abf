"""How far predictions are from targets: the losses, as metrics."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid import losses
from pellucid.metrics._metric import Averaged, MeanMetricWrapper, aligned

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "OfNumbers",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
]


class OfNumbers(MeanMetricWrapper):
    """A mean over numbers that are compared one by one."""

    direction: ClassVar[Literal["up", "down"] | None] = "down"

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch; with one axis alone, (N,), every number is a sample."""
        true, pred = aligned(y_true, y_pred)
        if pred.ndim == 1:
            true, pred = true[:, None], pred[:, None]
        super().update_state(true, pred, sample_weight)


class MeanSquaredError(OfNumbers):
    """The mean of (y_true − y_pred)²."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(OfNumbers):
    """The mean of |y_true − y_pred|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class RootMeanSquaredError(Averaged):
    """The root of the mean of (y_true − y_pred)², in the unit of the targets.

    Example:
        >>> metric = RootMeanSquaredError()
        >>> metric.update_state([0.0, 0.0], [3.0, 3.0])
        >>> metric.result()
        3.0
    """

    direction: ClassVar[Literal["up", "down"] | None] = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch."""
        true, pred = aligned(y_true, y_pred)
        self._add((true.astype(np.float64) - pred) ** 2, sample_weight)

    def result(self) -> float:
        """Return the root of the mean."""
        return float(np.sqrt(super().result()))


class BinaryCrossentropy(OfNumbers):
    """The mean of −y·log p − (1−y)·log(1−p); see `losses.BinaryCrossentropy`."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            losses.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of −Σ y·log p; see `losses.CategoricalCrossentropy`."""

    direction: ClassVar[Literal["up", "down"] | None] = "down"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of −log p[class]; see `losses.SparseCategoricalCrossentropy`."""

    direction: ClassVar[Literal["up", "down"] | None] = "down"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

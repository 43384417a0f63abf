"""The means of losses, as metrics."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy.typing as npt

from pellucid import losses
from pellucid.errors import ArgumentError
from pellucid.metrics._metric import Array, MeanMetricWrapper
from pellucid.metrics.regression import OfNumbers

__all__ = [
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SquaredHinge",
]


class MeanAbsolutePercentageError(OfNumbers):
    """The mean of 100 · |y − p| / |y|."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        name = name or "mean_absolute_percentage_error"
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(OfNumbers):
    """The mean of (log(1 + y) − log(1 + p))²."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        name = name or "mean_squared_logarithmic_error"
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(OfNumbers):
    """The mean of log cosh(p − y)."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class Poisson(OfNumbers):
    """The mean of p − y · log p."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype)


class Hinge(OfNumbers):
    """The mean of max(1 − y · p, 0), for targets of −1 and 1, or of 0 and 1."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(OfNumbers):
    """The mean of max(1 − y · p, 0)², for targets of −1 and 1, or of 0 and 1."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean of max(1 + wrong − right score, 0), for one-hot targets."""

    direction: ClassVar[Literal["up", "down"] | None] = "down"

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The mean of Σ_k y_k · log(y_k / p_k)."""

    direction: ClassVar[Literal["up", "down"] | None] = "down"

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between targets and predictions, (N, …, K): 1 for one direction.

    Unlike the loss of this name, more is better.
    """

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1
    ) -> None:
        if axis != -1:
            raise ArgumentError(f"{name}: the vectors lie along axis -1, received axis={axis}.")
        super().__init__(_cosine, name, dtype)


def _cosine(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    return -losses.cosine_similarity(y_true, y_pred)

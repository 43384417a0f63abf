"""Scores that sum up how good predictions are: F, and R²."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config
from pellucid.errors import ArgumentError, ShapeError
from pellucid.metrics._metric import Array, Metric, aligned, spread

__all__ = ["F1Score", "FBetaScore", "R2Score"]

_EPSILON = 1e-7


class _PerColumn(Metric):
    """Sums for each column of targets and predictions, (N, C)."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def reset_state(self) -> None:
        """Forget all batches."""
        self._sums: Array = np.zeros((4, 1))

    def _pair(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> tuple[Array, Array, Array]:
        true, pred = aligned(y_true, y_pred)
        if true.ndim != 2:
            raise ShapeError(
                f"{self.name}: expected targets and predictions (N, C), received {true.shape}."
            )
        return true.astype(np.float64), pred, spread(sample_weight, true.shape)

    def _add(self, *values: Array) -> None:
        self._sums = self._sums + np.stack([value.sum(axis=0) for value in values])


class FBetaScore(_PerColumn):
    """The weighted harmonic mean of precision P and recall R: (1 + β²) · P · R / (β² · P + R).

    Args:
        average: None for a score for each class; "micro" counts all classes together, "macro"
            takes the mean of the classes' scores, "weighted" weighs them by how often they occur.
        beta: β, how much more recall counts than precision.
        threshold: A prediction above it is called positive; None calls the largest of each sample
            so.
        name: What it is called in logs.
        dtype: See `Metric`.

    Source: van Rijsbergen, "Information Retrieval", 2nd edition, 1979.

    Example:
        >>> metric = FBetaScore("macro", beta=2.0)
        >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
        >>> round(metric.result(), 4)
        0.6944
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ArgumentError(
                f"{type(self).__name__}: average must be None, 'micro', 'macro' or 'weighted', "
                f"received {average!r}."
            )
        if not beta > 0 or not (threshold is None or 0 < threshold <= 1):
            raise ArgumentError(
                f"{type(self).__name__}: expected beta above 0 and threshold None or above 0 and "
                f"at most 1, received {beta!r} and {threshold!r}."
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        super().__init__(name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of targets of 0 or 1 and predictions, both (N, C)."""
        true, pred, weight = self._pair(y_true, y_pred, sample_weight)
        if self.threshold is None:  # of a sample that has only zeros, none is called positive
            called = (pred >= pred.max(axis=-1, keepdims=True)) & (np.abs(pred) > 1e-9)
        else:
            called = pred > self.threshold
        self._add(
            weight * called * true,
            weight * called * (1 - true),
            weight * ~called * true,
            weight * true,
        )

    def result(self) -> float | Array:
        """Return the score, or an array with one for each class."""
        sums = self._sums.sum(axis=1) if self.average == "micro" else self._sums
        right, wrong, missed, wanted = sums
        precision = right / (right + wrong + _EPSILON)
        recall = right / (right + missed + _EPSILON)
        square = self.beta**2
        score = (1 + square) * precision * recall / (square * precision + recall + _EPSILON)
        if self.average == "weighted":
            return float((score * wanted).sum() / (wanted.sum() + _EPSILON))
        return np.asarray(score) if self.average is None else float(np.mean(score))

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: 2 · P · R / (P + R).

    Args:
        average: See `FBetaScore`.
        threshold: See `FBetaScore`.
        name: What it is called in logs.
        dtype: See `Metric`.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        config = super().get_config()
        del config["beta"]
        return config


class R2Score(_PerColumn):
    """The share of the targets' variance that is explained: 1 − Σ (y − p)² / Σ (y − mean of y)².

    Args:
        class_aggregation: "uniform_average" for the mean of the outputs' scores,
            "variance_weighted_average" to weigh them by their variances, None for each.
        num_regressors: Not offered: 0.
        name: What it is called in logs.
        dtype: See `Metric`.

    Example:
        >>> metric = R2Score()
        >>> metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        >>> round(metric.result(), 4)
        0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ArgumentError(
                "R2Score: class_aggregation must be None, 'uniform_average' or "
                f"'variance_weighted_average', received {class_aggregation!r}."
            )
        if num_regressors != 0:
            raise ArgumentError("R2Score: the adjusted R² is not offered; leave num_regressors 0.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        super().__init__(name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of targets and predictions, both (N, outputs)."""
        true, pred, weight = self._pair(y_true, y_pred, sample_weight)
        self._add(weight, weight * true, weight * true**2, weight * (true - pred) ** 2)

    def result(self) -> float | Array:
        """Return the score, or an array with one for each output."""
        count, total, squares, missed = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = squares - total * (total / count)
            scores = 1 - missed / variance
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "variance_weighted_average":
                return float((variance * scores).sum() / variance.sum())
        return scores if self.class_aggregation is None else float(scores.mean())

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        own = {"class_aggregation": self.class_aggregation, "num_regressors": 0}
        return {**super().get_config(), **own}

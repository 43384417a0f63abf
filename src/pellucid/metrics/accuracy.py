"""How often predictions are right.

Each is a function of a batch, giving 1 or 0 for each prediction, and a metric, its mean. Class
predictions are (N, …, C), scores of C classes, of which the largest wins, the first among equals.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid.errors import ShapeError
from pellucid.metrics._metric import Array, MeanMetricWrapper, aligned

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return 1 where the prediction equals the target, 0 elsewhere; shapes must agree."""
    true, pred = aligned(y_true, y_pred)
    return np.asarray(true == pred, np.float32)


def binary_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, threshold: float = 0.5) -> Array:
    """Return 1 where (prediction > threshold) equals the target, of 0 or 1; shapes must agree."""
    true, pred = aligned(y_true, y_pred)
    return np.asarray((pred > threshold) == true, np.float32)


def categorical_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return 1 where the most probable class is that of the one-hot target (N, …, C)."""
    true, pred = aligned(y_true, y_pred)
    return np.asarray(true.argmax(-1) == pred.argmax(-1), np.float32)


def sparse_categorical_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return 1 where the most probable class is the target's number, (N, …) or (N, …, 1)."""
    true, pred = _labels(y_true, y_pred)
    return np.asarray(true == pred.argmax(-1), np.float32)


def top_k_categorical_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, k: int = 5) -> Array:
    """Return 1 where fewer than k classes score higher than that of the one-hot target."""
    true, pred = aligned(y_true, y_pred)
    return _in_top_k(true.argmax(-1), pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """Return 1 where fewer than k classes score higher than the target's.

    With `from_sorted_ids`, predictions are class numbers, best first, and the target has to be
    one of the first k.
    """
    true, pred = _labels(y_true, y_pred)
    if from_sorted_ids:
        return np.asarray((pred[..., :k] == true[..., None]).any(-1), np.float32)
    return _in_top_k(true.astype(np.int64), pred, k)


class Accuracy(MeanMetricWrapper):
    """How often predictions equal targets."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often (prediction > threshold) equals a target of 0 or 1."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the most probable class is that of a one-hot target."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the most probable class is the target's number.

    Example:
        >>> metric = SparseCategoricalAccuracy()
        >>> metric.update_state([1, 0], [[0.2, 0.8], [0.4, 0.6]])
        >>> metric.result()
        0.5
    """

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often a one-hot target's class is among the k most probable."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often a class number is among the k most probable."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        options = {"from_sorted_ids": True} if from_sorted_ids else {}
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, **options)
        self.k = k
        self.from_sorted_ids = from_sorted_ids


def _labels(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
    """Return class numbers (N, …) and scores (N, …, C); ShapeError if they do not fit."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.ndim == pred.ndim and true.shape[-1:] == (1,):
        true = true[..., 0]
    if pred.ndim == 0 or true.shape != pred.shape[:-1]:
        raise ShapeError(
            f"Expected class numbers of shape {pred.shape[:-1]} for predictions {pred.shape}, "
            f"received {true.shape}."
            + (
                " One-hot targets are for the metrics without Sparse in their name."
                if true.shape == pred.shape
                else ""
            )
        )
    return true, pred


def _in_top_k(labels: Array, scores: Array, k: int) -> Array:
    own = np.take_along_axis(scores, labels[..., None], axis=-1)
    higher = (scores > own).sum(axis=-1)
    return np.asarray((higher < k) & ~np.isnan(own[..., 0]), np.float32)

"""How far the places that a class has, and those that it was given, are the same: segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config
from pellucid.errors import ArgumentError, ShapeError
from pellucid.metrics._metric import Array, Metric, spread

__all__ = ["BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]


class IoU(Metric):
    """Intersection over union, TP / (TP + FP + FN): the mean over some of the classes.

    A class that is neither among the targets nor among the predictions is left out.

    Args:
        num_classes: How many classes there are; other class numbers are not counted.
        target_class_ids: The classes that the mean is of.
        name: What it is called in logs.
        dtype: See `Metric`.
        ignore_class: A class whose places are not counted, or None.
        sparse_y_true: Whether targets are class numbers (N, …) rather than scores (N, …, C).
        sparse_y_pred: The same for predictions.
        axis: The axis of the scores.

    Example:
        >>> metric = IoU(num_classes=2, target_class_ids=[0])
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(metric.result(), 4)
        0.3333
    """

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        if not self.target_class_ids or not all(0 <= n < num_classes for n in target_class_ids):
            raise ArgumentError(
                f"{type(self).__name__}: expected target_class_ids from 0 to {num_classes - 1}, "
                f"received {target_class_ids!r}."
            )
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        super().__init__(name, dtype or "int32")

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total_cm: Array = np.zeros((self.num_classes, self.num_classes))

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of class numbers, or of scores where these were announced."""
        true, pred = np.asarray(y_true), np.asarray(y_pred)
        true = true if self.sparse_y_true else true.argmax(axis=self.axis)
        pred = pred if self.sparse_y_pred else pred.argmax(axis=self.axis)
        if true.size != pred.size:
            raise ShapeError(
                f"{self.name}: expected as many classes in targets and predictions, received the "
                f"shapes {true.shape} and {pred.shape}."
            )
        weight = spread(sample_weight, true.shape).reshape(-1)
        true, pred = (a.reshape(-1).astype(np.int64) for a in (true, pred))
        counted = (true >= 0) & (true < self.num_classes) & (pred >= 0) & (pred < self.num_classes)
        counted &= true != self.ignore_class
        pairs = true[counted] * self.num_classes + pred[counted]
        size = self.num_classes**2
        self.total_cm += np.bincount(pairs, weight[counted], size).reshape(self.total_cm.shape)

    def result(self) -> float:
        """Return the mean over the classes; 0 if none of them was there."""
        hits = np.diag(self.total_cm)
        union = self.total_cm.sum(axis=0) + self.total_cm.sum(axis=1) - hits
        hits, union = hits[self.target_class_ids], union[self.target_class_ids]
        there = union > 1e-9
        return float((hits[there] / union[there]).mean()) if there.any() else 0.0

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }

    def _config_without(self, *keys: str) -> Config:
        return {k: v for k, v in IoU.get_config(self).items() if k not in keys}


class BinaryIoU(IoU):
    """Intersection over union for targets of 0 or 1 and probabilities.

    Args:
        target_class_ids: The classes that the mean is of: 0, 1 or both.
        threshold: A probability of at least this is called 1.
        name: What it is called in logs.
        dtype: See `Metric`.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.threshold = threshold
        super().__init__(2, target_class_ids, name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of targets and probabilities."""
        super().update_state(y_true, np.asarray(y_pred) >= self.threshold, sample_weight)

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        left_out = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**self._config_without(*left_out), "threshold": self.threshold}


class MeanIoU(IoU):
    """Intersection over union: the mean over all classes; see `IoU` for the arguments.

    Example:
        >>> metric = MeanIoU(num_classes=2)
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(metric.result(), 4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return self._config_without("target_class_ids")


class OneHotIoU(IoU):
    """`IoU` for one-hot targets (N, …, C) and scores of the same shape."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return self._config_without("sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` for one-hot targets (N, …, C) and scores of the same shape."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return self._config_without("target_class_ids", "sparse_y_true")

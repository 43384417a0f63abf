"""What is taken for what: the confusion matrix, precision, recall, area under the curve.

With predictions p, targets y of 0 or 1 and a threshold t: a true positive has p > t and y = 1, a
false positive p > t and y = 0, a false negative p ≤ t and y = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.metrics._metric import Array, Metric, aligned, spread

__all__ = [
    "AUC",
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "Recall",
    "TrueNegatives",
    "TruePositives",
    "confusion_matrix",
]

_EPSILON = 1e-7


def confusion_matrix(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    num_classes: int,
    weights: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike = "int32",
) -> Array:
    """Count how often each class is taken for each.

    Args:
        labels: The true class numbers, (N,) or (N, 1).
        predictions: The predicted class numbers, likewise, or the scores (N, num_classes).
        num_classes: The number of classes.
        weights: How much each sample counts, (N,); 1 if not given.
        dtype: The type of the counts.

    Returns:
        A matrix (num_classes, num_classes): rows are true classes, columns predicted ones.

    Raises:
        ShapeError: labels and predictions are not as many.
        DataError: a class number is not a whole number from 0 to num_classes − 1.

    Example:
        >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2], 3)
        array([[1, 0, 0],
               [0, 1, 1],
               [0, 0, 1]], dtype=int32)
    """
    guess = np.asarray(predictions)
    if guess.ndim == 2 and guess.shape[1] == num_classes > 1:
        guess = guess.argmax(axis=1)
    true, guess = aligned(labels, guess)
    pair = [
        _class_numbers(a.reshape(-1), num_classes, n)
        for a, n in ((true, "labels"), (guess, "predictions"))
    ]
    counted = np.bincount(
        pair[0] * num_classes + pair[1],
        weights=None if weights is None else spread(weights, pair[0].shape),
        minlength=num_classes * num_classes,
    )
    return counted.reshape(num_classes, num_classes).astype(dtype)


class _Thresholded(Metric):
    """Counts of true and false positives and negatives at thresholds."""

    thresholds: list[float]

    def reset_state(self) -> None:
        """Forget all batches."""
        count = len(self.thresholds)
        self.true_positives = np.zeros(count)
        self.false_positives = np.zeros(count)
        self.true_negatives = np.zeros(count)
        self.false_negatives = np.zeros(count)

    def _count(self, true: Array, pred: Array, weight: Array) -> None:
        """Add flat arrays of targets, predictions and weights.

        A prediction lies above all thresholds before its place in their row, so that one count of
        places serves all thresholds.
        """
        thresholds = np.asarray(self.thresholds, np.float32)
        order = np.argsort(thresholds, kind="stable")
        places = np.searchsorted(thresholds[order], pred.astype(np.float32), side="left")
        for positive, above, below in (
            (True, self.true_positives, self.false_negatives),
            (False, self.false_positives, self.true_negatives),
        ):
            chosen = (true != 0) == positive
            at = np.bincount(places[chosen], weight[chosen], minlength=len(thresholds) + 1)
            reached = at[::-1].cumsum()[::-1]  # reached[i]: the weight of places ≥ i
            above[order] += reached[1:]
            below[order] += reached[0] - reached[1:]


class _PrecisionOrRecall(_Thresholded):
    """What precision and recall have in common."""

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        default = 0.5 if top_k is None else -np.inf
        given = default if thresholds is None else thresholds
        self.thresholds = list(given) if isinstance(given, Sequence) else [float(given)]
        if thresholds is not None and not all(0 <= t <= 1 for t in self.thresholds):
            raise ArgumentError(
                f"{type(self).__name__}: expected thresholds from 0 to 1, received {thresholds!r}."
            )
        self._given_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        super().__init__(name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of targets, of 0 or 1, and predictions of the same shape."""
        true, pred = aligned(y_true, y_pred)
        weight = spread(sample_weight, true.shape)
        if (self.class_id is not None or self.top_k is not None) and true.ndim < 2:
            raise ShapeError(
                f"{self.name}: top_k and class_id need predictions (N, classes), received "
                f"{pred.shape}."
            )
        if self.top_k is not None:
            best = np.argsort(-pred, axis=-1, kind="stable")[..., : self.top_k]
            among = np.zeros(pred.shape, bool)
            np.put_along_axis(among, best, True, axis=-1)
            pred = np.where(among, pred, -np.inf)
        if self.class_id is not None:
            chosen = (..., self.class_id)
            true, pred, weight = true[chosen], pred[chosen], weight[chosen]
        self._count(true.reshape(-1), pred.reshape(-1), weight.reshape(-1))

    def _share(self, part: Array, rest: Array) -> float | Array:
        share = _quotient(part, part + rest)
        return float(share[0]) if len(self.thresholds) == 1 else share

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return {
            **super().get_config(),
            "thresholds": self._given_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_PrecisionOrRecall):
    """Of what was called positive, the share that is: TP / (TP + FP); 0 if nothing was.

    Args:
        thresholds: A number or several; a prediction above one is called positive. By default 0.5.
        top_k: Calls positive only the k most probable classes of each sample.
        class_id: Counts only this class, of one-hot targets (N, C).
        name: What it is called in logs.
        dtype: See `Metric`.
    """

    def result(self) -> float | Array:
        """Return the precision, or an array with one for each threshold."""
        return self._share(self.true_positives, self.false_positives)


class Recall(_PrecisionOrRecall):
    """Of what is positive, the share that was called so: TP / (TP + FN); 0 if nothing is.

    Args:
        thresholds: A number or several; a prediction above one is called positive. By default 0.5.
        top_k: Calls positive only the k most probable classes of each sample.
        class_id: Counts only this class, of one-hot targets (N, C).
        name: What it is called in logs.
        dtype: See `Metric`.
    """

    def result(self) -> float | Array:
        """Return the recall, or an array with one for each threshold."""
        return self._share(self.true_positives, self.false_negatives)


class _Count(_Thresholded):
    """What the counts have in common."""

    counted: ClassVar[str]

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        given = 0.5 if thresholds is None else thresholds
        self.thresholds = list(given) if isinstance(given, Sequence) else [float(given)]
        if not all(0 <= t <= 1 for t in self.thresholds):
            raise ArgumentError(
                f"{type(self).__name__}: expected thresholds from 0 to 1, received {thresholds!r}."
            )
        self._given_thresholds = thresholds
        super().__init__(name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of targets, of 0 or 1, and predictions of the same shape."""
        true, pred = aligned(y_true, y_pred)
        weight = spread(sample_weight, true.shape)
        self._count(true.reshape(-1), pred.reshape(-1), weight.reshape(-1))

    def result(self) -> float | Array:
        """Return the count, or an array with one for each threshold."""
        counts: Array = getattr(self, self.counted)
        return float(counts[0]) if len(self.thresholds) == 1 else counts

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return {**super().get_config(), "thresholds": self._given_thresholds}


class TruePositives(_Count):
    """How many of what is positive were called so; see `FalsePositives` for the arguments."""

    counted = "true_positives"
    direction: ClassVar[Literal["up", "down"] | None] = "up"


class TrueNegatives(_Count):
    """How many of what is not positive were not called so; see `FalsePositives`."""

    counted = "true_negatives"
    direction: ClassVar[Literal["up", "down"] | None] = "up"


class FalsePositives(_Count):
    """How many were called positive and are not.

    Args:
        thresholds: A number or several; a prediction above one is called positive. By default 0.5.
        name: What it is called in logs.
        dtype: See `Metric`.
    """

    counted = "false_positives"
    direction: ClassVar[Literal["up", "down"] | None] = "down"


class FalseNegatives(_Count):
    """How many are positive and were not called so; see `FalsePositives` for the arguments."""

    counted = "false_negatives"
    direction: ClassVar[Literal["up", "down"] | None] = "down"


class AUC(_Thresholded):
    """The area under the curve that a moving threshold draws.

    Args:
        num_thresholds: How many thresholds, evenly spread from 0 to 1, stand for all.
        curve: 'ROC' (true positive rate over false positive rate) or 'PR' (precision over recall).
        summation_method: The height between two points is their mean ('interpolation'; for PR the
            precision is interpolated as Davis and Goadrich do), the lower ('minoring') or the
            upper ('majoring').
        name: What it is called in logs.
        dtype: See `Metric`.
        thresholds: Thresholds between 0 and 1 of one's own.
        from_logits: Whether predictions are logits, to be put through a sigmoid first.

    Source: Davis, Goadrich, "The Relationship Between Precision-Recall and ROC Curves", ICML 2006.
    """

    direction: ClassVar[Literal["up", "down"] | None] = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        if curve not in ("ROC", "PR"):
            raise ArgumentError(f"AUC: curve must be 'ROC' or 'PR', received {curve!r}.")
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ArgumentError(
                "AUC: summation_method must be 'interpolation', 'minoring' or 'majoring', "
                f"received {summation_method!r}."
            )
        if multi_label or num_labels is not None or label_weights is not None:
            raise ArgumentError("AUC: multi_label is not offered; use one AUC for each label.")
        if thresholds is None and num_thresholds < 2:
            raise ArgumentError(
                f"AUC: expected at least 2 thresholds, received num_thresholds={num_thresholds}."
            )
        inner = (
            sorted(thresholds)
            if thresholds is not None
            else [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        )
        # The outer two lie beyond all probabilities, so that 0 and 1 are between thresholds too.
        self.thresholds = [-_EPSILON, *inner, 1 + _EPSILON]
        self.num_thresholds = len(self.thresholds)
        self.curve = curve
        self.summation_method = summation_method
        self.from_logits = from_logits
        self._own = thresholds is not None
        super().__init__(name, dtype)

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch of targets, of 0 or 1, and predictions of the same shape."""
        true, pred = aligned(y_true, y_pred)
        weight = spread(sample_weight, true.shape)
        if self.from_logits:
            # by tanh, which overflows for no logit
            pred = 0.5 * (1 + np.tanh(0.5 * np.asarray(pred, np.float64)))
        if pred.size and not (pred.min() >= 0 and pred.max() <= 1):
            raise DataError(
                f"{self.name}: expected probabilities from 0 to 1, received values from "
                f"{pred.min():g} to {pred.max():g}. Are they logits? Say from_logits=True."
            )
        self._count(true.reshape(-1), pred.reshape(-1), weight.reshape(-1))

    def result(self) -> float:
        """Return the area."""
        tp, fp, fn = self.true_positives, self.false_positives, self.false_negatives
        recall = _quotient(tp, tp + fn)
        if self.curve == "ROC":
            x, y = _quotient(fp, fp + self.true_negatives), recall
        elif self.summation_method == "interpolation":
            return self._interpolated_precision()
        else:
            x, y = recall, _quotient(tp, tp + fp)
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            chosen = np.minimum if self.summation_method == "minoring" else np.maximum
            heights = chosen(y[:-1], y[1:])
        return float(((x[:-1] - x[1:]) * heights).sum())

    def _interpolated_precision(self) -> float:
        """The area under precision over recall.

        Between two points the true positives rise linearly with the positives; precision does not.
        """
        tp, fn = self.true_positives, self.false_negatives
        called = tp + self.false_positives
        rise = tp[:-1] - tp[1:]
        slope = _quotient(rise, called[:-1] - called[1:])
        intercept = tp[1:] - slope * called[1:]
        both = (called[:-1] > 0) & (called[1:] > 0)
        ratio = np.where(both, _quotient(called[:-1], called[1:]), 1.0)
        area = _quotient(slope * (rise + intercept * np.log(ratio)), tp[1:] + fn[1:])
        return float(area.sum())

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": False,
            "num_labels": None,
            "label_weights": None,
            "from_logits": self.from_logits,
        }
        return config | ({"thresholds": self.thresholds[1:-1]} if self._own else {})


def _quotient(above: Array, below: Array) -> Array:
    """Above / below, and 0 where below is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _class_numbers(given: Array, num_classes: int, what: str) -> Array:
    with np.errstate(invalid="ignore"):  # a NaN becomes some whole number, which it does not equal
        whole = given.astype(np.int64)
    wrong = np.flatnonzero((whole != given) | (whole < 0) | (whole >= num_classes))
    if wrong.size:
        raise DataError(
            f"confusion_matrix: expected {what} as whole numbers from 0 to {num_classes - 1}, "
            f"received {given[wrong[0]]} in row {wrong[0]}."
        )
    return whole

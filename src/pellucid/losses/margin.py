"""Losses of margins: scores need to be right by 1, and no more than that."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pellucid.losses._loss import OperationLoss
from pellucid.ops import categorical_hinge as categorical
from pellucid.ops import hinge as hinge_operation
from pellucid.ops._operation import Array, Operation, Shape

__all__ = [
    "CategoricalHinge",
    "Hinge",
    "SquaredHinge",
    "categorical_hinge",
    "hinge",
    "squared_hinge",
]


class Hinge(OperationLoss):
    """The mean over the last axis of max(1 − y · p, 0), for targets of −1 and 1.

    Where a batch's targets are all 0 or 1, 0 stands for −1.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> Hinge()([[-1.0, 1.0]], [[0.5, 0.5]])
        1.0
    """

    _power: ClassVar[int] = 1

    def operation(self) -> Operation:
        """Return the operation."""
        return hinge_operation.Hinge(self._power)

    def prepare(
        self, targets: npt.ArrayLike, prediction_shape: Shape, dtype: npt.DTypeLike = "float32"
    ) -> Array:
        """Return targets of −1 and 1; see `Loss.prepare`."""
        given = super().prepare(targets, prediction_shape, dtype)
        return 2 * given - 1 if np.isin(given, (0, 1)).all() else given


class SquaredHinge(Hinge):
    """The mean over the last axis of max(1 − y · p, 0)², for targets of −1 and 1.

    Where a batch's targets are all 0 or 1, 0 stands for −1.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]])
        1.25
    """

    _power = 2


class CategoricalHinge(OperationLoss):
    """max(1 + w − r, 0), with r = Σ_k y_k · p_k, the right score, and w = max_k (1 − y_k) · p_k.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        0.5
    """

    def operation(self) -> Operation:
        """Return the operation."""
        return categorical.CategoricalHinge()


def hinge(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of max(1 − y · p, 0); see `Hinge`."""
    return Hinge().values(y_true, y_pred)


def squared_hinge(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of max(1 − y · p, 0)²; see `SquaredHinge`."""
    return SquaredHinge().values(y_true, y_pred)


def categorical_hinge(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return max(1 + wrong − right, 0); see `CategoricalHinge`."""
    return CategoricalHinge().values(y_true, y_pred)

"""Losses of distributions: of probabilities, and of counts."""

from __future__ import annotations

import numpy.typing as npt

from pellucid.losses._loss import OperationLoss
from pellucid.ops import kl_divergence as divergence
from pellucid.ops import poisson as poisson_operation
from pellucid.ops._operation import Array, Operation

__all__ = ["KLDivergence", "Poisson", "kl_divergence", "poisson"]


class KLDivergence(OperationLoss):
    """Σ_k y_k · log(y_k / p_k), for targets and predictions that are probabilities.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(KLDivergence()([[0.5, 0.5]], [[0.9, 0.1]]), 4)
        0.5108
    """

    def operation(self) -> Operation:
        """Return the operation."""
        return divergence.KLDivergence()


class Poisson(OperationLoss):
    """The mean over the last axis of p − y · log p, for counts y and their means p.

    Args:
        reduction: See `Loss`.
        name: The loss's name.
        dtype: See `Loss`.

    Example:
        >>> round(Poisson()([[2.0]], [[1.0]]), 4)
        1.0
    """

    def operation(self) -> Operation:
        """Return the operation."""
        return poisson_operation.Poisson()


def kl_divergence(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return Σ_k y_k · log(y_k / p_k)."""
    return KLDivergence().values(y_true, y_pred)


def poisson(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Return the mean over the last axis of p − y · log p."""
    return Poisson().values(y_true, y_pred)

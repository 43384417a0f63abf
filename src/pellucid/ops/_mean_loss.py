"""Losses that compare number by number and average over the last axis.

    y[n] = (1/K) · Σ_k loss(prediction[n, k], targets[n, k])

Prediction and targets have the same shape; neither is ever spread to the other's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._targets import check_same_shape
from pellucid.ops._terms import Cell, Constant, Expression, Product, Sum, cell_of

__all__ = ["MeanLoss", "difference"]


class MeanLoss(Operation):
    """The base of the losses that average over the last axis.

    A subclass says what one prediction costs (`loss`, `loss_terms`) and the derivative of that with
    respect to the prediction (`slope`, `slope_terms`). Targets come in the prediction's type.
    """

    averaged: ClassVar[bool] = True
    """False for losses that are added up over the last axis instead."""

    inputs: ClassVar[tuple[str, ...]] = ("prediction", "targets")
    constant: ClassVar[frozenset[str]] = frozenset({"targets"})

    def loss(self, prediction: Array, targets: Array) -> Array:
        """Return the loss of each number."""
        raise NotImplementedError  # every subclass has its own

    def slope(self, prediction: Array, targets: Array) -> Array:
        """Return the derivative of each number's loss with respect to the prediction."""
        raise NotImplementedError  # every subclass has its own

    def loss_terms(self, prediction: Cell, target: Cell) -> Expression:
        """Return how the loss of one number is made."""
        raise NotImplementedError  # every subclass has its own

    def slope_terms(self, prediction: Cell, target: Cell) -> Expression:
        """Return how the derivative of one number's loss is made."""
        raise NotImplementedError  # every subclass has its own

    def output_shape(self, prediction: Shape, targets: Shape) -> Shape:
        """Return (N, …), without the last axis."""
        check_same_shape(self.name, "prediction", prediction, targets)
        return prediction[:-1]

    def forward(self, prediction: Array, targets: Array) -> Array:
        """Average the losses over the last axis."""
        targets = targets.astype(prediction.dtype, copy=False)
        losses = self.loss(prediction, targets)
        return np.asarray(losses.mean(axis=-1) if self.averaged else losses.sum(axis=-1))

    def backward(
        self,
        dy: Array,
        y: Array,
        prediction: Array,
        targets: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dprediction = dy / K · loss′(prediction)."""
        slope = self.slope(prediction, targets.astype(prediction.dtype, copy=False))
        share = prediction.shape[-1] if self.averaged else 1
        return slope * (dy / share)[..., np.newaxis], None

    def terms(self, cell: tuple[int, ...], prediction: Array, targets: Array) -> Expression:
        """The losses of the last axis, added up and divided by how many there are."""
        size = prediction.shape[-1]
        losses = [self.loss_terms(*_pair((*cell, k), prediction, targets)) for k in range(size)]
        return Product((Constant("1/K", 1 / size), Sum(losses))) if self.averaged else Sum(losses)

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        prediction: Array,
        targets: Array,
    ) -> Expression:
        """The derivative of the one number's loss, as a share of the mean."""
        share = (Constant("1/K", 1 / prediction.shape[-1]),) if self.averaged else ()
        slope = self.slope_terms(*_pair(cell, prediction, targets))
        return Product((cell_of("dy", dy, cell[:-1]), *share, slope))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One and more numbers for each sample, one and more axes of samples."""
        for shape in ((3, 4), (2, 1), (1, 2, 3), (5,)):
            yield Case(cls(), (shape, shape))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that NumPy would spread to each other."""
        yield Invalid(lambda: cls().output_shape((4, 1), (4,)), ShapeError, "same shape")
        yield Invalid(lambda: cls().output_shape((4, 1), (4, 3)), ShapeError, "same shape")
        yield Invalid(lambda: cls().output_shape((), ()), ShapeError, "same shape")


def difference(prediction: Cell, target: Cell) -> Expression:
    """Return prediction − target."""
    return Sum((prediction, Product((Constant("−1", -1.0), target))))


def _pair(place: tuple[int, ...], prediction: Array, targets: Array) -> tuple[Cell, Cell]:
    return cell_of("prediction", prediction, place), cell_of("targets", targets, place)

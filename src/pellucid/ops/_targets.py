"""Targets of losses: their shapes, class numbers as probabilities, label smoothing."""

from __future__ import annotations

import numpy as np

from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.ops._operation import Array, Shape
from pellucid.ops._shapes import agree
from pellucid.ops._terms import Call, Constant, Expression, Product, Sum, cell_of

__all__ = [
    "EPSILON",
    "check_class_targets",
    "check_same_shape",
    "check_smoothing",
    "class_numbers",
    "class_target",
    "class_targets",
    "clip",
    "clipped",
    "gate",
    "is_open",
]

EPSILON = 1e-7
"""How far from 0 and 1 a probability is held before its logarithm is taken, as in Keras."""


def check_smoothing(op: str, label_smoothing: float) -> None:
    """Raise ArgumentError unless 0 ≤ label_smoothing ≤ 1."""
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing <= 1:
        raise ArgumentError(
            f"{op}: label_smoothing must be a number from 0 to 1, received {label_smoothing!r}."
        )


def check_same_shape(op: str, name: str, prediction: Shape, targets: Shape) -> None:
    """Raise ShapeError unless prediction and targets can have the same shape, of ≥ 1 axis."""
    if not prediction or not agree(prediction, targets):
        raise ShapeError(
            f"{op}: expected {name} and targets of the same shape (N, …), received {name} "
            f"{prediction} and targets {targets}."
        )


def check_class_targets(
    op: str, name: str, prediction: Shape, targets: Shape, sparse: bool
) -> None:
    """Raise ShapeError unless the targets fit to classes along the prediction's last axis."""
    if not sparse:
        check_same_shape(op, name, prediction, targets)
    elif not prediction or not (
        agree(targets, prediction[:-1]) or agree(targets, (*prediction[:-1], 1))
    ):
        raise ShapeError(
            f"{op}: expected class numbers of shape {prediction[:-1]} for {name} of shape "
            f"{prediction}, received targets {targets}. For one-hot targets use the "
            f"categorical loss, not the sparse one."
        )


def class_numbers(op: str, targets: Array, shape: tuple[int, ...]) -> Array:
    """Return sparse targets as indices (N, …, 1) for a prediction of `shape`.

    Raises:
        DataError: One is not a whole number, or not in 0 … classes − 1.
    """
    numbers = targets.reshape(*shape[:-1], 1)
    if not np.issubdtype(numbers.dtype, np.integer) and np.any(numbers != np.floor(numbers)):
        raise DataError(f"{op}: class numbers must be whole, received {targets.dtype} with parts.")
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < shape[-1]):
        raise DataError(
            f"{op}: class numbers must be from 0 to {shape[-1] - 1} for {shape[-1]} classes, "
            f"received {numbers.min()} to {numbers.max()}."
        )
    return numbers.astype(np.intp, copy=False)


def class_targets(
    op: str, targets: Array, prediction: Array, sparse: bool, label_smoothing: float
) -> Array:
    """Return the probability wanted for each class: (N, …, K), in the prediction's type.

    t[k] = (1 − label_smoothing) · target[k] + label_smoothing / K
    """
    if sparse:
        wanted = np.zeros_like(prediction)
        np.put_along_axis(wanted, class_numbers(op, targets, prediction.shape), 1, axis=-1)
    else:
        wanted = targets.astype(prediction.dtype, copy=False)
    if label_smoothing:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / prediction.shape[-1]
    return wanted


def class_target(
    place: tuple[int, ...],
    targets: Array,
    prediction: Array,
    sparse: bool,
    label_smoothing: float,
) -> Expression:
    """Return the probability wanted at `place` of the prediction, as an account."""
    *sample, k = place
    wanted: Expression
    if sparse:
        number = cell_of("targets", targets, (*sample, 0)[: targets.ndim])
        wanted = Call("one_hot", (number, Constant("class", k)), lambda a, b: float(a == b))
    else:
        wanted = cell_of("targets", targets, place)
    if not label_smoothing:
        return wanted
    kept = Constant("1 − label_smoothing", 1 - label_smoothing)
    spread = Constant("label_smoothing / classes", label_smoothing / prediction.shape[-1])
    return Sum((Product((kept, wanted)), spread))


def clipped(p: Array) -> Array:
    """Return p, but at least ε and at most 1 − ε."""
    return np.clip(p, EPSILON, 1 - EPSILON)


def clip(p: float) -> float:
    """Return what `clipped` makes of one number."""
    return min(max(p, EPSILON), 1 - EPSILON)


def is_open(p: Array) -> Array:
    """Return where `clipped` leaves p as it is: where its derivative is 1 and not 0."""
    return (p > EPSILON) & (p < 1 - EPSILON)


def gate(p: float) -> float:
    """Return the derivative of `clip`."""
    return 1.0 if EPSILON < p < 1 - EPSILON else 0.0

"""Losses from probabilities and logits, and the targets they compare with, as plain functions.

Names, arguments and defaults are those of `keras.ops`. Each gives one number for each sample, not
their mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, ShapeError, TypeMismatchError
from pellucid.ops._arguments import apply, floats, numbers
from pellucid.ops._operation import Array, Operation
from pellucid.ops.binary_cross_entropy import BinaryCrossEntropy
from pellucid.ops.categorical_cross_entropy import CategoricalCrossEntropy
from pellucid.ops.softmax_cross_entropy import SoftmaxCrossEntropy

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "multi_hot",
    "one_hot",
    "sparse_categorical_crossentropy",
]


def one_hot(
    x: npt.ArrayLike,
    num_classes: int,
    axis: int = -1,
    dtype: npt.DTypeLike | None = None,
    sparse: bool = False,
) -> Array:
    """Return class numbers as rows of zeros with a single one.

    y[…, k] = 1 where x[…] = k, else 0; a number that is no class gives a row of zeros, as in Keras.
    Shapes: x any → x's with `num_classes` more along a new `axis`. `sparse` must be False.

    Example:
        >>> one_hot([0, 2], 3)
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    if sparse:
        raise ArgumentError("one_hot: sparse tensors are not supported; leave sparse=False.")
    array = np.asarray(x)
    if array.dtype.kind not in "iub":
        raise TypeMismatchError(
            f"one_hot: expected class numbers as integers, received {array.dtype}. "
            f"Convert them with x.astype(int) first."
        )
    if not -array.ndim - 1 <= axis <= array.ndim:
        raise ShapeError(f"one_hot: there is no place {axis} for an axis in shape {array.shape}.")
    rows = array[..., np.newaxis] == np.arange(num_classes)
    y: Array = np.moveaxis(rows, -1, axis).astype(np.float32 if dtype is None else dtype)
    return y


def multi_hot(
    inputs: npt.ArrayLike,
    num_classes: int,
    axis: int = -1,
    dtype: npt.DTypeLike | None = None,
    sparse: bool = False,
) -> Array:
    """Return sets of class numbers as rows of zeros with a one for each class in the set.

    Shapes: inputs (K,) → (num_classes,); (N, K) → (N, num_classes). `sparse` must be False.

    Example:
        >>> multi_hot([[0, 2], [1, 1]], 3)
        array([[1., 0., 1.],
               [0., 1., 0.]], dtype=float32)
    """
    rows = one_hot(inputs, num_classes, axis, dtype, sparse)
    return np.asarray(rows.max(axis=1 if np.ndim(inputs) > 1 else 0))


def categorical_crossentropy(
    target: npt.ArrayLike, output: npt.ArrayLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """Return −Σ target · log p for each sample, p being output or, from logits, softmax(output).

    Shapes: target and output (N, …, K), the classes along `axis` → (N, …). Probabilities are
    normalised and held 1e-7 away from 0 and 1 (`categorical_cross_entropy.py`); logits need neither
    (`softmax_cross_entropy.py`).

    Example:
        >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
        array([0.6931], dtype=float32)
    """
    wanted, scores = floats(target, output)
    op = SoftmaxCrossEntropy() if from_logits else CategoricalCrossEntropy()
    return apply(op, _last(op, scores, axis), _last(op, wanted, axis))


def sparse_categorical_crossentropy(
    target: npt.ArrayLike, output: npt.ArrayLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """Return −log p[target] for each sample, p being output or, from logits, softmax(output).

    Shapes: target: class numbers (N, …) or (N, …, 1); output: (N, …, K), the classes along `axis`
    → (N, …). Otherwise as `categorical_crossentropy`.

    Raises:
        DataError: A target is not a class.

    Example:
        >>> sparse_categorical_crossentropy([1], [[0.0, 1000.0]], from_logits=True)
        array([0.], dtype=float32)
    """
    (scores,) = floats(output)
    op = SoftmaxCrossEntropy(True) if from_logits else CategoricalCrossEntropy(True)
    return apply(op, _last(op, scores, axis), *numbers(target))


def binary_crossentropy(
    target: npt.ArrayLike, output: npt.ArrayLike, from_logits: bool = False
) -> Array:
    """Return −target · log p − (1 − target) · log(1 − p) for each number.

    p is output, or, from logits, σ(output). Shapes: target and output the same → the same. The
    formula is in `binary_cross_entropy.py`; no mean is taken here.

    Example:
        >>> binary_crossentropy([0.0, 1.0], [0.5, 1.0]).round(4)
        array([0.6931, 0.    ], dtype=float32)
    """
    wanted, scores = floats(target, output)
    op = BinaryCrossEntropy(from_logits)
    return apply(op, scores[..., np.newaxis], wanted[..., np.newaxis])


def _last(op: Operation, x: Array, axis: int) -> Array:
    """The tensor with its classes along the last axis."""
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"{op.name}: there is no axis {axis} in shape {x.shape}.")
    return np.moveaxis(x, axis, -1)

"""Keras' small helpers: seeds, one-hot labels, image folders, automatic names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid._lazy import load_on_use
from pellucid.errors import DataError
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from pellucid.data import image_dataset_from_directory as image_dataset_from_directory
    from pellucid.layers._names import clear_session as clear_session
    from pellucid.random import set_random_seed as set_random_seed

load_on_use(
    __name__,
    {
        "pellucid.data": "image_dataset_from_directory",
        "pellucid.layers._names": "clear_session",
        "pellucid.random": "set_random_seed",
    },
    own="to_categorical",
)


def to_categorical(x: npt.ArrayLike, num_classes: int | None = None) -> Array:
    """Return class labels as one-hot rows.

    Args:
        x: Whole numbers from 0 on, of shape (N,), (N, 1) or any other.
        num_classes: The number of classes; by default the largest label + 1.

    Returns:
        An array (N, num_classes) of float32: 1 in the label's column, 0 elsewhere.

    Raises:
        DataError: A label is negative, not whole, or not below `num_classes`.

    >>> to_categorical([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x)
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    whole = labels.astype("int64")
    if labels.size and not np.array_equal(whole, labels):
        raise DataError("to_categorical: labels must be whole numbers.")
    classes = num_classes or (int(whole.max()) + 1 if whole.size else 0)
    if whole.size and (whole.min() < 0 or whole.max() >= classes):
        raise DataError(
            f"to_categorical: labels must lie from 0 to {classes - 1}, received values from "
            f"{whole.min()} to {whole.max()}."
        )
    rows: Array = np.eye(classes, dtype="float32")[whole.reshape(shape)]
    return rows

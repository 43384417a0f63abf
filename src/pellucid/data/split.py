"""Setting samples aside for validation, and numbering the classes of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.data.array_source import ArraySource
from pellucid.data.dataset import shuffled_order
from pellucid.errors import DataError

__all__ = ["labels_as_classes", "split_rows"]

Array = np.ndarray[Any, Any]


def split_rows(
    classes: Array | None, count: int, fraction: float, seed: int
) -> tuple[list[int], list[int]]:
    """Return which samples to keep for training and which to hold for validation, in order.

    Args:
        classes: the class of each sample, so that each class is split in proportion and keeps a
            sample for training; None to split all samples alike.
        count: the number of samples.
        fraction: the share to hold, between 0 and 1.
        seed: the choice depends on this, and on nothing else.

    Raises:
        DataError: there are too few samples to hold any.
    """
    order = shuffled_order(count, seed, 0)
    groups = [order]
    if classes is not None:
        groups = [order[classes[order] == label] for label in np.unique(classes)]
    held = sorted(
        int(row)
        for group in groups
        for row in group[: min(len(group) - 1, max(1, round(fraction * len(group))))]
    )
    if not held:
        raise DataError(
            f"{count} samples are too few to set any aside for validation; expected at least two "
            "of a class."
        )
    rest = np.ones(count, bool)
    rest[held] = False
    return np.flatnonzero(rest).tolist(), held


def labels_as_classes(
    source: ArraySource,
) -> tuple[dict[str, Array], tuple[str, ...] | None]:
    """Return the labels of every part as int32 classes `(N,)`, and the classes' names.

    Whole numbers and texts are classes. Floats are left as they are, as `(N, 1)` float32: that is
    regression, and there are no names.

    Raises:
        DataError: labels are missing or too few, or a class occurs that training does not have.
    """
    found = {part: _labels(source, part) for part in source.parts}
    training = found["training"]
    if training.dtype.kind == "f":
        return {part: y.astype(np.float32)[:, None] for part, y in found.items()}, None
    names = source.class_names
    if names is not None and training.dtype.kind in "iu":
        known: Array = np.arange(len(names))
    else:
        known = np.unique(training)
        names = tuple(str(value) for value in known.tolist())
    if len(names) < 2:
        raise DataError(f"{source.where}: expected at least two classes, found {len(names)}.")
    classes = {}
    for part, y in found.items():
        strange = ~np.isin(y, known)
        if strange.any():
            row = int(strange.argmax())
            raise DataError(
                f"{source.where}: {part} label {row} is {y[row].item()!r}, "
                f"which is none of the training part's {len(names)} classes."
            )
        classes[part] = np.searchsorted(known, y).astype(np.int32)
    return classes, names


def _labels(source: ArraySource, part: str) -> Array:
    x, y = source.parts[part]
    if y is None:
        raise DataError(f"{source.where}: the {part} part has images or rows, and no labels.")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(x) or not len(y):
        raise DataError(
            f"{source.where}: expected one label for each of the {len(x)} {part} samples, "
            f"received shape {y.shape}. (Labels are whole numbers, not one-hot rows.)"
        )
    if y.dtype.kind not in "biufUS":
        raise DataError(
            f"{source.where}: expected {part} labels as numbers or text, not {y.dtype}."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{source.where}: a {part} label is not a finite number.")
    return y.astype(np.int64) if y.dtype.kind in "biu" else y

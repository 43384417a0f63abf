"""Data that is in memory: arrays, or lists and dicts of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.data.dataset import Array, Batch, Dataset, leaves, map_leaves, shuffled_order
from pellucid.errors import ArgumentError, DataError

__all__ = ["ArrayDataset", "check_finite"]

# Looking for NaN makes a temporary array of this many numbers at most.
_CHUNK = 1 << 20


class ArrayDataset(Dataset):
    """Batches of arrays in memory.

    Args:
        x: an array `(N, …)`, or a list or dict of arrays for models of several inputs; anything
            NumPy takes for an array will do.
        y: targets, likewise, or None.
        sample_weight: weights `(N,)`, or None.
        batch_size: samples in a batch; the last batch holds what is left.
        shuffle: whether every epoch has another order.
        seed: the order depends on this and on the epoch, and on nothing else.

    Arrays are not copied and keep their dtype: uint8 images stay uint8.

    Raises:
        DataError: the arrays are of different lengths, empty, or not numbers.

    Example:
        >>> data = ArrayDataset(np.zeros((10, 28, 28), np.uint8), np.arange(10), batch_size=4)
        >>> [len(y) for x, y in data]
        [4, 4, 2]
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ArgumentError(
                f"Expected batch_size as a whole number of at least 1, received {batch_size!r}."
            )
        if y is None and sample_weight is not None:
            raise ArgumentError("Expected y together with sample_weight; y is None.")
        self._parts = tuple(
            _arrays(part, name)
            for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight))
            if part is not None
        )
        self._count = _common_length(self._parts)
        self.batch_size: int = batch_size
        self._shuffled = shuffle
        self.seed = seed

    @property
    def arrays(self) -> Batch:
        """All the data: `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""
        return self._parts

    @property
    def batch_count(self) -> int:
        """Batches in an epoch."""
        return -(-self._count // self.batch_size)

    @property
    def sample_count(self) -> int:
        """Samples in an epoch."""
        return self._count

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the batches of one epoch; unshuffled, they are views of the arrays."""
        order = shuffled_order(self._count, self.seed, epoch) if self._shuffled else None
        for start in range(0, self._count, self.batch_size):
            stop = start + self.batch_size
            yield self._batch(slice(start, stop) if order is None else order[start:stop])

    def _batch(self, rows: slice | Array) -> Batch:
        batch: Batch = map_leaves(lambda array: _rows(array, rows), self._parts)
        return batch

    def first(self, count: int) -> ArrayDataset:
        """Return a data set of the first `count` samples, in their order before any shuffling."""
        return self.select(slice(count))

    def select(self, rows: slice | Array) -> ArrayDataset:
        """Return a data set of some samples: a slice, or an array of their numbers."""
        chosen = self._batch(rows)
        result = ArrayDataset(
            *chosen, batch_size=self.batch_size, shuffle=self._shuffled, seed=self.seed
        )
        result.class_names = self.class_names
        return result

    def validate(self) -> None:
        """Raise DataError where a number is NaN or infinite."""
        for name, part in zip(("x", "y", "sample_weight"), self._parts, strict=False):
            for array in leaves(part):
                check_finite(array, name)


def _rows(array: Array, rows: slice | Array) -> Array:
    # The same as array[rows], but a quarter faster.
    return array[rows] if isinstance(rows, slice) else array.take(rows, axis=0)


def _arrays(part: Any, name: str) -> Any:
    if isinstance(part, list | tuple) and not any(getattr(item, "shape", ()) for item in part):
        part = _rectangular(part, name)
    return map_leaves(lambda values: _array(values, name), part)


def _rectangular(part: Any, name: str) -> Any:
    try:
        return np.asarray(part)
    except ValueError as error:
        raise DataError(f"{name}: expected rows of equal length ({error}).") from error


def _array(values: Any, name: str) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        advice = (
            " Turn names of classes into whole numbers first." if array.dtype.kind in "USO" else ""
        )
        raise DataError(f"{name}: expected numbers, received {array.dtype}.{advice}")
    if array.ndim == 0:
        raise DataError(f"{name}: expected an array with a sample axis, received one number.")
    return array


def _common_length(parts: Batch) -> int:
    lengths = {len(array) for array in leaves(parts)}
    if len(lengths) != 1:
        shapes = "; ".join(
            f"{name}: {_shapes(leaves(part))}"
            for name, part in zip(("x", "y", "sample_weight"), parts, strict=False)
        )
        raise DataError(
            f"Expected as many samples in every array (the first axis), received {shapes}."
        )
    (length,) = lengths
    if length == 0:
        raise DataError("The data is empty: expected at least one sample.")
    return length


def _shapes(arrays: list[Array]) -> str:
    told = ", ".join(str(array.shape) for array in arrays[:3])
    if len(arrays) <= 3:
        return told
    return f"{told}, … ({len(arrays)} arrays: a list has one for each input; np.stack joins them)"


def check_finite(array: Array, name: str) -> None:
    """Raise DataError where a number is NaN, or infinite as float32; `name` names the array."""
    if array.dtype.kind != "f":
        return
    rows = max(1, _CHUNK * len(array) // max(array.size, 1))
    for start in range(0, len(array), rows):
        with np.errstate(over="ignore", invalid="ignore"):
            part = array[start : start + rows].astype("float32", copy=False)
            if np.isfinite(part.sum()):  # then all are; a third of the time of looking at each
                continue
        good = np.isfinite(part)
        if not good.all():
            index = [int(i) for i in np.argwhere(~good)[0]]
            index[0] += start
            place = ", ".join(map(str, index))
            raise DataError(
                f"{name}[{place}] is {array[tuple(index)]}: expected finite numbers "
                "that float32 can hold. Remove or fill such values before training."
            )

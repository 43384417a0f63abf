"""A data set: batches, epoch after epoch, in an order that depends only on seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import ArgumentError, DataError

__all__ = [
    "AUTOTUNE",
    "Array",
    "Batch",
    "Dataset",
    "Spec",
    "as_batch",
    "leaves",
    "map_leaves",
    "shuffled_order",
]

Array = np.ndarray[Any, Any]
Batch = tuple[Any, ...]
"""`(x,)`, `(x, y)` or `(x, y, sample_weight)`: arrays, or lists, tuples or dicts of arrays."""

AUTOTUNE = -1
"""For `prefetch`: let the data set choose, as in TensorFlow."""


@dataclass(frozen=True)
class Spec:
    """The shape (None where it differs from batch to batch) and dtype of one array of a batch."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Dataset:
    """The base of every data set.

    A subclass gives `batches(epoch)`, and `batch_count` where it can. `fit`, `evaluate` and
    `predict` take any data set; a `for` loop over one goes through one epoch, and through another
    order at the next if it shuffles.
    """

    batch_size: int | None = None
    class_names: Sequence[str] | None = None
    file_paths: Sequence[str] | None = None
    _passes = 0
    _spec: Any = None

    @property
    def batch_count(self) -> int | None:
        """Batches in an epoch; None when nobody knows."""
        return None

    @property
    def sample_count(self) -> int | None:
        """Samples in an epoch; None when nobody knows."""
        return None

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the batches of one epoch: tuples `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""
        raise NotImplementedError  # every subclass has its own

    def validate(self) -> None:
        """Look for data no model can learn from, as far as that is cheap; called before training.

        Raises:
            DataError: there is such data; the message says where.
        """

    def first(self, count: int) -> Dataset:
        """Return a data set of the first `count` samples, in their order before any shuffling."""
        raise ArgumentError(
            f"{type(self).__name__} does not know its samples one by one; take({count}) takes "
            "batches instead."
        )

    @property
    def element_spec(self) -> Any:
        """What a batch looks like: a `Spec` in the place of each array."""
        if self._spec is None:
            batch = next(iter(self.batches(0)), None)
            if batch is None:
                raise DataError("The data set is empty: expected at least one batch.")
            self._spec = map_leaves(_spec, batch)
        return self._spec

    @property
    def input_shape(self) -> Any:
        """The shape of one input without its batch axis; a structure of them for several inputs."""
        return map_leaves(lambda spec: spec.shape[1:], self.element_spec[0])

    def __len__(self) -> int:
        if self.batch_count is None:
            raise TypeError(f"{type(self).__name__} does not know how many batches it has.")
        return self.batch_count

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        epoch = self._passes
        self._passes += 1
        for batch in self.batches(epoch):
            yield batch[0] if len(batch) == 1 else batch

    def map(self, function: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """Return this data set with `function(x)`, `function(x, y)` … applied to every batch.

        Args:
            function: takes the parts of a batch; returns x, or a tuple `(x, y)` or
                `(x, y, sample_weight)`.
            num_parallel_calls: accepted because TensorFlow has it; has no effect.
        """
        from pellucid.data.pipeline import MappedDataset

        del num_parallel_calls
        return MappedDataset(self, function)

    def take(self, count: int) -> Dataset:
        """Return a data set of the first `count` batches of every epoch."""
        from pellucid.data.pipeline import SlicedDataset

        return SlicedDataset(self, 0, count)

    def skip(self, count: int) -> Dataset:
        """Return a data set without the first `count` batches of every epoch."""
        from pellucid.data.pipeline import SlicedDataset

        return SlicedDataset(self, count, None)

    def cache(self) -> Dataset:
        """Return a data set that keeps the batches of its first complete epoch in memory."""
        from pellucid.data.pipeline import CachedDataset

        return CachedDataset(self)

    def shuffle(self, buffer_size: int, seed: int = 0) -> Dataset:
        """Return a data set whose batches come in another order every epoch.

        Args:
            buffer_size: how many batches are held to choose the next one from.
            seed: the order depends on this and on the epoch, and on nothing else.
        """
        from pellucid.data.pipeline import ShuffledDataset

        return ShuffledDataset(self, buffer_size, seed)

    def prefetch(self, buffer_size: int = AUTOTUNE) -> Dataset:
        """Return a data set that prepares up to `buffer_size` batches ahead, in a thread."""
        from pellucid.data.pipeline import PrefetchedDataset

        return PrefetchedDataset(self, buffer_size)


def shuffled_order(count: int, seed: int, epoch: int) -> Array:
    """Return a permutation of `range(count)` that depends only on seed and epoch.

    The sort order of `count` numbers from the counter-based generator Philox, keyed by (seed,
    epoch): the same on every machine and with every version of NumPy.
    """
    key = np.array([seed % 2**64, epoch], np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(count), kind="stable")


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to every array in a structure of lists, tuples and dicts."""
    if isinstance(tree, dict):
        return {key: map_leaves(function, value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map_leaves(function, value) for value in tree)
    return function(tree)


def leaves(tree: Any) -> list[Any]:
    """Return the arrays in a structure of lists, tuples and dicts, in order."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def as_batch(item: Any, where: str) -> Batch:
    """Return what a generator or sequence gave as a batch of arrays.

    Args:
        item: x, or a tuple or list `(x, y)` or `(x, y, sample_weight)`, as Keras takes them.
        where: what gave it, for errors.

    Raises:
        DataError: there are more than three parts, or their batch axes differ.
    """
    parts = tuple(item) if isinstance(item, list | tuple) else (item,)
    while len(parts) > 1 and parts[-1] is None:
        parts = parts[:-1]
    if not 1 <= len(parts) <= 3 or any(part is None for part in parts):
        raise DataError(
            f"{where}: expected x, (x, y) or (x, y, sample_weight), received {len(parts)} parts"
            f"{' with None among them' if any(part is None for part in parts) else ''}."
        )
    batch: Batch = map_leaves(np.asarray, parts)
    sizes = {leaf.shape[0] if leaf.ndim else None for leaf in leaves(batch)}
    if len(sizes) != 1 or None in sizes:
        shapes = ", ".join(str(leaf.shape) for leaf in leaves(batch))
        raise DataError(f"{where}: expected arrays with the same batch axis, received {shapes}.")
    return batch


def _spec(array: Any) -> Spec:
    values = np.asarray(array)
    return Spec((None, *values.shape[1:]), values.dtype)

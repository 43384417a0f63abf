"""Data that comes from Python: sequences of batches and generators."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Batch, Dataset, as_batch, shuffled_order
from pellucid.errors import ArgumentError, DataError

__all__ = ["IterableDataset", "SequenceDataset", "as_dataset"]


class SequenceDataset(Dataset):
    """Batches from an object that gives batch `i` as `sequence[i]`, such as Keras' `PyDataset`.

    Args:
        sequence: has `__getitem__` and either `__len__` or `num_batches`; its methods
            `on_epoch_begin` and `on_epoch_end` are called if it has them.
        shuffle: whether the batches come in another order every epoch.
        seed: the order depends on this and on the epoch, and on nothing else.
    """

    def __init__(self, sequence: Any, *, shuffle: bool = False, seed: int = 0) -> None:
        self.sequence = sequence
        self._shuffled = shuffle
        self.seed = seed

    @property
    def batch_count(self) -> int | None:
        """Batches in an epoch, as the sequence says now."""
        count = getattr(self.sequence, "num_batches", None)
        return len(self.sequence) if count is None else int(count)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the batches of one epoch."""
        count = self.batch_count or 0
        _call(self.sequence, "on_epoch_begin")
        order: Iterable[int] = range(count)
        if self._shuffled:
            order = shuffled_order(count, self.seed, epoch).tolist()
        for index in order:
            yield as_batch(self.sequence[index], f"Batch {index}")
        _call(self.sequence, "on_epoch_end")


class IterableDataset(Dataset):
    """Batches from a generator, from a function that makes one, or from any iterable of batches.

    Args:
        source: an iterator goes on in the next epoch where it stopped; a function without
            arguments and an iterable (such as a PyTorch `DataLoader`) begin anew in every epoch.
        steps: batches in an epoch; until the source ends, when None.

    Raises:
        ArgumentError: the source cannot be iterated over.
        DataError: an iterator has ended, and another epoch is asked for.
    """

    def __init__(
        self, source: Iterable[Any] | Callable[[], Iterable[Any]], *, steps: int | None = None
    ) -> None:
        if not (hasattr(source, "__iter__") or callable(source)):
            raise ArgumentError(
                f"Expected a generator or an iterable of batches, received {type(source).__name__}."
            )
        self.source = source
        self.steps = steps
        self._seen = 0
        self._ahead: list[Any] = []

    @property
    def batch_count(self) -> int | None:
        """Batches in an epoch, where the source or `steps` says so."""
        if self.steps is not None:
            return self.steps
        try:
            return len(self.source)  # type: ignore[arg-type]  # not every iterable has a length
        except TypeError:
            return None

    @property
    def element_spec(self) -> Any:
        """What a batch looks like; an iterator's first batch is kept for the first epoch."""
        if self._spec is None and isinstance(self.source, Iterator):
            self._ahead = list(itertools.islice(self.source, 1))
            if self._ahead:
                peek = IterableDataset(list(self._ahead))
                self._spec = peek.element_spec
        return super().element_spec

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the batches of one epoch."""
        if isinstance(self.source, Iterator):
            items: Iterator[Any] = self._continued(self.source)
        else:
            items = iter(self.source() if callable(self.source) else self.source)
        count = 0
        for item in itertools.islice(items, self.steps):
            yield as_batch(item, f"Batch {count} of epoch {epoch + 1}")
            count += 1
        if self.steps is not None and count < self.steps:
            raise DataError(
                f"The data ended after {count} batches; an epoch was to have {self.steps}."
            )

    def _continued(self, source: Iterator[Any]) -> Iterator[Any]:
        ended_before = self._seen > 0
        while self._ahead:
            self._seen += 1
            yield self._ahead.pop()
        for item in source:
            ended_before = False
            self._seen += 1
            yield item
        if ended_before:
            raise DataError(
                f"The generator ended in an earlier epoch, after {self._seen} batches in all. "
                "Pass a function that makes a new generator, or say how many batches an epoch has."
            )


def as_dataset(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
) -> Dataset:
    """Return whatever Keras' `fit` takes as data as a `Dataset`.

    Args:
        x: a `Dataset`; arrays; a sequence of batches such as Keras' `PyDataset`; a generator, or
            any iterable of batches.
        y: targets, only beside arrays.
        sample_weight: weights, only beside arrays.
        batch_size: only for arrays, where None means 32.
        steps: batches in an epoch, for generators.
        shuffle: for arrays and sequences; a `Dataset` shuffles as it was told when made, and a
            generator gives its batches in its own order.
        seed: for `shuffle`.

    Raises:
        ArgumentError: y or sample_weight were given beside data that brings its own.
        DataError: the arrays do not fit each other.
    """
    if isinstance(x, str | bytes):
        raise ArgumentError(
            f"Expected arrays, a data set or a generator of batches, received the text {x!r}. "
            "Load what it names first."
        )
    if _is_arrays(x):
        return ArrayDataset(
            x,
            y,
            sample_weight,
            batch_size=32 if batch_size is None else batch_size,
            shuffle=shuffle,
            seed=seed,
        )
    for name, part in (("y", y), ("sample_weight", sample_weight)):
        if part is not None:
            raise ArgumentError(
                f"Expected no {name} beside a data set or generator, which gives (x, y) or "
                "(x, y, sample_weight) itself."
            )
    if isinstance(x, Dataset):
        return x
    has_items = hasattr(x, "__getitem__") and not isinstance(x, str | bytes)
    if has_items and (hasattr(x, "__len__") or hasattr(x, "num_batches")):
        return SequenceDataset(x, shuffle=shuffle, seed=seed)
    return IterableDataset(x, steps=steps)


def _is_arrays(x: Any) -> bool:
    return isinstance(x, list | tuple | dict) or hasattr(x, "__array__")


def _call(thing: Any, method: str) -> None:
    function = getattr(thing, method, None)
    if function is not None:
        function()

"""Data sets made from other data sets: mapped, cut, cached, shuffled and prefetched batches."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pellucid.data.dataset import AUTOTUNE, Batch, Dataset, as_batch, shuffled_order
from pellucid.errors import ArgumentError

__all__ = [
    "CachedDataset",
    "MappedDataset",
    "PrefetchedDataset",
    "ShuffledDataset",
    "SlicedDataset",
]


class _Derived(Dataset):
    """A data set that has its source's size, names and files unless it says otherwise."""

    def __init__(self, source: Dataset) -> None:
        self.source = source
        self.batch_size = source.batch_size
        self.class_names = source.class_names
        self.file_paths = source.file_paths

    @property
    def batch_count(self) -> int | None:
        return self.source.batch_count

    @property
    def sample_count(self) -> int | None:
        return self.source.sample_count

    def validate(self) -> None:
        self.source.validate()


class MappedDataset(_Derived):
    """A data set with a function applied to every batch; see `Dataset.map`."""

    def __init__(self, source: Dataset, function: Callable[..., Any]) -> None:
        super().__init__(source)
        self.function = function

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the source's batches with the function applied."""
        for batch in self.source.batches(epoch):
            yield as_batch(self.function(*batch), "The function given to map()")

    def first(self, count: int) -> Dataset:
        """Return the first `count` samples, with the function still to be applied."""
        return MappedDataset(self.source.first(count), self.function)


class SlicedDataset(_Derived):
    """Batches `start` to `stop` of every epoch; see `Dataset.take` and `Dataset.skip`."""

    def __init__(self, source: Dataset, start: int, stop: int | None) -> None:
        super().__init__(source)
        self.file_paths = None
        # A negative count means all of them, as in TensorFlow.
        self.start = max(start, 0)
        self.stop = None if stop is None or stop < 0 else stop

    @property
    def batch_count(self) -> int | None:
        """Batches in an epoch; None when the source does not know."""
        count = self.source.batch_count
        if count is None:
            return None
        return len(range(count)[self.start : self.stop])

    @property
    def sample_count(self) -> int | None:
        """Samples in an epoch; None when only the batches were counted."""
        return self.source.sample_count if self.batch_count == self.source.batch_count else None

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return some of the source's batches."""
        return itertools.islice(self.source.batches(epoch), self.start, self.stop)


class CachedDataset(_Derived):
    """A data set that remembers its first complete epoch; see `Dataset.cache`."""

    def __init__(self, source: Dataset) -> None:
        super().__init__(source)
        self._kept: list[Batch] | None = None

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the source's batches, from memory once an epoch was read to its end."""
        if self._kept is not None:
            yield from self._kept
            return
        seen = []
        for batch in self.source.batches(epoch):
            seen.append(batch)
            yield batch
        self._kept = seen


class ShuffledDataset(_Derived):
    """A data set with its batches in another order every epoch; see `Dataset.shuffle`."""

    def __init__(self, source: Dataset, buffer_size: int, seed: int = 0) -> None:
        super().__init__(source)
        if buffer_size < 1:
            raise ArgumentError(f"Expected buffer_size of at least 1, received {buffer_size}.")
        self.buffer_size = buffer_size
        self.seed = seed

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the source's batches, `buffer_size` at a time in a random order."""
        source = self.source.batches(epoch)
        part = 0
        while held := list(itertools.islice(source, self.buffer_size)):
            # Every epoch has room for 2³² parts before its key meets the next epoch's.
            for index in shuffled_order(len(held), self.seed, (epoch << 32) + part):
                yield held[index]
            part += 1


class PrefetchedDataset(_Derived):
    """A data set that is read ahead by a thread; see `Dataset.prefetch`."""

    def __init__(self, source: Dataset, buffer_size: int = AUTOTUNE) -> None:
        super().__init__(source)
        self.buffer_size = 2 if buffer_size == AUTOTUNE else max(buffer_size, 1)

    def first(self, count: int) -> Dataset:
        """Return the first `count` samples, read ahead as well."""
        return PrefetchedDataset(self.source.first(count), self.buffer_size)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the source's batches, up to `buffer_size` of them prepared in advance."""
        ready: queue.Queue[tuple[Batch | None, BaseException | None]] = queue.Queue(
            self.buffer_size
        )
        stopped = threading.Event()

        def put(batch: Batch | None, error: BaseException | None) -> None:
            while not stopped.is_set():
                try:
                    ready.put((batch, error), timeout=0.1)
                    return
                except queue.Full:
                    continue

        def read() -> None:
            source = self.source.batches(epoch)
            try:
                for batch in source:
                    put(batch, None)
                    if stopped.is_set():
                        return
            except BaseException as error:  # noqa: BLE001 it is raised again where batches are used
                put(None, error)
            else:
                put(None, None)
            finally:
                close = getattr(source, "close", None)
                if close is not None:
                    close()

        thread = threading.Thread(target=read, name="pellucid-prefetch", daemon=True)
        thread.start()
        try:
            while True:
                batch, error = ready.get()
                if error is not None:
                    raise error
                if batch is None:
                    return
                yield batch
        finally:
            stopped.set()
            thread.join()

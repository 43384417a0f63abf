"""Pictures in folders, one folder for each class, read while they are used."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid.data._files import StrPath
from pellucid.data.dataset import Array, Batch, Dataset, shuffled_order
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.errors import ArgumentError, DataError

__all__ = ["IMAGE_SUFFIXES", "ImageFolder", "ImageIndex", "is_hidden", "list_images"]

IMAGE_SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".webp")
LABEL_MODES = ("int", "categorical", "binary", None)
_MAX_THREADS = 8


@dataclass(frozen=True)
class ImageIndex:
    """Which picture belongs to which class: `labels[i]` is the class of `paths[i]`."""

    paths: tuple[str, ...]
    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None

    def select(self, indices: Sequence[int]) -> ImageIndex:
        """Return an index of some of the pictures."""
        return ImageIndex(
            tuple(self.paths[i] for i in indices),
            None if self.labels is None else tuple(self.labels[i] for i in indices),
            self.class_names,
        )


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is hidden or left by a system, as .DS_Store or Thumbs.db."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def list_images(
    directory: StrPath, class_names: Sequence[str] | None = None, follow_links: bool = False
) -> ImageIndex:
    """Return the pictures of a folder with one folder for each class, in a fixed order.

    Classes are in alphabetical order unless `class_names` says otherwise; within a class, pictures
    are ordered by folder and name, as in Keras. What counts as a picture is told by the name's
    ending here, and by the content when it is read; hidden files and folders are left out.

    Raises:
        DataError: there is no such folder, it has no folders in it, or a class named is not there.
    """
    folders = subfolders(directory)
    if class_names is not None:
        missing = sorted(set(class_names) - set(folders))
        if missing:
            raise DataError(
                f"{directory}: there is no folder for the class {missing[0]!r}. "
                f"The folders are {', '.join(map(repr, folders)) or 'none'}."
            )
        folders = list(class_names)
    if not folders:
        raise DataError(
            f"{directory}: expected one folder for each class with its pictures in it; "
            "there are no folders."
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(folders):
        found = walk_images(Path(directory) / name, follow_links)
        paths += found
        labels += [label] * len(found)
    return ImageIndex(tuple(paths), tuple(labels), tuple(folders))


def subfolders(directory: StrPath) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones."""
    try:
        with os.scandir(directory) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not is_hidden(e.name))
    except OSError as error:
        raise DataError(f"{directory}: expected a folder that can be read ({error}).") from error


def walk_images(folder: StrPath, follow_links: bool = False) -> list[str]:
    """Return the pictures in a folder and the folders in it, by folder, then by name."""
    found = []
    for root, _, files in sorted(os.walk(folder, followlinks=follow_links)):
        inner = Path(root).relative_to(folder).parts
        if any(is_hidden(part) for part in inner):
            continue
        found += [
            os.path.join(root, name)  # noqa: PTH118 many files; paths are kept as text
            for name in sorted(files)
            if name.lower().endswith(IMAGE_SUFFIXES) and not is_hidden(name)
        ]
    return found


class ImageFolder(Dataset):
    """Batches of pictures from files, decoded by several threads, in an order of their own.

    Images are uint8 `(N, H, W, C)`. The order depends only on seed and epoch, not on the threads.
    At most a few batches are in memory, and up to `keep_bytes` of pictures already decoded.

    Args:
        index: the pictures and their classes; see `list_images`.
        preprocessing: size, colours and fit; its scale is left to `preprocessing.normalize`.
        batch_size: samples in a batch; the last batch holds what is left.
        label_mode: 'int' gives int32 `(N,)`, 'categorical' float32 `(N, classes)` with a single 1,
            'binary' float32 `(N, 1)`; None gives no labels.
        shuffle: whether every epoch has another order.
        seed: the order depends on this and on the epoch, and on nothing else.
        threads: how many decode; as many as there are processors, up to 8, when None.
        keep_bytes: keep decoded pictures in memory if all of them take no more than this.

    Raises:
        ArgumentError: an option has a value it cannot have.
        DataError: there are no pictures, or labels do not fit the mode. While reading: a picture
            cannot be read; the message names the file.
    """

    def __init__(
        self,
        index: ImageIndex,
        preprocessing: ImagePreprocessing,
        *,
        batch_size: int = 32,
        label_mode: str | None = "int",
        shuffle: bool = False,
        seed: int = 0,
        threads: int | None = None,
        keep_bytes: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ArgumentError(f"Expected batch_size of at least 1, received {batch_size}.")
        if not index.paths:
            raise DataError(f"Expected pictures ({', '.join(IMAGE_SUFFIXES)}), found none.")
        self.index = index
        self.preprocessing = preprocessing
        self.batch_size: int = batch_size
        self.label_mode = label_mode
        self.class_names = None if index.class_names is None else list(index.class_names)
        self.file_paths = list(index.paths)
        self.seed = seed
        self.threads = threads or min(_MAX_THREADS, os.cpu_count() or 1)
        self.keep_bytes = keep_bytes
        self._shuffled = shuffle
        self._labels = _encode(index, label_mode)
        shape = (len(index.paths), *preprocessing.input_shape)
        self._kept: Array | None = None
        if np.prod(shape, dtype=np.int64) <= keep_bytes:
            self._kept = np.empty(shape, np.uint8)
        self._ready = np.zeros(len(index.paths), bool)

    @property
    def batch_count(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.index.paths) // self.batch_size)

    @property
    def sample_count(self) -> int:
        """Pictures in an epoch."""
        return len(self.index.paths)

    def first(self, count: int) -> ImageFolder:
        """Return a data set of the first `count` pictures, in their order before any shuffling."""
        return self.select(range(min(count, self.sample_count)))

    def select(self, indices: Sequence[int]) -> ImageFolder:
        """Return a data set of some of the pictures."""
        return ImageFolder(
            self.index.select(indices),
            self.preprocessing,
            batch_size=self.batch_size,
            label_mode=self.label_mode,
            shuffle=self._shuffled,
            seed=self.seed,
            threads=self.threads,
            keep_bytes=self.keep_bytes,
        )

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Return the batches of one epoch."""
        count = self.sample_count
        order = shuffled_order(count, self.seed, epoch) if self._shuffled else np.arange(count)
        images = self._images(order)
        for start in range(0, count, self.batch_size):
            rows = order[start : start + self.batch_size]
            batch = np.stack([next(images) for _ in rows])
            yield (batch,) if self._labels is None else (batch, self._labels[rows])

    def _images(self, order: Array) -> Iterator[Array]:
        """Return pictures in order, decoded ahead by threads, at most two batches of them."""
        if self._kept is not None and self._ready.all():
            yield from (self._kept[row] for row in order)
            return
        window = max(2 * self.batch_size, 2 * self.threads)
        waiting: deque[Future[Array]] = deque()
        pool = ThreadPoolExecutor(self.threads, "pellucid-decode")
        try:
            for row in order:
                waiting.append(pool.submit(self._image, int(row)))
                if len(waiting) >= window:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _image(self, row: int) -> Array:
        if self._kept is not None and self._ready[row]:
            return np.asarray(self._kept[row])
        image = self.preprocessing.resize(self.index.paths[row])
        if self._kept is not None:
            self._kept[row] = image
            self._ready[row] = True
        return image


def _encode(index: ImageIndex, mode: str | None) -> Array | None:
    if mode not in LABEL_MODES:
        raise ArgumentError(
            f"Expected label_mode as 'int', 'categorical', 'binary' or None; received {mode!r}."
        )
    if mode is None or index.labels is None:
        return None
    labels = np.asarray(index.labels, np.int32)
    classes = len(index.class_names or ())
    if mode == "int":
        return labels
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"Expected labels from 0 to {classes - 1} for label_mode={mode!r}, "
            f"received {labels.min()} to {labels.max()}."
        )
    if mode == "categorical":
        return np.asarray(np.eye(classes, dtype=np.float32)[labels])
    if classes != 2:
        raise DataError(f"label_mode='binary' needs exactly 2 classes; there are {classes}.")
    return np.asarray(labels[:, None], np.float32)

"""Keras' `image_dataset_from_directory`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pellucid.data._files import StrPath
from pellucid.data.dataset import Array, Dataset, map_leaves
from pellucid.data.image_folder import ImageFolder, ImageIndex, list_images, walk_images
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.pipeline import MappedDataset
from pellucid.errors import ArgumentError, DataError
from pellucid.random import get_seed

__all__ = ["image_dataset_from_directory"]


def image_dataset_from_directory(
    directory: StrPath,
    labels: str | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
) -> Dataset | list[Dataset]:
    """Return a data set of the pictures in a folder, as `keras.utils` does.

    It gives float32 images `(N, H, W, C)` from 0 to 255, and labels as `label_mode` says. With the
    same seed, the split into training and validation pictures is Keras' own. Two things differ:
    shrinking is antialiased, and every picture is shuffled among all, not within a buffer.

    Args:
        directory: holds one folder for each class.
        labels: 'inferred' from the folders; None for pictures without labels; or whole numbers, one
            for each picture found, in the order of their paths.
        label_mode: 'int' gives int32 `(N,)`, 'categorical' float32 `(N, classes)`, 'binary' float32
            `(N, 1)`; None gives pictures alone.
        class_names: the folders to use, in the order of the labels; all, by default.
        color_mode: 'grayscale', 'rgb' or 'rgba'.
        batch_size: samples in a batch; None gives them one by one.
        image_size: (height, width) in pixels.
        shuffle: whether every epoch has another order.
        seed: for the split and the order; None means the seed of `utils.set_random_seed`.
        validation_split: the share of pictures kept for validation, between 0 and 1.
        subset: 'training', 'validation' or 'both', with `validation_split` only.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'area' or 'lanczos3'.
        follow_links: whether folders that are links are looked into.
        crop_to_aspect_ratio: keep the largest middle part that has the right aspect ratio.
        pad_to_aspect_ratio: add black to reach the right aspect ratio.
        data_format: 'channels_last' or None; there is no other here.
        verbose: whether to print how many files and classes were found.

    Returns:
        A data set with `class_names` and `file_paths`; two in a list when subset is 'both'.

    Raises:
        ArgumentError: options are impossible or contradict each other.
        DataError: there are no pictures or folders, or labels do not fit.
    """
    _check_split(validation_split, subset, shuffle, seed)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("Expected crop_to_aspect_ratio or pad_to_aspect_ratio, not both.")
    if data_format not in (None, "channels_last"):
        raise ArgumentError(f"Expected data_format='channels_last', received {data_format!r}.")
    size = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    preprocessing = ImagePreprocessing(
        (size[0], size[-1]), color_mode, interpolation=interpolation.lower(), fit=fit
    )
    if labels is None or label_mode is None:
        label_mode = None
    index = _index(directory, labels, class_names, follow_links)
    total = len(index.paths)
    if verbose:
        names = index.class_names
        classes = "" if names is None else f" belonging to {len(names)} classes"
        print(f"Found {total} files{classes}.")
    order = list(range(total))
    seed = get_seed() if seed is None else seed
    if shuffle:
        np.random.RandomState(seed).shuffle(order)
    parts: list[tuple[list[int], bool]] = []
    held = int((validation_split or 0) * total)
    if subset in ("training", "both"):
        parts.append((order[: total - held], shuffle))
        _say(verbose, total - held, "training")
    if subset in ("validation", "both"):
        # Beside its training set, a validation set keeps one order, as in Keras.
        parts.append((order[total - held :], shuffle and subset != "both"))
        _say(verbose, held, "validation")
    made = [
        _dataset(index.select(rows), preprocessing, batch_size, label_mode, mixed, seed)
        for rows, mixed in parts or [(order, shuffle)]
    ]
    return made if subset == "both" else made[0]


def _say(verbose: bool, count: int, part: str) -> None:
    if verbose:
        print(f"Using {count} files for {part}.")


def _check_split(
    validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None
) -> None:
    if validation_split is None and subset is None:
        return
    if validation_split is None or not 0 < validation_split < 1:
        raise ArgumentError(
            f"Expected validation_split between 0 and 1 beside subset, received {validation_split}."
        )
    if subset not in ("training", "validation", "both"):
        raise ArgumentError(
            "Expected subset as 'training', 'validation' or 'both' beside validation_split, "
            f"received {subset!r}."
        )
    if shuffle and seed is None:
        raise ArgumentError(
            "With validation_split and shuffle, pass a seed, the same for both subsets, so that no "
            "picture is in both; or shuffle=False."
        )


def _index(
    directory: StrPath,
    labels: str | Sequence[int] | None,
    class_names: Sequence[str] | None,
    follow_links: bool,
) -> ImageIndex:
    if isinstance(labels, str):
        if labels != "inferred":
            raise ArgumentError(
                f"Expected labels as 'inferred', None or whole numbers; received {labels!r}."
            )
        return list_images(directory, class_names, follow_links)
    if class_names is not None:
        raise ArgumentError("class_names can be given only with labels='inferred'.")
    paths = tuple(walk_images(directory, follow_links))
    if labels is None:
        return ImageIndex(paths, None, None)
    if len(labels) != len(paths):
        raise DataError(
            f"{directory}: expected one label for each picture; received {len(labels)} labels for "
            f"{len(paths)} pictures."
        )
    numbers = tuple(int(label) for label in labels)
    return ImageIndex(paths, numbers, tuple(str(label) for label in sorted(set(numbers))))


def _dataset(
    index: ImageIndex,
    preprocessing: ImagePreprocessing,
    batch_size: int | None,
    label_mode: str | None,
    shuffle: bool,
    seed: int,
) -> Dataset:
    folder = ImageFolder(
        index,
        preprocessing,
        batch_size=batch_size or 1,
        label_mode=label_mode,
        shuffle=shuffle,
        seed=seed,
    )
    return MappedDataset(folder, _as_float) if batch_size else _OneByOne(folder, _as_float)


class _OneByOne(MappedDataset):
    """A data set that a `for` loop takes apart into samples; models still get batches of one."""

    def __iter__(self) -> Iterator[Any]:
        for batch in super().__iter__():
            yield map_leaves(lambda array: array[0], batch)


def _as_float(images: Array, *labels: Array) -> tuple[Array, ...]:
    return images.astype(np.float32), *labels

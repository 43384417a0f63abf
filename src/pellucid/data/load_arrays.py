"""`load` for data sets known by name and for files of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.data.array_source import ArraySource
from pellucid.data.arrays import ArrayDataset, check_finite
from pellucid.data.dataset import Array, Dataset
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.loaded import Loaded, LoadOptions, limited, named, normalizer
from pellucid.data.split import labels_as_classes, split_rows
from pellucid.data.table_preprocessing import NumberColumn, TablePreprocessing
from pellucid.errors import DataError

__all__ = ["load_arrays"]

_KNOWN_FITS = {"mnist": "digit", "fashion_mnist": "pad", "cifar10": "crop"}


def load_arrays(source: ArraySource, options: LoadOptions, natural_order: bool) -> Loaded:
    """Return arrays that were read, as `load` does.

    `natural_order` says that they are in random order already, so that the first are a fair choice.
    """
    x_train, _ = source.parts["training"]
    for part, (x, _) in source.parts.items():
        check_finite(x, f"{source.where}: {part} x")
    labels, class_names = labels_as_classes(source)
    parts = {part: (x, labels[part]) for part, (x, _) in source.parts.items()}
    if options.validation is not None and "validation" not in parts:
        y = parts["training"][1]
        kept, held = split_rows(
            y if class_names else None, len(y), options.validation, options.seed
        )
        parts |= {"training": (x_train[kept], y[kept]), "validation": (x_train[held], y[held])}
    x, y = parts["training"]
    rows: Any = slice(options.limit) if natural_order else limited(len(y), options)
    if natural_order or len(rows) < len(y):
        parts["training"] = x[rows], y[rows]
    preprocessing, prepare = _array_preprocessing(source, parts["training"][0], class_names)

    def dataset(part: str) -> Dataset | None:
        if part not in parts:
            return None
        x, y = parts[part]
        if preprocessing.input_shape[-1] == 1 and x.ndim == 3:
            x = x[..., None]
        if x.shape[1:] != preprocessing.input_shape:
            raise DataError(
                f"{source.where}: expected {part} samples of shape {preprocessing.input_shape} as "
                f"in training, received {x.shape[1:]}."
            )
        arrays = ArrayDataset(
            x,
            y,
            batch_size=options.batch_size,
            shuffle=options.shuffle and part == "training",
            seed=options.seed,
        )
        return named(arrays, class_names).map(prepare)

    training = dataset("training")
    if training is None:
        raise DataError(f"{source.where}: there is nothing to train on.")
    return Loaded(
        source.where,
        "table" if isinstance(preprocessing, TablePreprocessing) else "image",
        "classification" if class_names else "regression",
        training,
        dataset("validation"),
        dataset("test"),
        class_names,
        preprocessing,
    )


def _array_preprocessing(
    source: ArraySource, x: Array, class_names: tuple[str, ...] | None
) -> tuple[ImagePreprocessing | TablePreprocessing, Callable[..., Any]]:
    if x.ndim == 2:
        mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        std[std == 0] = 1.0
        columns = tuple(
            NumberColumn(f"x{index}", float(mean[index]), float(std[index]))
            for index in range(x.shape[1])
        )
        task = "classification" if class_names else "regression"
        table = TablePreprocessing(columns, "y", task, class_names)

        def standardize(x: Array, y: Array) -> tuple[Array, Array]:
            return ((x - mean) / std).astype(np.float32), y

        return table, standardize
    channels = x.shape[3] if x.ndim == 4 else 1
    modes = {1: "grayscale", 3: "rgb", 4: "rgba"}
    if x.ndim not in (3, 4) or channels not in modes:
        raise DataError(
            f"{source.where}: expected images (N, H, W) or (N, H, W, C) of 1, 3 or 4 channels, or "
            f"rows (N, features); received {x.shape}. Channels come last."
        )
    low, high = float(x.min()), float(x.max())
    if not 0 <= low <= high <= 255:
        raise DataError(
            f"{source.where}: expected pixels from 0 to 255, or from 0 to 1; received "
            f"{low:g} to {high:g}. Save them before they are normalised, so that the same can be "
            "done to other pictures."
        )
    known = source.where if source.where in _KNOWN_FITS else None
    preprocessing = ImagePreprocessing(
        (x.shape[1], x.shape[2]),
        modes[channels],
        scale=1 / 255,
        fit=_KNOWN_FITS[known] if known else "crop",
        # These two show light shapes before black; a picture on white paper is turned round.
        invert="auto" if known in ("mnist", "fashion_mnist") else False,
        class_names=class_names,
    )
    if x.dtype.kind == "f" and high <= 1:
        return preprocessing, _as_float
    return preprocessing, normalizer(preprocessing)


def _as_float(images: Array, labels: Array) -> tuple[Array, Array]:
    return images.astype(np.float32), labels

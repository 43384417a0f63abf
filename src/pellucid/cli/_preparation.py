"""What is done to a file before a model sees it, and labelled data made ready for a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data import (
    ArrayDataset,
    Dataset,
    ImageFolder,
    ImagePreprocessing,
    TablePreprocessing,
    list_images,
    preprocessing_from_config,
    read_csv,
)
from pellucid.data.array_source import read_arrays, source_kind
from pellucid.data.check_folder import folder_parts
from pellucid.data.split import labels_as_classes
from pellucid.errors import DataError

if TYPE_CHECKING:
    from pellucid.models import Model

__all__ = ["Labelled", "labelled", "preparation", "task_of"]

Array = np.ndarray[Any, Any]
Preparation = ImagePreprocessing | TablePreprocessing

PARTS = ("test", "validation", "training")
"""Which part of a data set to evaluate on: the first of these that it has."""

_MODES = {1: "grayscale", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True)
class Labelled:
    """Samples with their targets, as a model takes them.

    Attributes:
        part: Which part of the data set they are.
        dataset: Batches of inputs and of targets.
        places: Where each sample is from: a file, a line, a number.
    """

    part: str
    dataset: Dataset
    places: Callable[[int], str]


def preparation(model: Model, note: Callable[[str], None]) -> Preparation:
    """Return the preprocessing saved with a model, or a guess for one that has none.

    Raises:
        DataError: The model takes no pictures, and does not say what else.
    """
    if model.preprocessing is not None:
        return preprocessing_from_config(model.preprocessing)
    shape = model.input_shape[1:]
    if len(shape) != 3 or None in shape or shape[2] not in _MODES:
        raise DataError(
            f"The model was saved without what was done to its data, and its input of shape "
            f"{shape} is no picture of a fixed size. Save model.preprocessing with it."
        )
    from pellucid.layers import Rescaling

    scaled = any(isinstance(layer, Rescaling) for layer in model.layers[:2])
    range_ = "0 to 255, which the model rescales itself" if scaled else "0 to 1"
    note(
        f"The model was saved without what was done to its data. Pictures are resized to "
        f"{shape[0]} × {shape[1]} and given as numbers from {range_}."
    )
    return ImagePreprocessing(
        shape[:2], _MODES[shape[2]], scale=1.0 if scaled else 1 / 255, fit="crop"
    )


def task_of(model: Model, prepare: Preparation) -> tuple[str, tuple[str, ...] | None]:
    """Return the model's task, and its classes' names (None for regression)."""
    outputs = model.output_shape[-1]
    if prepare.class_names is not None:
        return "classification", prepare.class_names
    if isinstance(prepare, TablePreprocessing):
        return prepare.task, None
    last = getattr(model.layers[-1], "activation", None)
    if outputs > 1:
        return "classification", tuple(str(number) for number in range(outputs))
    return ("classification", ("0", "1")) if "sigmoid" in str(last) else ("regression", None)


def labelled(source: str, prepare: Preparation, part: str | None, batch_size: int) -> Labelled:
    """Return the labelled samples of a data set, treated as the model's training data was.

    Args:
        source: A data set's name, or the path of a folder, CSV or NPZ file.
        prepare: The model's preprocessing.
        part: 'test', 'validation' or 'training'; the first of these that there is, by default.
        batch_size: Samples in a batch.

    Raises:
        DataError: The data does not fit the model, or has no such part.
    """
    kind = source_kind(source)
    if kind == "csv":
        if not isinstance(prepare, TablePreprocessing):
            raise DataError(f"{source}: this is a table; the model was trained on pictures.")
        table = read_csv(source)
        arrays = ArrayDataset(
            prepare.transform(table), prepare.targets(table), batch_size=batch_size
        )
        return Labelled("all rows", arrays, lambda row: f"line {table.lines[row]}")
    if kind == "image folder":
        return _from_folder(source, _pictures(source, prepare), part, batch_size)
    return _from_arrays(source, kind, prepare, part, batch_size)


def _pictures(source: str, prepare: Preparation) -> ImagePreprocessing:
    if not isinstance(prepare, ImagePreprocessing):
        raise DataError(f"{source}: these are pictures; the model was trained on a table.")
    return prepare


def _chosen(source: str, parts: Any, part: str | None) -> str:
    if part is None:
        return next(name for name in PARTS if name in parts)
    if part not in parts:
        raise DataError(f"{source}: there is no {part} part, only {', '.join(parts)}.")
    return part


def _from_folder(
    source: str, prepare: ImagePreprocessing, part: str | None, batch_size: int
) -> Labelled:
    parts = folder_parts(Path(source))
    chosen = _chosen(source, parts, part)
    index = list_images(parts[chosen], prepare.class_names)
    folder = ImageFolder(index, prepare, batch_size=batch_size)
    dataset = folder.map(lambda images, labels: (prepare.normalize(images), labels))
    name = chosen if len(parts) > 1 else "all pictures"
    return Labelled(name, dataset, lambda row: index.paths[row])


def _from_arrays(
    source: str, kind: str, prepare: Preparation, part: str | None, batch_size: int
) -> Labelled:
    arrays = read_arrays(source, kind)
    if "training" not in arrays.parts:
        raise DataError(f"{source}: expected arrays named x_test and y_test, or x and y.")
    labels, _ = labels_as_classes(arrays)
    chosen = _chosen(source, arrays.parts, part)
    x = arrays.parts[chosen][0]
    if isinstance(prepare, ImagePreprocessing) and prepare.input_shape[-1] == 1 and x.ndim == 3:
        x = x[..., None]
    if x.shape[1:] != prepare.input_shape:
        raise DataError(
            f"{source}: the model takes samples of shape {prepare.input_shape}; these have the "
            f"shape {x.shape[1:]}."
        )
    data = ArrayDataset(x, labels[chosen], batch_size=batch_size)
    return Labelled(chosen, data.map(_as_model_takes(prepare, x)), lambda row: f"{chosen}[{row}]")


def _as_model_takes(
    prepare: Preparation, x: Array
) -> Callable[[Array, Array], tuple[Array, Array]]:
    if isinstance(prepare, TablePreprocessing):
        numbers = [(getattr(c, "mean", 0.0), getattr(c, "std", 1.0)) for c in prepare.columns]
        mean, std = np.asarray(numbers).T
        return lambda x, y: (((x - mean) / std).astype(np.float32), y)
    if x.dtype.kind == "f" and x.max() <= 1:
        return lambda x, y: (x.astype(np.float32), y)
    return lambda x, y: (prepare.normalize(x), y)

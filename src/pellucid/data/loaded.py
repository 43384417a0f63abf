"""What `load` returns, and what its parts for each kind of data share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pellucid.data.dataset import Array, Dataset, shuffled_order
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.report import Report
from pellucid.data.table_preprocessing import TablePreprocessing

__all__ = ["PARTS", "LoadOptions", "Loaded", "limited", "named", "normalizer"]

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Loaded:
    """Data ready for a model, and everything needed to treat other data the same way.

    Attributes:
        name: what was loaded.
        kind: 'image' or 'table'.
        task: 'classification' or 'regression'.
        training, validation, test: batches of float32 inputs and of int32 classes `(N,)` or
            float32 numbers `(N, 1)`; validation and test may be None.
        class_names: the classes, in the order of the model's outputs; None for regression.
        preprocessing: what was done to the data. Its `to_config()` belongs with the model.
        report: what was found in a folder of pictures; None for other data.
    """

    name: str
    kind: str
    task: str
    training: Dataset
    validation: Dataset | None
    test: Dataset | None
    class_names: tuple[str, ...] | None
    preprocessing: ImagePreprocessing | TablePreprocessing
    report: Report | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (H, W, C), or (features,)."""
        return self.preprocessing.input_shape

    @property
    def output_count(self) -> int:
        """How many outputs a model needs: one for each class, or 1 for regression."""
        return len(self.class_names) if self.class_names else 1


@dataclass(frozen=True)
class LoadOptions:
    """The options of `load` that apply to every kind of data."""

    limit: int | None
    validation: float | None
    batch_size: int
    shuffle: bool
    seed: int


def limited(count: int, options: LoadOptions) -> list[int]:
    """Return which training samples to use: all in their order, or a random choice."""
    if options.limit is None or options.limit >= count:
        return list(range(count))
    chosen: list[int] = shuffled_order(count, options.seed, 0)[: options.limit].tolist()
    return chosen


def named(dataset: Dataset, class_names: tuple[str, ...] | None) -> Dataset:
    """Return the data set with its classes named."""
    dataset.class_names = None if class_names is None else list(class_names)
    return dataset


def normalizer(preprocessing: ImagePreprocessing) -> Callable[..., Any]:
    """Return the function that scales a batch of pictures, for `Dataset.map`."""

    def normalize(images: Array, labels: Array) -> tuple[Array, Array]:
        return preprocessing.normalize(images), labels

    return normalize

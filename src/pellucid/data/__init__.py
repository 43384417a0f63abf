"""Data: reading it, checking it, and giving it to a model batch by batch.

`load` takes a name or a path and returns data sets ready for training; `check` looks data through
before. MNIST is in the box. Images stay uint8 until they are used; randomness depends on a seed and
the epoch alone; no file is trusted: every reader bounds what it unpacks and raises `DataError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.data.arrays import ArrayDataset
    from pellucid.data.checking import check
    from pellucid.data.csv_table import Table, read_csv
    from pellucid.data.dataset import AUTOTUNE, Dataset, Spec
    from pellucid.data.directory import image_dataset_from_directory
    from pellucid.data.idx import read_idx
    from pellucid.data.image_file import read_image
    from pellucid.data.image_folder import ImageFolder, ImageIndex, list_images
    from pellucid.data.image_preprocessing import ImagePreprocessing
    from pellucid.data.iterables import IterableDataset, SequenceDataset, as_dataset
    from pellucid.data.loaded import Loaded
    from pellucid.data.loading import load
    from pellucid.data.npz import read_npz
    from pellucid.data.preprocessing import preprocessing_from_config
    from pellucid.data.report import ClassSummary, Problem, Report
    from pellucid.data.table_preprocessing import TablePreprocessing

__all__ = [
    "AUTOTUNE",
    "ArrayDataset",
    "ClassSummary",
    "Dataset",
    "ImageFolder",
    "ImageIndex",
    "ImagePreprocessing",
    "IterableDataset",
    "Loaded",
    "Problem",
    "Report",
    "SequenceDataset",
    "Spec",
    "Table",
    "TablePreprocessing",
    "as_dataset",
    "check",
    "image_dataset_from_directory",
    "list_images",
    "load",
    "preprocessing_from_config",
    "read_csv",
    "read_idx",
    "read_image",
    "read_npz",
]

_MODULES = {
    "AUTOTUNE": "pellucid.data.dataset",
    "ArrayDataset": "pellucid.data.arrays",
    "ClassSummary": "pellucid.data.report",
    "Dataset": "pellucid.data.dataset",
    "ImageFolder": "pellucid.data.image_folder",
    "ImageIndex": "pellucid.data.image_folder",
    "ImagePreprocessing": "pellucid.data.image_preprocessing",
    "IterableDataset": "pellucid.data.iterables",
    "Loaded": "pellucid.data.loaded",
    "Problem": "pellucid.data.report",
    "Report": "pellucid.data.report",
    "SequenceDataset": "pellucid.data.iterables",
    "Spec": "pellucid.data.dataset",
    "Table": "pellucid.data.csv_table",
    "TablePreprocessing": "pellucid.data.table_preprocessing",
    "as_dataset": "pellucid.data.iterables",
    "check": "pellucid.data.checking",
    "image_dataset_from_directory": "pellucid.data.directory",
    "list_images": "pellucid.data.image_folder",
    "load": "pellucid.data.loading",
    "preprocessing_from_config": "pellucid.data.preprocessing",
    "read_csv": "pellucid.data.csv_table",
    "read_idx": "pellucid.data.idx",
    "read_image": "pellucid.data.image_file",
    "read_npz": "pellucid.data.npz",
}


def __getattr__(name: str) -> Any:
    """Load a name's module when the name is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'pellucid.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Data: reading it, checking it, and giving it to a model batch by batch.

`load` takes a name or a path and returns data sets ready for training; `check` looks data through
before. MNIST is in the box. Images stay uint8 until they are used; randomness depends on a seed and
the epoch alone; no file is trusted: every reader bounds what it unpacks and raises `DataError`.
"""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.data.arrays import ArrayDataset as ArrayDataset
    from pellucid.data.checking import check as check
    from pellucid.data.csv_table import Table as Table
    from pellucid.data.csv_table import read_csv as read_csv
    from pellucid.data.dataset import AUTOTUNE as AUTOTUNE
    from pellucid.data.dataset import Dataset as Dataset
    from pellucid.data.dataset import Spec as Spec
    from pellucid.data.directory import image_dataset_from_directory as image_dataset_from_directory
    from pellucid.data.idx import read_idx as read_idx
    from pellucid.data.image_file import read_image as read_image
    from pellucid.data.image_folder import ImageFolder as ImageFolder
    from pellucid.data.image_folder import ImageIndex as ImageIndex
    from pellucid.data.image_folder import list_images as list_images
    from pellucid.data.image_preprocessing import ImagePreprocessing as ImagePreprocessing
    from pellucid.data.iterables import IterableDataset as IterableDataset
    from pellucid.data.iterables import SequenceDataset as SequenceDataset
    from pellucid.data.iterables import as_dataset as as_dataset
    from pellucid.data.loaded import Loaded as Loaded
    from pellucid.data.loading import load as load
    from pellucid.data.npz import read_npz as read_npz
    from pellucid.data.preprocessing import preprocessing_from_config as preprocessing_from_config
    from pellucid.data.report import ClassSummary as ClassSummary
    from pellucid.data.report import Problem as Problem
    from pellucid.data.report import Report as Report
    from pellucid.data.table_preprocessing import TablePreprocessing as TablePreprocessing

load_on_use(
    __name__,
    {
        "pellucid.data.arrays": "ArrayDataset",
        "pellucid.data.checking": "check",
        "pellucid.data.csv_table": "Table read_csv",
        "pellucid.data.dataset": "AUTOTUNE Dataset Spec",
        "pellucid.data.directory": "image_dataset_from_directory",
        "pellucid.data.idx": "read_idx",
        "pellucid.data.image_file": "read_image",
        "pellucid.data.image_folder": "ImageFolder ImageIndex list_images",
        "pellucid.data.image_preprocessing": "ImagePreprocessing",
        "pellucid.data.iterables": "IterableDataset SequenceDataset as_dataset",
        "pellucid.data.loaded": "Loaded",
        "pellucid.data.loading": "load",
        "pellucid.data.npz": "read_npz",
        "pellucid.data.preprocessing": "preprocessing_from_config",
        "pellucid.data.report": "ClassSummary Problem Report",
        "pellucid.data.table_preprocessing": "TablePreprocessing",
    },
)

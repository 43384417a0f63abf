"""Data: reading it, checking it, and giving it to a model batch by batch.

`load` takes a name or a path and returns data sets ready for training; `check` looks data through
before. MNIST is in the box. Images stay uint8 until they are used; randomness depends on a seed and
the epoch alone; no file is trusted: every reader bounds what it unpacks and raises `DataError`.
"""

from pellucid.data.arrays import ArrayDataset
from pellucid.data.check import check
from pellucid.data.csv_table import Table, read_csv
from pellucid.data.dataset import AUTOTUNE, Dataset, Spec
from pellucid.data.directory import image_dataset_from_directory
from pellucid.data.idx import read_idx
from pellucid.data.image_file import read_image
from pellucid.data.image_folder import ImageFolder, ImageIndex, list_images
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.iterables import IterableDataset, SequenceDataset, as_dataset
from pellucid.data.load import Loaded, load
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

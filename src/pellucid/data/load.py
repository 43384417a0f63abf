"""`load`: from a name or a path to data sets that a model can be trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data._files import StrPath
from pellucid.data.array_source import ArraySource, read_arrays, source_kind
from pellucid.data.arrays import ArrayDataset
from pellucid.data.check_folder import FileScan, scan_folder
from pellucid.data.csv_table import Table, read_csv
from pellucid.data.dataset import Array, Dataset, shuffled_order
from pellucid.data.image_folder import ImageFolder, ImageIndex
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.report import Report
from pellucid.data.split import labels_as_classes, split_rows
from pellucid.data.table_preprocessing import NumberColumn, TablePreprocessing
from pellucid.errors import ArgumentError, DataError

__all__ = ["Loaded", "load"]

PARTS = ("training", "validation", "test")

# Decoded pictures of a folder are kept in memory up to this much.
_KEEP_BYTES = 512 << 20
_DEFAULT_SIDE = 96
# Pictures that all have one size up to this keep it.
_MAX_OWN_SIDE = 128
_TARGET_NAMES = ("target", "label", "class", "species", "y")
_KNOWN_FITS = {"mnist": "digit", "fashion_mnist": "pad", "cifar10": "crop"}


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
class _Options:
    limit: int | None
    validation: float | None
    batch_size: int
    shuffle: bool
    seed: int


def load(
    source: StrPath,
    *,
    limit: int | None = None,
    validation: float | None = None,
    target: str | None = None,
    task: str | None = None,
    ignore: Collection[str] = (),
    image_size: tuple[int, int] | None = None,
    color_mode: str | None = None,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int = 0,
    skip_unreadable: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Loaded:
    """Return data ready for training, from a name or a path.

    Args:
        source: 'mnist', 'fashion_mnist' or 'cifar10'; a folder with one folder of pictures for each
            class, or with train/, validation/ and test/ that have those; a CSV file; an NPZ file
            with x_train and y_train (and the like), or x and y; or a folder of MNIST's IDX files or
            CIFAR-10's binary files.
        limit: use only this many training samples: the first of a known data set, which is in
            random order already; others are put in random order first.
        validation: the share of the training samples to set aside for validation, between 0 and 1,
            each class in proportion. Where the data has a validation part, that is used instead.
        target: for a table, the column to learn; may be left out if it is named target, label,
            class, species or y.
        task: for a table, 'classification' or 'regression'; told from the values when None.
        ignore: for a table, columns the model is not to see.
        image_size: for a folder, (height, width); by default the pictures' own size if it is one
            and no larger than 128, else (96, 96). Other data keeps its size.
        color_mode: for a folder, 'grayscale', 'rgb' or 'rgba'; by default grey if all pictures are.
        batch_size: samples in a batch.
        shuffle: whether the training samples come in another order every epoch.
        seed: for the split and the order.
        skip_unreadable: for a folder, leave out files that cannot be read instead of stopping.
        progress: for a folder, called with the number of files looked at and of all files.

    Raises:
        ArgumentError: an option has a value it cannot have, or does not apply to this data.
        DataError: the data cannot be read or learned from; the message says what is wrong where.
        DownloadError: the data set has to be downloaded, and there is no network.
    """
    if limit is not None and limit < 1:
        raise ArgumentError(f"Expected limit of at least 1, received {limit}.")
    if validation is not None and not 0 < validation < 1:
        raise ArgumentError(f"Expected validation between 0 and 1, received {validation}.")
    kind = source_kind(source)
    _check_options(kind, target, task, ignore, image_size, color_mode)
    options = _Options(limit, validation, batch_size, shuffle, seed)
    if kind == "csv":
        return _load_table(read_csv(source), options, target, task, ignore)
    if kind == "image folder":
        scan = scan_folder(source, progress)
        if not scan.report.ok:
            _stop(scan.report, skip_unreadable)
        return _load_folder(scan.report, scan.files, options, image_size, color_mode)
    if kind in ("image", "idx"):
        raise DataError(
            f"{source}: one {'picture' if kind == 'image' else 'file of arrays'} is no data set. "
            "Expected a folder that holds it and the others."
        )
    arrays = read_arrays(source, kind)
    if "training" not in arrays.parts:
        raise DataError(
            f"{source}: expected arrays named x_train and y_train, or x and y; "
            f"the file holds {', '.join(arrays.others) or 'none'}."
        )
    return _load_arrays(arrays, options, natural_order=kind == "known")


def _check_options(
    kind: str,
    target: str | None,
    task: str | None,
    ignore: Collection[str],
    image_size: tuple[int, int] | None,
    color_mode: str | None,
) -> None:
    if kind != "csv" and (target is not None or task is not None or ignore):
        raise ArgumentError("target, task and ignore are for CSV tables; this is no table.")
    if kind != "image folder" and (image_size is not None or color_mode is not None):
        raise ArgumentError(
            "image_size and color_mode are for folders of pictures; other data keeps its own."
        )


def _stop(report: Report, skip_unreadable: bool) -> None:
    fatal = [
        problem
        for problem in report.problems
        if problem.level == "error"
        and not (
            skip_unreadable and problem.kind in ("corrupt", "empty", "not_an_image", "unreadable")
        )
    ]
    if fatal:
        lines = [
            f"{problem.message}"
            + "".join(f"\n  {path}" for path in problem.paths[:5])
            + (f"\n  … and {len(problem.paths) - 5} more" if len(problem.paths) > 5 else "")
            for problem in fatal
        ]
        raise DataError(f"{report.path}: not ready to train.\n" + "\n".join(lines))


def _load_folder(
    report: Report,
    files: tuple[FileScan, ...],
    options: _Options,
    image_size: tuple[int, int] | None,
    color_mode: str | None,
) -> Loaded:
    used = [scan for scan in files if scan.problem is None]
    names = tuple(entry.name for entry in report.classes)
    sizes = {scan.size for scan in used}
    own = next(iter(sizes)) if len(sizes) == 1 else None
    if image_size is None:
        fits = own is not None and max(own) <= _MAX_OWN_SIDE
        image_size = own if own is not None and fits else (_DEFAULT_SIDE, _DEFAULT_SIDE)
    if color_mode is None:
        color_mode = "grayscale" if all(scan.grey for scan in used) else "rgb"
    preprocessing = ImagePreprocessing(
        image_size, color_mode, scale=1 / 255, fit="crop", class_names=names
    )
    indices = {
        part: ImageIndex(
            tuple(scan.path for scan in used if scan.part == part),
            tuple(names.index(str(scan.class_name)) for scan in used if scan.part == part),
            names,
        )
        for part in PARTS
    }
    if options.validation is not None and not indices["validation"].paths:
        whole = indices["training"]
        kept, held = split_rows(
            np.asarray(whole.labels), len(whole.paths), options.validation, options.seed
        )
        indices |= {"training": whole.select(kept), "validation": whole.select(held)}
    indices["training"] = indices["training"].select(
        _limited(len(indices["training"].paths), options)
    )

    def dataset(part: str) -> Dataset | None:
        if not indices[part].paths:
            return None
        folder = ImageFolder(
            indices[part],
            preprocessing,
            batch_size=options.batch_size,
            shuffle=options.shuffle and part == "training",
            seed=options.seed,
            keep_bytes=_KEEP_BYTES // len(PARTS),
        )
        return folder.map(_normalizer(preprocessing))

    training = dataset("training")
    if training is None:
        raise DataError(f"{report.path}: there are no pictures to train on.")
    return Loaded(
        report.path,
        "image",
        "classification",
        training,
        dataset("validation"),
        dataset("test"),
        names,
        preprocessing,
        report,
    )


def _limited(count: int, options: _Options) -> list[int]:
    """Return which training samples to use: all in their order, or a random choice."""
    if options.limit is None or options.limit >= count:
        return list(range(count))
    chosen: list[int] = shuffled_order(count, options.seed, 0)[: options.limit].tolist()
    return chosen


def _load_table(
    table: Table,
    options: _Options,
    target: str | None,
    task: str | None,
    ignore: Collection[str],
) -> Loaded:
    target = target or _target(table)
    whole = TablePreprocessing.fit(table, target, task=task, ignore=ignore)
    labels = whole.targets(table)
    rows = range(len(table.rows))
    kept, held = list(rows), list[int]()
    if options.validation is not None:
        classes = labels if whole.class_names else None
        kept, held = split_rows(classes, len(rows), options.validation, options.seed)
    kept = [kept[index] for index in _limited(len(kept), options)]
    # Statistics come from the training rows alone; the classes, from all of them.
    fitted = TablePreprocessing.fit(table.select(kept), target, task="regression", ignore=ignore)
    preprocessing = TablePreprocessing(fitted.columns, target, whole.task, whole.class_names)

    def dataset(rows: list[int], training: bool) -> Dataset:
        part = table.select(rows)
        return _named(
            ArrayDataset(
                preprocessing.transform(part),
                preprocessing.targets(part),
                batch_size=options.batch_size,
                shuffle=options.shuffle and training,
                seed=options.seed,
            ),
            preprocessing.class_names,
        )

    return Loaded(
        table.where,
        "table",
        preprocessing.task,
        dataset(kept, True),
        dataset(held, False) if held else None,
        None,
        preprocessing.class_names,
        preprocessing,
    )


def _target(table: Table) -> str:
    likely = [name for name in table.columns if name.lower() in _TARGET_NAMES]
    if len(likely) != 1:
        raise DataError(
            f"{table.where}: say which column to learn (target). "
            f"The columns are {', '.join(map(repr, table.columns))}."
        )
    return likely[0]


def _named(dataset: Dataset, class_names: tuple[str, ...] | None) -> Dataset:
    dataset.class_names = None if class_names is None else list(class_names)
    return dataset


def _load_arrays(source: ArraySource, options: _Options, natural_order: bool) -> Loaded:
    x_train, _ = source.parts["training"]
    labels, class_names = labels_as_classes(source)
    parts = {part: (x, labels[part]) for part, (x, _) in source.parts.items()}
    if options.validation is not None and "validation" not in parts:
        y = parts["training"][1]
        kept, held = split_rows(
            y if class_names else None, len(y), options.validation, options.seed
        )
        parts |= {"training": (x_train[kept], y[kept]), "validation": (x_train[held], y[held])}
    x, y = parts["training"]
    rows: Any = slice(options.limit) if natural_order else _limited(len(y), options)
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
        return _named(arrays, class_names).map(prepare)

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
    return preprocessing, _normalizer(preprocessing)


def _normalizer(preprocessing: ImagePreprocessing) -> Callable[..., Any]:
    def normalize(images: Array, labels: Array) -> tuple[Array, Array]:
        return preprocessing.normalize(images), labels

    return normalize


def _as_float(images: Array, labels: Array) -> tuple[Array, Array]:
    return images.astype(np.float32), labels

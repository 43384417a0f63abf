"""`load`: from a name or a path to data sets that a model can be trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pellucid.data._files import StrPath
from pellucid.data.array_source import read_arrays, source_kind
from pellucid.data.check_folder import scan_folder
from pellucid.data.csv_table import read_csv
from pellucid.data.load_arrays import load_arrays
from pellucid.data.load_folder import load_folder
from pellucid.data.load_table import load_table
from pellucid.data.loaded import Loaded, LoadOptions
from pellucid.data.report import Report
from pellucid.errors import ArgumentError, DataError

__all__ = ["load"]


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
    options = LoadOptions(limit, validation, batch_size, shuffle, seed)
    if kind == "csv":
        return load_table(read_csv(source), options, target, task, ignore)
    if kind == "image folder":
        scan = scan_folder(source, progress)
        if not scan.report.ok:
            _stop(scan.report, skip_unreadable)
        return load_folder(scan.report, scan.files, options, image_size, color_mode)
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
    return load_arrays(arrays, options, natural_order=kind == "known")


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

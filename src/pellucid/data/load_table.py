"""`load` for tables."""

from __future__ import annotations

from collections.abc import Collection

from pellucid.data.arrays import ArrayDataset
from pellucid.data.csv_table import Table
from pellucid.data.dataset import Dataset
from pellucid.data.loaded import Loaded, LoadOptions, limited, named
from pellucid.data.split import split_rows
from pellucid.data.table_preprocessing import TablePreprocessing
from pellucid.errors import DataError

__all__ = ["load_table"]

_TARGET_NAMES = ("target", "label", "class", "species", "y")


def load_table(
    table: Table,
    options: LoadOptions,
    target: str | None,
    task: str | None,
    ignore: Collection[str],
) -> Loaded:
    """Return the rows of a table, as `load` does."""
    target = target or _target(table)
    whole = TablePreprocessing.fit(table, target, task=task, ignore=ignore)
    labels = whole.targets(table)
    rows = range(len(table.rows))
    kept, held = list(rows), list[int]()
    if options.validation is not None:
        classes = labels if whole.class_names else None
        kept, held = split_rows(classes, len(rows), options.validation, options.seed)
    kept = [kept[index] for index in limited(len(kept), options)]
    # Statistics come from the training rows alone; the classes, from all of them.
    fitted = TablePreprocessing.fit(table.select(kept), target, task="regression", ignore=ignore)
    preprocessing = TablePreprocessing(fitted.columns, target, whole.task, whole.class_names)

    def dataset(rows: list[int], training: bool) -> Dataset:
        part = table.select(rows)
        return named(
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

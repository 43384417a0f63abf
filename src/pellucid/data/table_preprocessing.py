"""From the rows of a table to exactly the numbers a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data.csv_table import MISSING, Table, number
from pellucid.errors import ArgumentError, DataError, LoadError

__all__ = ["CategoryColumn", "NumberColumn", "TablePreprocessing", "learn_column", "learn_target"]

Array = np.ndarray[Any, Any]

TASKS = ("classification", "regression")
# Whole numbers with at most this many different values are taken for classes.
_MAX_INTEGER_CLASSES = 20
_MAX_CATEGORIES = 100
# From this share of numbers on, what is no number in a column is taken for a mistake.
_MOSTLY = 0.9
# More standard deviations than this are a mistake, and soon beyond what float32 holds.
_FARTHEST = 1e9


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: x = (value − mean) / std, both of the training rows."""

    name: str
    mean: float
    std: float

    @property
    def width(self) -> int:
        """How many numbers the column becomes."""
        return 1


@dataclass(frozen=True)
class CategoryColumn:
    """A column of names: one number for each known name, 1 where it is the cell's."""

    name: str
    categories: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many numbers the column becomes."""
        return len(self.categories)


@dataclass(frozen=True)
class TablePreprocessing:
    """What is done to a table before a model sees it; saved with the model.

    `fit` learns it from the training rows alone. A column in which every value is a number is
    standardised to mean 0 and standard deviation 1 (of the training rows); any other column
    becomes one number for each of its categories.

    A missing number (an empty cell, NA, NaN, null, none, ?, -) becomes the mean, which is 0 after
    standardising; a missing or unknown category becomes zeros in all its places. With
    `strict=True`, each of these is an error that names the line and the column.

    Args:
        columns: the columns the model sees, in order.
        target: the name of the column to predict.
        task: 'classification' or 'regression'.
        class_names: the classes, in the order of the model's outputs; None for regression.
        strict: whether missing numbers and missing or unknown categories are errors.
    """

    columns: tuple[NumberColumn | CategoryColumn, ...]
    target: str
    task: str
    class_names: tuple[str, ...] | None = None
    strict: bool = False

    @classmethod
    def fit(
        cls,
        table: Table,
        target: str,
        *,
        task: str | None = None,
        ignore: Collection[str] = (),
        strict: bool = False,
    ) -> TablePreprocessing:
        """Learn the preprocessing from the training rows.

        Args:
            table: the training rows.
            target: the name of the column to predict.
            task: 'classification' or 'regression'. By default, names are classes, and so are whole
                numbers of at most 20 different values; other numbers are regression.
            ignore: columns the model is not to see, such as names and numbers of rows.
            strict: whether missing numbers and missing or unknown categories are errors.

        Raises:
            ArgumentError: the task is unknown.
            DataError: a column does not exist, has no values, mixes numbers and words, or has so
                many categories that it must be an identifier.
        """
        for name in (target, *ignore):
            table.index(name)
        names = [name for name in table.columns if name != target and name not in ignore]
        if not names:
            raise DataError(f"{table.where}: no column is left to learn {target!r} from.")
        columns = tuple(learn_column(table, name, strict) for name in names)
        task, class_names = learn_target(table, target, task)
        return cls(columns, target, task, class_names, strict)

    @property
    def input_shape(self) -> tuple[int]:
        """The shape of one sample: (features,)."""
        return (sum(column.width for column in self.columns),)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each number the model sees, such as `age` and `colour=red`."""
        return tuple(
            name
            for column in self.columns
            for name in (
                [column.name]
                if isinstance(column, NumberColumn)
                else [f"{column.name}={category}" for category in column.categories]
            )
        )

    def transform(self, table: Table) -> Array:
        """Return the rows as the model wants them: float32 `(N, features)`.

        The target's column need not be there, and other columns are not looked at.

        Raises:
            DataError: a column is missing, a cell that should be a number is none, or a value is
                missing or unknown and the preprocessing is strict; line and column are named.
        """
        features = np.zeros((len(table.rows), *self.input_shape), np.float32)
        start = 0
        for column in self.columns:
            if isinstance(column, NumberColumn):
                features[:, start] = self._standardized(table, column)
            else:
                self._mark(table, column, features[:, start : start + column.width])
            start += column.width
        return features

    def targets(self, table: Table) -> Array:
        """Return what is to be predicted: int32 `(N,)` classes, or float32 `(N, 1)` numbers.

        Raises:
            DataError: a target is missing, unknown or no number; line and column are named.
        """
        cells = table.column(self.target)
        for row, cell in enumerate(cells):
            if cell.lower() in MISSING and cell not in (self.class_names or ()):
                raise DataError(f"{table.place(row, self.target)}: the value to learn is missing.")
        if self.class_names is None:
            values = []
            for row, cell in enumerate(cells):
                value = number(cell, table.decimal)
                if value is None:
                    raise DataError(
                        f"{table.place(row, self.target)}: expected a number, received {cell!r}."
                    )
                values.append(value)
            return np.asarray(values, np.float32)[:, None]
        places = {name: index for index, name in enumerate(self.class_names)}
        for row, cell in enumerate(cells):
            if cell not in places:
                raise DataError(
                    f"{table.place(row, self.target)}: expected one of the classes "
                    f"{_listed(self.class_names)}; received {cell!r}."
                )
        return np.asarray([places[cell] for cell in cells], np.int32)

    def _standardized(self, table: Table, column: NumberColumn) -> Array:
        values = []
        for row, cell in enumerate(table.column(column.name)):
            value = number(cell, table.decimal)
            if value is None and cell.lower() in MISSING and not self.strict:
                value = column.mean
            if value is None:
                raise DataError(
                    f"{table.place(row, column.name)}: expected a number, received "
                    f"{repr(cell) if cell else 'nothing'}."
                )
            values.append((value - column.mean) / column.std)
            if abs(values[-1]) > _FARTHEST:
                raise DataError(
                    f"{table.place(row, column.name)}: {cell} is {abs(values[-1]):.0e} standard "
                    f"deviations from the training rows' mean, {column.mean:g}; correct it."
                )
        return np.asarray(values, np.float32)

    def _mark(self, table: Table, column: CategoryColumn, places: Array) -> None:
        known = {category: index for index, category in enumerate(column.categories)}
        for row, cell in enumerate(table.column(column.name)):
            if cell in known:
                places[row, known[cell]] = 1
            elif self.strict:
                raise DataError(
                    f"{table.place(row, column.name)}: expected one of the categories seen in "
                    f"training ({_listed(column.categories)}), received {cell!r}."
                )

    def to_config(self) -> dict[str, Any]:
        """Return everything that was learned as plain JSON-able values."""
        return {
            "kind": "table",
            "columns": [
                {"name": column.name, "mean": column.mean, "std": column.std}
                if isinstance(column, NumberColumn)
                else {"name": column.name, "categories": list(column.categories)}
                for column in self.columns
            ],
            "target": self.target,
            "task": self.task,
            "class_names": None if self.class_names is None else list(self.class_names),
            "strict": self.strict,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TablePreprocessing:
        """Return the preprocessing that `to_config` described.

        Raises:
            LoadError: something is missing or impossible.
        """
        try:
            columns = tuple(_saved_column(column) for column in config["columns"])
            names = config["class_names"]
            class_names = None if names is None else tuple(str(name) for name in names)
            target, task, strict = str(config["target"]), config["task"], bool(config["strict"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LoadError(f"The saved table preprocessing cannot be used: {error!r}.") from error
        if config.get("kind") != "table" or task not in TASKS or not columns:
            raise LoadError("The saved table preprocessing cannot be used: it is incomplete.")
        if (class_names is None) != (task == "regression"):
            raise LoadError("The saved table preprocessing cannot be used: class_names and task.")
        return cls(columns, target, task, class_names, strict)


def _saved_column(config: Mapping[str, Any]) -> NumberColumn | CategoryColumn:
    name = str(config["name"])
    if "categories" in config:
        return CategoryColumn(name, tuple(str(category) for category in config["categories"]))
    mean, std = float(config["mean"]), float(config["std"])
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        raise ValueError(f"column {name!r} has mean {mean} and standard deviation {std}")
    return NumberColumn(name, mean, std)


def learn_column(table: Table, name: str, strict: bool = False) -> NumberColumn | CategoryColumn:
    """Return what is learned from one column of the training rows; see `TablePreprocessing`."""
    cells = table.column(name)
    known = [(row, cell) for row, cell in enumerate(cells) if cell.lower() not in MISSING]
    if not known:
        raise DataError(f"{table.where}: column {name!r} has no values. Leave it out: ignore it.")
    if strict and len(known) < len(cells):
        row = next(row for row, cell in enumerate(cells) if cell.lower() in MISSING)
        raise DataError(f"{table.place(row, name)}: the value is missing.")
    values = [(row, cell, number(cell, table.decimal)) for row, cell in known]
    numbers = [value for _, _, value in values if value is not None]
    if len(numbers) == len(values):
        mean, std = float(np.mean(numbers)), float(np.std(numbers))
        # A column that never changes says nothing; dividing by 1 leaves it at 0.
        return NumberColumn(name, mean, std if len(set(numbers)) > 1 and std > 0 else 1.0)
    if len(numbers) >= _MOSTLY * len(values):
        row, cell, _ = next(entry for entry in values if entry[2] is None)
        raise DataError(
            f"{table.place(row, name)}: expected a number as in the other rows, received {cell!r}. "
            "Correct it, or leave the cell empty."
        )
    categories = tuple(sorted({cell for _, cell in known}))
    if len(categories) > _MAX_CATEGORIES:
        raise DataError(
            f"{table.where}: column {name!r} has {len(categories)} different values in "
            f"{len(cells)} rows; expected at most {_MAX_CATEGORIES} categories. It looks like a "
            "name or an identifier, which says nothing about other rows: ignore it."
        )
    return CategoryColumn(name, categories)


def learn_target(
    table: Table, target: str, task: str | None = None
) -> tuple[str, tuple[str, ...] | None]:
    """Return the task that a target column sets and its classes, which are None for regression.

    Args:
        table: the training rows.
        target: the name of the column.
        task: 'classification' or 'regression', or None to tell it from the values.
    """
    if task not in (None, *TASKS):
        raise ArgumentError(f"Expected task as 'classification' or 'regression', got {task!r}.")
    task = task or _guess_task(table, target)
    return task, _classes(table, target) if task == "classification" else None


def _guess_task(table: Table, target: str) -> str:
    cells = [cell for cell in table.column(target) if cell.lower() not in MISSING]
    numbers = {number(cell, table.decimal) for cell in cells}
    whole = all(value is not None and value == int(value) for value in numbers)
    if None in numbers or (whole and len(numbers) <= _MAX_INTEGER_CLASSES):
        return "classification"
    return "regression"


def _classes(table: Table, target: str) -> tuple[str, ...]:
    names = {cell for cell in table.column(target) if cell.lower() not in MISSING}
    if len(names) < 2:
        raise DataError(
            f"{table.where}: the column to learn, {target!r}, has "
            f"{'one value only, ' + repr(next(iter(names))) if names else 'no values'}; "
            "expected at least two classes."
        )
    numbers = {name: number(name, table.decimal) for name in names}
    # Classes that are numbers are in the order of the numbers: 2 before 10.
    return tuple(sorted(names, key=lambda name: (numbers[name] is None, numbers[name] or 0, name)))


def _listed(names: tuple[str, ...], most: int = 8) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown + (f" … {len(names) - most} more" if len(names) > most else "")

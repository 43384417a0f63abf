"""`check`: looking at data before a model does."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pellucid.data._files import StrPath
from pellucid.data.array_source import ArraySource, read_arrays, source_kind
from pellucid.data.arrays import check_finite
from pellucid.data.check_folder import scan_folder, scan_image
from pellucid.data.csv_table import MISSING, Table, number, read_csv
from pellucid.data.report import ClassSummary, Problem, Report
from pellucid.data.table_preprocessing import learn_column, learn_target
from pellucid.errors import DataError

__all__ = ["check"]

Array = np.ndarray[Any, Any]


def check(
    path: StrPath,
    *,
    target: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Look through data before training: what is there, and what is wrong with it.

    Args:
        path: a folder of pictures, one picture, a CSV, NPZ or IDX file, a folder of MNIST's or
            CIFAR-10's files, or the name of a known data set.
        target: for a table, the column to learn; its classes are counted.
        progress: called with the number of files read and of all files, for folders.

    Returns:
        The report. Data that is broken is reported in it, not raised.

    Raises:
        DataError: there is nothing at the path, or it is of no kind that can be looked at.
    """
    kind = source_kind(path)
    if kind == "image folder":
        return scan_folder(path, progress).report
    if kind == "image":
        return _check_image(str(path))
    try:
        if kind == "csv":
            return _check_table(read_csv(path), target)
        return _check_arrays(read_arrays(path, kind), kind)
    except DataError as error:
        message = str(error).removeprefix(f"{path}: ")
        return Report(str(path), kind, {}, problems=(Problem("error", "corrupt", message),))


def _check_image(path: str) -> Report:
    scan = scan_image(path, class_name="")
    if scan.problem is not None and scan.problem != "image_without_ending":
        message = scan.message or "The file is empty."
        return Report(path, "image", {}, problems=(Problem("error", scan.problem, message),))
    facts: dict[str, Any] = {"format": scan.format}
    if scan.size is not None:
        facts["width × height"] = f"{scan.size[1]} × {scan.size[0]}"
        facts["colours"] = "grey" if scan.grey else "in colour"
    return Report(path, "image", facts)


def _check_table(table: Table, target: str | None) -> Report:
    facts: dict[str, Any] = {"rows": len(table.rows)}
    problems: list[Problem] = []
    for name in table.columns:
        cells = table.column(name)
        missing = [i for i, cell in enumerate(cells) if cell.lower() in MISSING]
        facts[f"column {name!r}"] = _describe_column(table, name)
        if missing:
            message = (
                f"Column {name!r} has no value in {len(missing)} of {len(cells)} rows; the mean "
                "(or no category) will stand in for it."
            )
            lines = tuple(f"line {table.lines[i]}" for i in missing)
            problems.append(Problem("warning", "missing_values", message, lines))
        if len(set(cells)) == 1:
            message = f"Column {name!r} is the same in every row: nothing can be learned from it."
            problems.append(Problem("note", "constant_column", message))
        try:
            learn_column(table, name)
        except DataError as error:
            if name != target:
                message = str(error).removeprefix(f"{table.where}: ")
                problems.append(Problem("error", "unusable_column", message))
    problems += _repeated_rows(table)
    classes: tuple[ClassSummary, ...] = ()
    if target is not None:
        _, names = learn_target(table, target)
        counts = Counter(table.column(target))
        classes = tuple(
            ClassSummary(index, name, {"rows": counts[name]})
            for index, name in enumerate(names or ())
        )
    return Report(table.where, "csv", facts, classes, tuple(problems))


def _describe_column(table: Table, name: str) -> str:
    cells = [cell for cell in table.column(name) if cell.lower() not in MISSING]
    numbers = [number(cell, table.decimal) for cell in cells]
    known = [value for value in numbers if value is not None]
    if known and len(known) == len(cells):
        return f"numbers, {min(known):g} to {max(known):g}"
    return f"words, {len(set(cells))} different"


def _repeated_rows(table: Table) -> Iterator[Problem]:
    first: dict[tuple[str, ...], int] = {}
    repeats = []
    for row, line in zip(table.rows, table.lines, strict=True):
        if row in first:
            repeats.append(f"line {line} = line {first[row]}")
        else:
            first[row] = line
    if repeats:
        message = (
            "Rows that are there more than once; a copy in the validation part makes the result "
            "look better than it is."
        )
        yield Problem("warning", "duplicate", message, tuple(repeats))


def _check_arrays(source: ArraySource, kind: str) -> Report:
    facts: dict[str, Any] = {}
    problems: list[Problem] = []
    counts: dict[str, Counter[str]] = {}
    for name, array in source.others.items():
        facts[name] = f"{array.shape} {array.dtype}"
    for part, (x, y) in source.parts.items():
        facts[f"{part} x"] = f"{x.shape} {x.dtype}"
        if y is not None:
            facts[f"{part} y"] = f"{y.shape} {y.dtype}"
            if y.dtype.kind in "iuUS":
                counts[part] = Counter(str(label) for label in y.ravel().tolist())
        problems += _part_problems(part, x, y)
    if kind == "npz" and "training" not in source.parts:
        message = "Expected arrays named x_train and y_train, or x and y; there are none."
        problems.append(Problem("error", "missing_arrays", message))
    problems += _repeated_samples(source)
    names = sorted({name for count in counts.values() for name in count}, key=_numbers_first)
    classes = tuple(
        ClassSummary(
            index,
            _class_name(source, name),
            {part: count[name] for part, count in counts.items()},
        )
        for index, name in enumerate(names)
    )
    shown = "known data set" if kind == "known" else kind
    return Report(source.where, shown, facts, classes, tuple(problems))


def _class_name(source: ArraySource, label: str) -> str:
    names = source.class_names or ()
    return names[int(label)] if label.isdigit() and int(label) < len(names) else label


def _numbers_first(name: str) -> tuple[bool, int, str]:
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)


def _part_problems(part: str, x: Array, y: Array | None) -> Iterator[Problem]:
    if y is None:
        yield Problem("error", "no_labels", f"The {part} part has x and no y.")
    elif len(x) != len(y):
        message = f"The {part} part has {len(x):,} samples and {len(y):,} labels."
        yield Problem("error", "lengths_differ", message)
    if x.size == 0:
        yield Problem("error", "empty", f"The {part} part is empty.")
    for name, array in (("x", x), ("y", y)):
        if array is not None:
            try:
                check_finite(array, name)
            except DataError as error:
                yield Problem("error", "not_finite", f"The {part} part: {error}")


def _repeated_samples(source: ArraySource) -> Iterator[Problem]:
    seen: dict[bytes, str] = {}
    repeats: list[str] = []
    leaks: list[str] = []
    for part, (x, _) in source.parts.items():
        for index, sample in enumerate(np.ascontiguousarray(x)):
            digest = hashlib.sha256(sample.tobytes()).digest()
            place = f"{part}[{index}]"
            if digest in seen:
                same = seen[digest].startswith(f"{part}[")
                (repeats if same else leaks).append(f"{place} = {seen[digest]}")
            else:
                seen[digest] = place
    if leaks:
        message = (
            "Samples that are in two parts: what is trained on must not be in validation or test."
        )
        yield Problem("warning", "same_sample_in_two_parts", message, tuple(leaks))
    if repeats:
        message = "Samples that are there more than once."
        yield Problem("note", "duplicate", message, tuple(repeats))

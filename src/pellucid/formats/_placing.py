"""Which entry of a file goes into which weight of a model, and putting it there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from pellucid.errors import LoadError
from pellucid.graph import Variable
from pellucid.ops._operation import Array

__all__ = ["Placed", "WeightTable", "fitting", "put"]


@dataclass(frozen=True)
class Placed:
    """An entry of a file, and the weight that it is for.

    Attributes:
        entry: What the file calls it.
        variable: The weight.
        array: Its new value.
        change: What was done to the entry to make it fit; "" for nothing.
    """

    entry: str
    variable: Variable
    array: Array
    change: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a `WeightTable`.

    Attributes:
        entry: What the file calls the numbers.
        weight: What the model calls them, such as `conv2d/kernel`.
        shape: The shape of the weight.
        change: What was done to them on the way: "(2, 3, 1, 0)" is a transposition; "" for nothing.
    """

    entry: str
    weight: str
    shape: tuple[int, ...]
    change: str


class WeightTable(Sequence[Row]):
    """What went where when weights were loaded: one row for each entry of the file.

    Printed, it is a table.

    Attributes:
        ignored: Entries of the file that say nothing about a weight, such as batch counters.
    """

    def __init__(self, placed: Sequence[Placed], ignored: Sequence[str] = ()) -> None:
        self._rows = [Row(p.entry, p.variable.path, p.variable.shape, p.change) for p in placed]
        self.ignored = tuple(ignored)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        cells = [("in the file", "in the model", "shape", "changed")]
        cells += [(r.entry, r.weight, str(r.shape), r.change) for r in self._rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        if self.ignored:
            lines.append(f"ignored: {', '.join(self.ignored)}")
        return "\n".join(lines)


def fitting(
    array: Array, variable: Variable, entry: str, where: str, skip_mismatch: bool = False
) -> Array | None:
    """Return the array if it can be the weight's value; None, with a warning, if it is skipped.

    Raises:
        LoadError: It has another shape, or does not hold floats.
    """
    problem = ""
    if array.shape != variable.shape:
        problem = (
            f"{where}: '{entry}' has shape {array.shape}; {variable.path} needs {variable.shape}."
        )
    elif array.dtype.kind != "f" and not (array.ndim == 0 and array.dtype.kind in "iu"):  # a count
        problem = (
            f"{where}: '{entry}' holds {array.dtype.name} numbers; {variable.path} needs floats."
        )
    if not problem:
        return array
    if not skip_mismatch:
        raise LoadError(problem)
    warnings.warn(f"{problem} It is left as it was.", stacklevel=5)
    return None


def put(placed: Sequence[Placed], where: str) -> None:
    """Give the weights their new values.

    Warns:
        UserWarning: Some of them are NaN or infinite.
    """
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is reported
        for one in placed:
            one.variable.assign(one.array)
    for variable in (one.variable for one in placed):
        count = int(np.count_nonzero(~np.isfinite(variable.value)))
        if count:
            warnings.warn(
                f"{where}: {count:,} of the {variable.size:,} numbers of {variable.path} "
                "are NaN or infinite.",
                stacklevel=4,
            )

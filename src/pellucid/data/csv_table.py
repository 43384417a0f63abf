"""Reading a CSV file as people save them: commas, semicolons or tabs, from any spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.data._files import StrPath, read_bytes
from pellucid.errors import DataError

__all__ = ["MISSING", "Table", "number", "read_csv"]

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""What stands for 'no value', whatever its case."""

_MAX_BYTES = 1 << 30
_DELIMITERS = ",;\t|"
# No text has these; a file of something else soon does.
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")
_LARGEST = 3.4e38
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Table:
    """A table of text: column names, rows, and the line of the file where each row ends."""

    where: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    decimal: str = "."

    def select(self, indices: Sequence[int]) -> Table:
        """Return a table of some of the rows."""
        return Table(
            self.where,
            self.columns,
            tuple(self.rows[index] for index in indices),
            tuple(self.lines[index] for index in indices),
            self.decimal,
        )

    def column(self, name: str) -> list[str]:
        """Return the cells of a column.

        Raises:
            DataError: there is no such column.
        """
        index = self.index(name)
        return [row[index] for row in self.rows]

    def index(self, name: str) -> int:
        """Return the place of a column, by name."""
        if name not in self.columns:
            raise DataError(
                f"{self.where}: there is no column {name!r}. "
                f"The columns are {', '.join(map(repr, self.columns))}."
            )
        return self.columns.index(name)

    def place(self, row: int, column: str) -> str:
        """Name a cell for an error: file, line and column."""
        return f"{self.where}, line {self.lines[row]}, column {column!r}"

    def number(self, row: int, column: str) -> float | None:
        """Return the number in a cell; None when it holds no number."""
        return number(self.rows[row][self.columns.index(column)], self.decimal)


def number(text: str, decimal: str = ".") -> float | None:
    """Return the number that a text is, else None; infinite is none, nor what float32 cannot hold.

    Example:
        >>> number("2.5"), number("2,5", decimal=","), number("inf"), number("red")
        (2.5, 2.5, None, None)
    """
    if decimal == "," and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < _LARGEST and "_" not in text else None


def read_csv(path: StrPath) -> Table:
    """Return the table in a CSV file whose first row names the columns.

    Commas, semicolons, tabs or bars separate the cells, whichever the first row holds most of;
    with semicolons, decimal commas are understood. The text is UTF-8, UTF-16 with its mark, or
    Windows-1252. Empty rows are left out, and columns without a name that hold nothing.

    Raises:
        DataError: the file cannot be read, is no text, holds no rows, a row has another number of
            cells than the first (the line is named), or two columns have the same name.
    """
    text = _decode(read_bytes(path, _MAX_BYTES), str(path))
    if not text.strip():
        raise DataError(f"{path}: the file is empty; expected a row of column names, then rows.")
    first = text.lstrip().splitlines()[0]
    delimiter = max(_DELIMITERS, key=first.count)
    cells: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                cells.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not CSV ({error}).") from error
    header, body = cells[0][1], cells[1:]
    if not body:
        raise DataError(f"{path}: there are column names and no rows.")
    for line, row in body:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: expected {len(header)} cells as in the first row, "
                f"received {len(row)}."
            )
    kept = _named_columns(header, [row for _, row in body], str(path))
    rows = tuple(tuple(row[index] for index in kept) for _, row in body)
    decimal = "," if delimiter != "," and _uses_decimal_commas(rows) else "."
    columns = tuple(header[index] for index in kept)
    return Table(str(path), columns, rows, tuple(line for line, _ in body), decimal)


def _decode(data: bytes, where: str) -> str:
    encodings = ["utf-8-sig", "cp1252"]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    raise DataError(f"{where}: expected a CSV file (text), received something else.")


def _named_columns(header: list[str], rows: list[list[str]], where: str) -> list[int]:
    kept = [index for index, name in enumerate(header) if name or any(row[index] for row in rows)]
    for index in kept:
        if not header[index]:
            raise DataError(f"{where}: column {index + 1} has no name in the first row.")
        if header.index(header[index]) != index:
            raise DataError(f"{where}: two columns are named {header[index]!r}.")
    if all(number(header[index]) is not None for index in kept):
        raise DataError(f"{where}: the first row holds numbers; expected the names of the columns.")
    return kept


def _uses_decimal_commas(rows: tuple[tuple[str, ...], ...]) -> bool:
    return any(_DECIMAL_COMMA.fullmatch(cell) for row in rows for cell in row)

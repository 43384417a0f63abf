"""A matrix turned on its side: squares of L × L numbers are turned in registers.

L vectors are loaded, log₂ L times halves of pairs of them are exchanged, and they are columns.
Floor: one load and one store for each L numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pellucid.compiler.ir import Address, Function, Index, Value

__all__ = ["transpose", "transpose_found"]


def transpose(
    f: Function, x: Address, x_row: int, y: Address, y_row: int, rows: int, columns: int
) -> None:
    """Write y[j, i] = x[i, j] for i < rows, j < columns."""

    def found(row: Index, column: Index, height: int, width: int) -> list[Value]:
        here = x + row * x_row + column
        return [here.load(i * x_row, width) for i in range(height)]

    transpose_found(f, found, y, y_row, rows, columns)


def transpose_found(
    f: Function,
    found: Callable[[Index, Index, int, int], list[Value]],
    y: Address,
    y_row: int,
    rows: int,
    columns: int,
) -> None:
    """Write y[j, i] = x[i, j]; `found` gives a vector of each row, from (row, column) on.

    It is told how many rows there are, and how many columns.
    """
    for row, height in _pieces(f, rows):
        for column, width in _pieces(f, columns):
            square = found(row, column, height, width)
            square += [f.zero()] * (f.lanes - height)
            for j, turned in enumerate(_turned(f, square)[:width]):
                y.store(turned, (column + j) * y_row + row, height)


def _pieces(f: Function, total: int) -> Iterator[tuple[Index, int]]:
    whole, rest = divmod(total, f.lanes)
    if whole:
        with f.each(whole) as i:
            yield i * f.lanes, f.lanes
    if rest:
        yield whole * f.lanes, rest


def _turned(f: Function, rows: list[Value]) -> list[Value]:
    lanes = f.lanes
    step = 1
    while step < lanes:
        for i in range(lanes):
            if i & step:
                continue
            a, b = rows[i], rows[i + step]
            rows[i] = f.shuffle(
                a, b, [k if not k & step else lanes + k - step for k in range(lanes)]
            )
            rows[i + step] = f.shuffle(
                a, b, [k + step if not k & step else lanes + k for k in range(lanes)]
            )
        step *= 2
    return rows

"""A matrix turned on its side: squares of L × L numbers are turned in registers.

L vectors are loaded, log₂ L times halves of pairs of them are exchanged, and they are columns.
Floor: one load and one store for each L numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.compiler.ir import Address, Function, Index

__all__ = ["transpose"]


def transpose(
    f: Function, x: Address, x_row: int, y: Address, y_row: int, rows: int, columns: int
) -> None:
    """Write y[j, i] = x[i, j] for i < rows, j < columns."""
    for row, height in _pieces(f, rows):
        for column, width in _pieces(f, columns):
            _square(
                f, x + row * x_row + column, x_row, y + column * y_row + row, y_row, height, width
            )


def _pieces(f: Function, total: int) -> Iterator[tuple[Index, int]]:
    whole, rest = divmod(total, f.lanes)
    if whole:
        with f.each(whole) as i:
            yield i * f.lanes, f.lanes
    if rest:
        yield whole * f.lanes, rest


def _square(
    f: Function, x: Address, x_row: int, y: Address, y_row: int, height: int, width: int
) -> None:
    lanes = f.lanes
    rows = [x.load(i * x_row, width) if i < height else f.zero() for i in range(lanes)]
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
    for j in range(width):
        y.store(rows[j], j * y_row, height)

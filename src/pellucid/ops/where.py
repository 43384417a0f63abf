"""Of two tensors the one or the other number, as a condition says.

    y = x0 where condition ≠ 0, else x1

| tensor            | shape                                          |
|-------------------|------------------------------------------------|
| condition, x0, x1 | the same, or 1 where they differ (`_merge.py`) |
| y                 | the shape that all spread to                   |

The number chosen has the gradient; the condition has none.

Source: the Array API standard, `where`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array, Case
from pellucid.ops._terms import Call, Cell, Expression


@dataclass(frozen=True)
class Where(Merge):
    """The one or the other number; the module's docstring has the formula."""

    name: ClassVar[str] = "where"
    inputs: ClassVar[tuple[str, ...]] = ("condition", "x0", "x1")
    constant: ClassVar[frozenset[str]] = frozenset({"condition"})
    variadic: ClassVar[bool] = False

    def output_dtype(self, *dtypes: str) -> str:
        """Return the type of the two tensors' numbers."""
        return super().output_dtype(*dtypes[1:])

    def merge(self, tensors: list[Array]) -> Array:
        """Choose."""
        condition, first, second = tensors
        return np.where(condition != 0, first, second)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy where the tensor was chosen."""
        share: Array = dy * ((tensors[0] != 0) == (i == 1))
        return share

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The number chosen."""
        return cells[1] if cells[0].value else cells[2]

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """A gate that is open if the number was chosen."""
        side = "condition ≠ 0" if i == 1 else "condition = 0"
        return Call(side, cells[:1], lambda condition: float((condition != 0) == (i == 1)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Conditions for each number, for rows, for channels; numbers for all."""
        for shapes in (((2, 3), (2, 3), (2, 3)), ((2, 1), (2, 3), (1, 3)), ((3,), (2, 3), (2, 1))):
            yield _case(cls(), shapes)


def _case(op: Where, shapes: tuple[tuple[int, ...], ...]) -> Case:
    def make(generator: np.random.Generator) -> tuple[Array | None, ...]:
        condition = generator.integers(0, 2, shapes[0])
        return (condition, *(generator.standard_normal(shape) for shape in shapes[1:]))

    return Case(op, shapes, make)

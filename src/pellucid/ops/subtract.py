"""The difference of two tensors, number by number.

    y = x0 − x1

| tensor | shape                                          |
|--------|------------------------------------------------|
| x0, x1 | the same, or 1 where they differ (`_merge.py`) |
| y      | the shape that both spread to                  |

∂L/∂x0 = dy, ∂L/∂x1 = −dy.

Source: Keras' Subtract layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array
from pellucid.ops._terms import Cell, Constant, Expression, Product, Sum


@dataclass(frozen=True)
class Subtract(Merge):
    """The difference of two tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "subtract"
    inputs: ClassVar[tuple[str, ...]] = ("x0", "x1")
    variadic: ClassVar[bool] = False

    def merge(self, tensors: list[Array]) -> Array:
        """Return x0 − x1."""
        first, second = tensors
        difference: Array = first - second
        return difference

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy for x0 and −dy for x1."""
        return dy if i == 0 else -dy

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The first number, less the second."""
        return Sum((cells[0], Product((Constant("−1", -1.0), cells[1]))))

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """Nothing for x0, −1 for x1."""
        return None if i == 0 else Constant("−1", -1.0)

"""The product of tensors, number by number.

    y = x0 · x1 · …

| tensor   | shape                                          |
|----------|------------------------------------------------|
| x0, x1 … | the same, or 1 where they differ (`_merge.py`) |
| y        | the shape that all spread to                   |

∂L/∂xᵢ = dy · the product of the others.

Source: Hu, Shen, Sun, "Squeeze-and-Excitation Networks", CVPR 2018 (channels scaled by gates).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array
from pellucid.ops._terms import Cell, Expression, Product


@dataclass(frozen=True)
class Multiply(Merge):
    """The product of tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "multiply"

    def merge(self, tensors: list[Array]) -> Array:
        """Return x0 · x1 · …."""
        return reduce(np.multiply, tensors)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy · the product of the others."""
        return reduce(np.multiply, [*tensors[:i], *tensors[i + 1 :]], dy)

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The numbers, multiplied."""
        return Product(cells)

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """The other numbers, multiplied."""
        return Product([*cells[:i], *cells[i + 1 :]])

"""The sum of tensors, number by number.

    y = x0 + x1 + …

| tensor   | shape                                                    |
|----------|----------------------------------------------------------|
| x0, x1 … | the same, or 1 where they differ (`_merge.py`)           |
| y        | the shape that all spread to                             |

Every tensor gets the gradient as it comes: ∂L/∂xᵢ = dy.

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (the residual
connection).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array
from pellucid.ops._terms import Cell, Expression, Sum


@dataclass(frozen=True)
class Add(Merge):
    """The sum of tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "add"

    def merge(self, tensors: list[Array]) -> Array:
        """Return x0 + x1 + …."""
        return reduce(np.add, tensors)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy."""
        return dy

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The numbers, added up."""
        return Sum(cells)

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """Nothing: dy as it comes."""
        return None

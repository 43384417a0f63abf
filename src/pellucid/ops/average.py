"""The mean of tensors, number by number.

    y = (x0 + x1 + …) / k        for k tensors

| tensor   | shape                                          |
|----------|------------------------------------------------|
| x0, x1 … | the same, or 1 where they differ (`_merge.py`) |
| y        | the shape that all spread to                   |

∂L/∂xᵢ = dy / k.

Source: Keras' Average layer; averaging several networks' outputs: Hansen, Salamon, "Neural Network
Ensembles", IEEE Transactions on Pattern Analysis and Machine Intelligence 12(10), 1990.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array
from pellucid.ops._terms import Cell, Constant, Expression, Product, Sum


@dataclass(frozen=True)
class Average(Merge):
    """The mean of tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "average"

    def merge(self, tensors: list[Array]) -> Array:
        """Return (x0 + x1 + …) / k."""
        mean: Array = reduce(np.add, tensors) / len(tensors)
        return mean

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy / k."""
        share: Array = dy / len(tensors)
        return share

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The numbers, added up and divided by how many there are."""
        return Product((Constant("1/k", 1 / len(cells)), Sum(cells)))

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """1/k."""
        return Constant("1/k", 1 / len(cells))

"""The largest of tensors, number by number.

    y = max(x0, x1, …)

| tensor   | shape                                          |
|----------|------------------------------------------------|
| x0, x1 … | the same, or 1 where they differ (`_merge.py`) |
| y        | the shape that all spread to                   |

∂L/∂xᵢ = dy where xᵢ wins, else 0. Among equals the first tensor wins, and has all of the gradient.

Source: Goodfellow, Warde-Farley, Mirza, Courville, Bengio, "Maxout Networks", ICML 2013.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array
from pellucid.ops._terms import Call, Cell, Expression
from pellucid.ops._terms import Maximum as Largest


@dataclass(frozen=True)
class Maximum(Merge):
    """The largest of tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "maximum"

    def merge(self, tensors: list[Array]) -> Array:
        """Return max(x0, x1, …)."""
        return reduce(np.maximum, tensors)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy where x[i] is the first that is as large as y."""
        return dy * first_equal(i, y, tensors)

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The numbers, of which the largest wins."""
        return Largest(cells)

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """1 if the number wins, else 0."""
        return Call(
            f"x{i} is the largest", cells, lambda *values: float(values.index(max(values)) == i)
        )


def first_equal(i: int, y: Array, tensors: list[Array]) -> Array:
    """Return where tensors[i] is y and none before it is."""
    wins: Array = tensors[i] == y
    for earlier in tensors[:i]:
        wins = wins & (earlier != y)
    return wins

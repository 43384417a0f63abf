"""The smallest of tensors, number by number.

    y = min(x0, x1, …)

| tensor   | shape                                          |
|----------|------------------------------------------------|
| x0, x1 … | the same, or 1 where they differ (`_merge.py`) |
| y        | the shape that all spread to                   |

∂L/∂xᵢ = dy where xᵢ wins, else 0. Among equals the first tensor wins, and has all of the gradient.

Source: Keras' Minimum layer; the counterpart of the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array
from pellucid.ops._terms import Call, Cell, Expression
from pellucid.ops.maximum import first_equal


@dataclass(frozen=True)
class Minimum(Merge):
    """The smallest of tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "minimum"

    def merge(self, tensors: list[Array]) -> Array:
        """Return min(x0, x1, …)."""
        return reduce(np.minimum, tensors)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy where x[i] is the first that is as small as y."""
        return dy * first_equal(i, y, tensors)

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The numbers, of which the smallest wins."""
        return Call("min", cells, lambda *values: min(values))

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """1 if the number wins, else 0."""
        return Call(
            f"x{i} is the smallest", cells, lambda *values: float(values.index(min(values)) == i)
        )

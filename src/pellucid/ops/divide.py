"""The quotient of two tensors, number by number.

    y = x0 / x1

| tensor | shape                                          |
|--------|------------------------------------------------|
| x0, x1 | the same, or 1 where they differ (`_merge.py`) |
| y      | the shape that both spread to                  |

∂L/∂x0 = dy / x1, ∂L/∂x1 = −dy · x0 / x1². Whole numbers make fractions, as in Python.

Source: the Array API standard, `divide`; IEEE 754 for x / 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge, away_from_zero
from pellucid.ops._operation import Array, Case
from pellucid.ops._terms import Call, Cell, Expression


@dataclass(frozen=True)
class Divide(Merge):
    """The quotient of two tensors; the module's docstring has the formula."""

    name: ClassVar[str] = "divide"
    inputs: ClassVar[tuple[str, ...]] = ("x0", "x1")
    variadic: ClassVar[bool] = False

    def merge(self, tensors: list[Array]) -> Array:
        """Return x0 / x1."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.true_divide(*tensors)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy / x1 for x0 and −dy · y / x1 for x1."""
        share: Array = dy / tensors[1] if i == 0 else -dy * y / tensors[1]
        return share

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The first number, divided by the second."""
        return Call("x0 / x1", cells, _quotient)

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """1 / x1 for x0, −x0 / x1² for x1."""
        if i == 0:
            return Call("1 / x1", cells[1:], lambda x1: _quotient(1.0, x1))
        return Call("−x0 / x1²", cells, lambda x0, x1: -_quotient(_quotient(x0, x1), x1))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Those of all merges, with divisors away from 0."""
        for case in super().cases():
            yield away_from_zero(case)


def _quotient(x0: float, x1: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return float(np.float64(x0) / np.float64(x1))

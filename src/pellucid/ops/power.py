"""One tensor to the power of another, number by number.

    y = x0 ^ x1

| tensor | shape                                          |
|--------|------------------------------------------------|
| x0, x1 | the same, or 1 where they differ (`_merge.py`) |
| y      | the shape that both spread to                  |

∂L/∂x0 = dy · x1 · x0^(x1 − 1), ∂L/∂x1 = dy · y · log(x0), which is 0 where x0 ≤ 0: there the power
is not a smooth function of x1.

Source: the Array API standard, `pow`; IEEE 754-2008, section 9.2, for what is no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.ops._merge import Merge, positive
from pellucid.ops._operation import Array, Case
from pellucid.ops._terms import Call, Cell, Expression


@dataclass(frozen=True)
class Power(Merge):
    """One tensor to the power of another; the module's docstring has the formula."""

    name: ClassVar[str] = "power"
    inputs: ClassVar[tuple[str, ...]] = ("x0", "x1")
    variadic: ClassVar[bool] = False

    def merge(self, tensors: list[Array]) -> Array:
        """Return x0 ^ x1."""
        return _power(*tensors)

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return dy · x1 · x0^(x1 − 1) for x0 and dy · y · log(x0) for x1."""
        share: Array = dy * (_base_slope(*tensors) if i == 0 else _exponent_slope(*tensors))
        return share

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The first number to the power of the second."""
        return Call("x0 ^ x1", cells, _of_numbers(_power))

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """x1 · x0^(x1 − 1) for x0, x0^x1 · log(x0) for x1."""
        if i == 0:
            return Call("x1 · x0^(x1 − 1)", cells, _of_numbers(_base_slope))
        return Call("x0^x1 · log(x0)", cells, _of_numbers(_exponent_slope))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Those of all merges, of positive numbers."""
        for case in super().cases():
            yield positive(case)


def _power(x0: Array, x1: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y: Array = np.power(x0, x1)
        return y


def _base_slope(x0: Array, x1: Array) -> Array:
    slope: Array = np.where(x1 == 0, np.zeros_like(x0), x1 * _power(x0, x1 - 1))
    return slope


def _exponent_slope(x0: Array, x1: Array) -> Array:
    rising = np.where(x0 > 0, x0, np.ones_like(x0))
    slope: Array = _power(rising, x1) * np.log(rising) * (x0 > 0)
    return slope


def _of_numbers(function: Callable[[Array, Array], Array]) -> Callable[[float, float], float]:
    return lambda x0, x1: float(function(np.asarray(x0), np.asarray(x1)))

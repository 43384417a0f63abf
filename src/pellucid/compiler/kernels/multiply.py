"""The product of tensors; `_merge.py` has the loops."""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value

__all__ = ["backward", "forward", "refusal"]


def _share(f: Function, i: int, dy: Value, y: Value, xs: list[Value]) -> Value:
    """Multiply dy by all others: dividing the product by one of them would fail at 0."""
    return reduce(mul, (x for k, x in enumerate(xs) if k != i), dy)


_RULE = Rule(lambda f, xs: reduce(mul, xs), _share, "others")
forward, backward = _RULE.forward, _RULE.backward

"""The product of tensors; `_merge.py` has the loops."""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, merge_backward, merge_forward, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


def _share(f: Function, i: int, dy: Value, y: Value, xs: list[Value]) -> Value:
    """Dy times all others: a product that leaves one out, as dividing by it would fail at 0."""
    return reduce(mul, (x for k, x in enumerate(xs) if k != i), dy)


_RULE = Rule(lambda f, xs: reduce(mul, xs), _share, "others")


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    merge_forward(b, group, _RULE)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    merge_backward(b, group, _RULE)

"""The mean of tensors; `_merge.py` has the loops."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, merge_backward, merge_forward, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


def _merge(f: Function, xs: list[Value]) -> Value:
    return reduce(add, xs) * (1 / len(xs))


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    merge_forward(b, group, _rule(group))


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    merge_backward(b, group, _rule(group))


def _rule(group: Group) -> Rule:
    share = 1 / len(group.node.inputs)
    return Rule(_merge, lambda f, i, dy, y, xs: dy * share, "nothing")

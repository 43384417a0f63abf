"""The mean of tensors; `_merge.py` has the loops."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


def _merge(f: Function, xs: list[Value]) -> Value:
    return reduce(add, xs) * (1 / len(xs))


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    _rule(group).forward(b, group)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    _rule(group).backward(b, group)


def _rule(group: Group) -> Rule:
    share = 1 / len(group.node.inputs)
    return Rule(_merge, lambda f, i, dy, y, xs: dy * share, "nothing")

"""The quotient of two tensors; `_merge.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, merge_backward, merge_forward, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


def _share(f: Function, i: int, dy: Value, y: Value, xs: list[Value]) -> Value:
    """Dy / x1, and −dy · y / x1."""
    return (0.0 - dy) * y / xs[1] if i else dy / xs[1]


_RULE = Rule(lambda f, xs: xs[0] / xs[1], _share)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    merge_forward(b, group, _RULE)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    merge_backward(b, group, _RULE)

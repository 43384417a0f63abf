"""The difference of two tensors; `_merge.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, merge_backward, merge_forward, refusal

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


_RULE = Rule(lambda f, xs: xs[0] - xs[1], lambda f, i, dy, y, xs: 0.0 - dy if i else dy, "nothing")


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    merge_forward(b, group, _RULE)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    merge_backward(b, group, _RULE)

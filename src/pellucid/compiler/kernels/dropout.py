"""Dropout: a product with the mask, spread over the image or not; `_merge.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, refusal

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


def _scale(group: Group) -> float:
    rate = group.op.rate
    return 0.0 if rate == 1 else 1 / (1 - rate)


def _rule(group: Group) -> Rule:
    scale = _scale(group)
    return Rule(
        lambda f, xs: xs[0] * xs[1] * scale, lambda f, i, dy, y, xs: dy * xs[1] * scale, "others"
    )


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    _rule(group).forward(b, group)


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy · mask · scale."""
    _rule(group).backward(b, group)

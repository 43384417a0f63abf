"""Dropout: a product with the mask. Floor: two loads and a store for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._elementwise import elementwise

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    x, mask = node.inputs
    same = x is not None and mask is not None and x.shape[1:] == mask.shape[1:]
    return None if same else "dropout with a mask of another shape"


def _scale(group: Group) -> float:
    rate = group.op.rate
    return 0.0 if rate == 1 else 1 / (1 - rate)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, mask = (b.place(value) for value in group.node.inputs)
    scale = _scale(group)
    elementwise(
        b, group.layer, ("dropout", scale), [x, mask], b.place(group.output),
        lambda f, value, kept: value * kept * scale,
    )  # fmt: skip


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy · mask · scale."""
    if not b.wants(group.node.inputs[0]):
        return
    dx, add = b.claim(group.node.inputs[0])
    mask, scale = b.place(group.node.inputs[1]), _scale(group)
    elementwise(
        b, group.layer, ("dropout", scale), [b.gradient(group.output), mask], dx,
        lambda f, value, kept: value * kept * scale, add=add,
    )  # fmt: skip

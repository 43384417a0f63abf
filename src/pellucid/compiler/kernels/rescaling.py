"""Rescaling by one factor and one offset. Floor: a load and a store for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.compiler.kernels._elementwise import elementwise

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    several = isinstance(op.scale, tuple) or isinstance(op.offset, tuple)
    return "rescaling by channel" if several else None


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    scale, offset = group.op.scale, group.op.offset
    elementwise(
        b, group.layer, ("rescaling", scale, offset), [b.place(group.node.inputs[0])],
        b.place(group.output), lambda f, x: f.fma(x, f.splat(float(scale)), f.splat(float(offset))),
    )  # fmt: skip


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy · scale."""
    if b.wants(group.node.inputs[0]):
        dx, add = b.claim(group.node.inputs[0])
        scale = float(group.op.scale)
        elementwise(
            b, group.layer, ("rescaling_gradient", scale), [b.gradient(group.output)], dx,
            lambda f, dy: dy * scale, add=add,
        )  # fmt: skip

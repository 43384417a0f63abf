"""Depth to space; `_blocks.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._blocks import move_blocks

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward"]


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    move_blocks(b, group, b.place(group.node.inputs[0]), b.place(group.output), outward=True)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    x = group.node.inputs[0]
    if b.wants(x):
        dx, add = b.claim(x)
        move_blocks(b, group, dx, b.gradient(group.output), outward=False, add=add)

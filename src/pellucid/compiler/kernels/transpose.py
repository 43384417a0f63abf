"""Another order of a sample's axes; `_strided.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._strided import Steps, move, own_steps

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    return None if node.op.batched else "transpose that moves the batch"


def _turned(group: Group, place: Place) -> Steps:
    """How far x (or its gradient) moves along the axes of y."""
    steps = own_steps(place)
    return tuple(steps[axis - 1] for axis in group.op.axes[1:])


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    move(b, group, y.shape, (x, 0, _turned(group, x)), (y, 0, own_steps(y)))


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    source = group.node.inputs[0]
    if b.wants(source):
        dy, (dx, add) = b.gradient(group.output), b.claim(source)
        move(b, group, dy.shape, (dy, 0, own_steps(dy)), (dx, 0, _turned(group, dx)), add=add)

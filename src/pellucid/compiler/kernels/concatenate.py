"""Tensors side by side along an axis; `_strided.py` has the loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pellucid.compiler.kernels._strided import Steps, move, own_steps

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.graph import Node, Value

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    if op.axis % len(node.output.shape) == 0:
        return "concatenate along the batch"
    if any(value is not None and 0 in value.shape for value in node.inputs):
        return "concatenate of a tensor without numbers"
    weight = any(value is not None and value.variable is not None for value in node.inputs)
    return "concatenate of a weight" if weight else None


def _parts(group: Group, whole: Place) -> Iterator[tuple[Value, tuple[Place, int, Steps]]]:
    """Yield each tensor, and where in the whole it is."""
    axis = group.op.axis % len(group.output.shape) - 1
    steps = own_steps(whole)
    begin = 0
    for value in group.node.inputs:
        assert value is not None
        yield value, (whole, begin * steps[axis], steps)
        begin += value.shape[axis + 1] or 0


def forward(b: Builder, group: Group) -> None:
    """Add a job for each tensor."""
    for value, target in _parts(group, b.place(group.output)):
        part = b.place(value)
        move(b, group, part.shape, (part, 0, own_steps(part)), target)


def backward(b: Builder, group: Group) -> None:
    """Add a job for each tensor."""
    for value, source in _parts(group, b.gradient(group.output)):
        if b.wants(value):
            dx, add = b.claim(value)
            move(b, group, dx.shape, source, (dx, 0, own_steps(dx)), add=add)

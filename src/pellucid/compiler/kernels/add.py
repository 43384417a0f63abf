"""The sum of tensors of one shape. Floor: a load for each number of each tensor, and one store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function
from pellucid.compiler.schedule import cells, parts_of_cells, span_of

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    shapes = {value.shape for value in node.inputs if value is not None}
    if len(shapes) > 1:
        return "add of different shapes"
    weight = any(value is not None and value.variable is not None for value in node.inputs)
    return "add of a weight" if weight else None


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    parts = [b.place(value) for value in group.node.inputs]
    y = b.place(group.output)
    pieces = 1 if b.training else parts_of_cells(y, *parts)

    def emit(f: Function) -> None:
        *sources, target = f.arguments[: len(parts) + 1]
        for offsets, n in cells(f, y, *parts, span=span_of(f, pieces)):
            values = [source.load(i, n) for source, i in zip(sources, offsets[1:], strict=True)]
            total = values[0]
            for value in values[1:]:
                total = total + value
            target.store(total, offsets[0], n)

    key = ("add", y.layout, *(part.layout for part in parts))
    b.schedule.add(group.layer, key, "sample", [*parts, y], [y], emit, parts=pieces)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass: every tensor gets dy."""
    dy = b.gradient(group.output)
    for value in group.node.inputs:
        if b.wants(value):
            dx, add = b.claim(value)
            b.copy(group.layer, dy, dx, add=add)

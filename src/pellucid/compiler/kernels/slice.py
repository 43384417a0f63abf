"""A part of every sample; `_strided.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._strided import Steps, move, own_steps
from pellucid.ops.slice import Slice

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op = node.op
    assert isinstance(op, Slice)
    whole = not op.starts or (
        op.starts[0] in (None, 0) and op.stops[0] is None and op.steps[0] == 1
    )
    if not whole:
        return "a slice of the batch"
    return "a slice without numbers" if 0 in node.output.shape else None


def _part(group: Group, place: Place) -> tuple[Place, int, Steps]:
    """Where the part begins in x (or its gradient), and how far it moves along each axis."""
    begin, steps = 0, list(own_steps(place))
    op = group.op
    named = zip(op.starts[1:], op.stops[1:], op.steps[1:], strict=True)
    for axis, bounds in enumerate(named):
        reach = range(*slice(*bounds).indices(place.shape[axis]))
        begin += reach.start * steps[axis]
        steps[axis] *= reach.step
    return place, begin, tuple(steps)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    move(b, group, y.shape, _part(group, x), (y, 0, own_steps(y)))


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    source = group.node.inputs[0]
    if b.wants(source):
        dy, (dx, add) = b.gradient(group.output), b.claim(source)
        target = _part(group, dx)
        move(b, group, dy.shape, (dy, 0, own_steps(dy)), target, add=add, among_zeros=not add)

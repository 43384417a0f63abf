"""Tensors side by side along the last axis. Floor: a load and a store for each number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Function, vectors_over

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    rank = len(node.output.shape)
    last = op.axis in (-1, rank - 1) and rank > 1
    weight = any(value is not None and value.variable is not None for value in node.inputs)
    return None if last and not weight else "concatenate along another axis than the last"


def _move(
    b: Builder,
    group: Group,
    source: Place,
    target: Place,
    count: int,
    skip: tuple[int, int],
    add: bool,
) -> None:
    """Add the job that moves `count` numbers of every row, `skip` numbers into each side's rows."""
    image = len(source.shape) == 3 and len(target.shape) == 3
    height = source.shape[0] if image else 1
    columns = source.shape[1] if image else math.prod(source.shape[:-1])
    from_row = source.row if image else 0
    to_row = target.row if image else 0
    from_step, to_step = source.shape[-1], target.shape[-1]

    def emit(f: Function) -> None:
        x, y = f.arguments
        with f.each(height) as r, f.each(columns) as c:
            here = x + r * from_row + c * from_step + skip[0]
            there = y + r * to_row + c * to_step + skip[1]
            for i, n in vectors_over(f, count):
                value = here.load(i, n)
                there.store(value + there.load(i, n) if add else value, i, n)

    key = ("side_by_side", source.layout, target.layout, count, skip, add)
    b.schedule.add(group.layer, key, "sample", [source, target], [target], emit)


def forward(b: Builder, group: Group) -> None:
    """Add a job for each tensor."""
    y = b.place(group.output)
    begin = 0
    for value in group.node.inputs:
        part = b.place(value)
        assert value is not None
        width = value.shape[-1] or 0
        _move(b, group, part, y, width, (0, begin), False)
        begin += width


def backward(b: Builder, group: Group) -> None:
    """Add a job for each tensor."""
    dy = b.gradient(group.output)
    begin = 0
    for value in group.node.inputs:
        assert value is not None
        width = value.shape[-1] or 0
        if b.wants(value):
            dx, add = b.claim(value)
            _move(b, group, dy, dx, width, (begin, 0), add)
        begin += width

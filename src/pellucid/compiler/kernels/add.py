"""The sum of tensors: of one shape by itself, spread to each other by `_merge.py`.

Floor: a load for each number of each tensor, and one store.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function
from pellucid.compiler.ir import Value as Number
from pellucid.compiler.kernels._merge import Rule, refusal
from pellucid.compiler.spans import cells, parts_of_cells, span_of

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward", "refusal"]


def _merge(f: Function, xs: list[Number]) -> Number:
    return reduce(operator.add, xs)


_SPREAD = Rule(_merge, lambda f, i, dy, y, xs: dy, "nothing")


def _is_spread(group: Group) -> bool:
    shapes = {value.shape for value in group.node.inputs if value is not None}
    weights = any(value is not None and value.variable for value in group.node.inputs)
    return len(shapes) > 1 or weights


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    if _is_spread(group):
        _SPREAD.forward(b, group)
        return
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
    if _is_spread(group):
        _SPREAD.backward(b, group)
        return
    dy = b.gradient(group.output)
    for value in group.node.inputs:
        if b.wants(value):
            dx, add = b.claim(value)
            b.copy(group.layer, dy, dx, add=add)

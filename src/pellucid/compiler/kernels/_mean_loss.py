"""Losses that are a mean over the last axis: one formula and its slope make both passes.

Floor: two loads for each number forward, two and a store backward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Index, Value, vectors_over

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["mean_backward", "mean_forward"]

Formula = Callable[[Function, Value, Value], Value]
"""(f, prediction, target) → loss or slope of each number."""


def _sizes(group: Group) -> tuple[int, int]:
    prediction = group.node.inputs[0]
    assert prediction is not None
    *outer, last = (n or 0 for n in prediction.shape[1:])
    return math.prod(outer), last


def mean_forward(b: Builder, group: Group, loss: Formula) -> None:
    """Add the job of the forward pass."""
    rows, size = _sizes(group)
    x, t, y = b.place(group.node.inputs[0]), b.place(group.node.inputs[1]), b.place(group.output)

    def emit(f: Function) -> None:
        prediction, target, losses = f.arguments
        whole, rest = divmod(size, f.lanes)
        with f.each(rows) as r:

            def step(i: Index, n: int | None, acc: Value, r: Index = r) -> Value:
                place = r * size + i
                found = loss(f, prediction.load(place, n), target.load(place, n))
                return acc + (found if n is None else f.select(f.first_lanes(n), found, 0.0))

            total = f.zero()
            if whole:
                (total,) = f.carry(whole, [total], lambda i, acc: [step(i * f.lanes, None, acc[0])])
            if rest:
                total = step(whole * f.lanes, rest, total)
            losses.put(f.sum(total) * (1 / size), r)

    key = (group.op.name, group.op, rows, size)
    b.schedule.add(group.layer or "loss", key, "sample", [x, t, y], [y], emit)


def mean_backward(b: Builder, group: Group, slope: Formula) -> None:
    """Add the job dx = dy / K · slope."""
    if not b.wants(group.node.inputs[0]):
        return
    rows, size = _sizes(group)
    x, t = b.place(group.node.inputs[0]), b.place(group.node.inputs[1])
    dy = b.gradient(group.output)
    dx, add = b.claim(group.node.inputs[0])

    def emit(f: Function) -> None:
        prediction, target, gradient, result = f.arguments
        with f.each(rows) as r:
            share = f.splat(gradient.get(r) * (1 / size))
            for i, n in vectors_over(f, size):
                place = r * size + i
                value = slope(f, prediction.load(place, n), target.load(place, n)) * share
                result.store(value + result.load(place, n) if add else value, place, n)

    key = (f"{group.op.name}_gradient", group.op, rows, size, add)
    b.schedule.add(group.layer or "loss", key, "sample", [x, t, dy, dx], [dx], emit)

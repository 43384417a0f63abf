"""Max pooling by itself: where it cannot be fused with the convolution before it.

One output vector at a time: the window's vectors are compared in order, the first of equals wins.
Backward finds the winner again from x and adds dy there; where windows overlap, a cell may win in
several. Floor: a load for each tap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.kernels._windows import clear, parts_of_windows, positions
from pellucid.compiler.spans import span_of
from pellucid.ops.max_pool2d import MaxPool2D

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node
    from pellucid.ops._window import Windows

__all__ = ["backward", "forward", "refusal"]

MOST_TAPS = 1024
"""Each tap is code of its own, and beyond this LLVM takes minutes for it."""


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    assert isinstance(node.op, MaxPool2D)
    if math.prod(node.op.pool_size) > MOST_TAPS:
        return f"windows of more than {MOST_TAPS} cells"
    return None


def windows_of(group: Group) -> Windows:
    """Return the pooling's windows over its input."""
    x = group.node.inputs[0]
    assert x is not None
    found: Windows = group.op._windows(x.shape)
    return found


def _better(new: Value, best: Value) -> Value:
    """Whether the new number wins: it is larger, or NaN."""
    return (new > best) | new.differs(new)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    windows = windows_of(group)
    parts = 1 if b.training else parts_of_windows(windows, y.shape[2])

    def emit(f: Function) -> None:
        source, target = f.arguments[:2]
        for [(in_x, taps)], in_y, n in positions(f, windows, y, x, span=span_of(f, parts)):
            here = source + in_x
            best = here.load(taps[0], n)
            for tap in taps[1:]:
                new = here.load(tap, n)
                best = f.select(_better(new, best), new, best)
            target.store(best, in_y, n)

    key = ("max_pool2d", windows, x.layout, y.layout)
    b.schedule.add(group.layer, key, "sample", [x, y], [y], emit, parts=parts)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    if not b.wants(group.node.inputs[0]):
        return
    x, dy = b.place(group.node.inputs[0]), b.gradient(group.output)
    dx, add = b.claim(group.node.inputs[0])
    windows = windows_of(group)

    def emit(f: Function) -> None:
        source, gradient, target = f.arguments
        if not add:
            clear(f, dx, target)
        for [(in_x, taps), (in_dx, targets)], in_y, n in positions(f, windows, dy, x, dx):
            here, there = source + in_x, target + in_dx
            best = here.load(taps[0], n)
            place = f.constant(0, f"<{f.lanes} x i32>")
            for k, tap in enumerate(taps[1:], 1):
                new = here.load(tap, n)
                better = _better(new, best)
                best = f.select(better, new, best)
                place = f.select(better, f.constant(k, place.type), place)
            value = gradient.load(in_y, n)
            for k, tap in enumerate(targets):
                share = f.select(place.equals(k), value, 0.0)
                there.store(there.load(tap, n) + share, tap, n)

    key = ("max_pool2d_gradient", windows, x.layout, dy.layout, dx.layout, add)
    b.schedule.add(group.layer, key, "sample", [x, dy, dx], [dx], emit)

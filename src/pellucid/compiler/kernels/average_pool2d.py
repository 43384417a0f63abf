"""Average pooling by itself: where it cannot be fused with the convolution before it.

One output vector at a time, summed over the taps inside the image. Floor: a load for each tap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function
from pellucid.compiler.kernels._windows import clear, parts_of_windows, positions
from pellucid.compiler.kernels.max_pool2d import MOST_TAPS, windows_of
from pellucid.compiler.spans import span_of
from pellucid.ops.average_pool2d import AveragePool2D

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    x, op = node.inputs[0], node.op
    assert isinstance(op, AveragePool2D)
    assert x is not None
    windows = op._windows(x.shape)
    hangs_over = windows.rows.overhang or windows.columns.overhang
    if math.prod(op.pool_size) > MOST_TAPS:
        return f"windows of more than {MOST_TAPS} cells"
    if op.count_include_padding and hangs_over:
        return "padding that counts, and windows that hang over it"
    return None


def _share(group: Group, taps: int) -> float:
    """Return 1/count of a window with so many taps inside."""
    op = group.op
    height, width = op.pool_size
    whole = op.count_include_padding
    return 1 / (height * width if whole else taps)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    windows = windows_of(group)
    parts = 1 if b.training else parts_of_windows(windows, y.shape[2])

    def emit(f: Function) -> None:
        source, target = f.arguments[:2]
        for [(in_x, taps)], in_y, n in positions(f, windows, y, x, span=span_of(f, parts)):
            here = source + in_x
            total = here.load(taps[0], n)
            for tap in taps[1:]:
                total = total + here.load(tap, n)
            target.store(total * _share(group, len(taps)), in_y, n)

    key = ("average_pool2d", group.op, windows, x.layout, y.layout)
    b.schedule.add(group.layer, key, "sample", [x, y], [y], emit, parts=parts)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    if not b.wants(group.node.inputs[0]):
        return
    dy = b.gradient(group.output)
    dx, add = b.claim(group.node.inputs[0])
    windows = windows_of(group)

    def emit(f: Function) -> None:
        gradient, target = f.arguments
        if not add:
            clear(f, dx, target)
        for [(in_x, taps)], in_y, n in positions(f, windows, dy, dx):
            there = target + in_x
            share = gradient.load(in_y, n) * _share(group, len(taps))
            for tap in taps:
                there.store(there.load(tap, n) + share, tap, n)

    key = ("average_pool2d_gradient", group.op, windows, dy.layout, dx.layout, add)
    b.schedule.add(group.layer, key, "sample", [dy, dx], [dx], emit)

"""Softmax of each row: one pass for the largest, one for the exponentials, one to divide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Function, vectors_over
from pellucid.compiler.kernels._softmax import exponentials
from pellucid.compiler.schedule import UnsupportedError
from pellucid.ops._operation import known

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    axis, rank = op.axis, len(node.output.shape)
    return (
        None if axis in (-1, rank - 1) and rank > 1 else "softmax over another axis than the last"
    )


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    if x.frame != y.frame:
        raise UnsupportedError("softmax next to a convolution with padding")
    *outer, classes = known(group.output.shape[1:])
    rows = math.prod(outer)

    def emit(f: Function) -> None:
        source, target = f.arguments
        with f.each(rows) as r:
            here = target + r * classes
            _, total = exponentials(f, source + r * classes, here, classes)
            share = f.splat(f.constant(1.0, "float") / total)
            for i, n in vectors_over(f, classes):
                here.store(here.load(i, n) * share, i, n)

    b.schedule.add(group.layer, ("softmax", rows, classes), "sample", [x, y], [y], emit)


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = y · (dy − Σ dy·y)."""
    if not b.wants(group.node.inputs[0]):
        return
    dy, y = b.gradient(group.output), b.place(group.output)
    dx, add = b.claim(group.node.inputs[0])
    *outer, classes = known(group.output.shape[1:])
    rows = math.prod(outer)

    def emit(f: Function) -> None:
        gradient, output, target = f.arguments
        with f.each(rows) as r:
            g, p, d = gradient + r * classes, output + r * classes, target + r * classes
            whole, rest = divmod(classes, f.lanes)
            total = f.zero()
            if whole:
                (total,) = f.carry(
                    whole, [total],
                    lambda i, acc: [f.fma(g.load(i * f.lanes), p.load(i * f.lanes), acc[0])],
                )  # fmt: skip
            if rest:
                total = f.fma(g.load(whole * f.lanes, rest), p.load(whole * f.lanes, rest), total)
            mean = f.splat(f.sum(total))
            for i, n in vectors_over(f, classes):
                value = p.load(i, n) * (g.load(i, n) - mean)
                d.store(value + d.load(i, n) if add else value, i, n)

    key = ("softmax_gradient", rows, classes, add)
    b.schedule.add(group.layer, key, "sample", [dy, y, dx], [dx], emit)

"""Softmax of each row: one pass for the largest, one for the exponentials, one to divide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels._softmax import exponentials
from pellucid.compiler.schedule import NO_FRAME, Place

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
    classes = x.shape[-1]

    def emit(f: Function) -> None:
        source, target = f.arguments
        for begin, end in _rows(f, x, y):
            here = target + end
            _, total = exponentials(f, source + begin, here, classes)
            share = f.splat(f.constant(1.0, "float") / total)
            for i, n in vectors_over(f, classes):
                here.store(here.load(i, n) * share, i, n)

    b.schedule.add(group.layer, ("softmax", x.layout, y.layout), "sample", [x, y], [y], emit)


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = y · (dy − Σ dy·y)."""
    if not b.wants(group.node.inputs[0]):
        return
    dy, y = b.gradient(group.output), b.place(group.output)
    dx, add = b.claim(group.node.inputs[0])
    classes = y.shape[-1]

    def emit(f: Function) -> None:
        gradient, output, target = f.arguments
        for places in _rows(f, dy, y, dx):
            g, p, d = gradient + places[0], output + places[1], target + places[2]
            mean = f.splat(_dot(f, g, p, classes))
            for i, n in vectors_over(f, classes):
                value = p.load(i, n) * (g.load(i, n) - mean)
                d.store(value + d.load(i, n) if add else value, i, n)

    key = ("softmax_gradient", dy.layout, y.layout, dx.layout, add)
    b.schedule.add(group.layer, key, "sample", [dy, y, dx], [dx], emit)


def _dot(f: Function, a: Address, b: Address, count: int) -> Value:
    """Return Σ a[i]·b[i]."""
    whole, rest = divmod(count, f.lanes)
    total = f.zero()
    if whole:
        (total,) = f.carry(
            whole,
            [total],
            lambda i, acc: [f.fma(a.load(i * f.lanes), b.load(i * f.lanes), acc[0])],
        )
    if rest:
        total = f.fma(a.load(whole * f.lanes, rest), b.load(whole * f.lanes, rest), total)
    return f.sum(total)


def _rows(f: Function, *places: Place) -> Iterator[list[Index]]:
    """Yield where each row of classes begins in every place; frames are left out."""
    framed = next((place for place in places if place.frame != NO_FRAME), None)
    if framed is None:
        *outer, classes = places[0].shape
        with f.each(math.prod(outer)) as r:
            yield [r * classes] * len(places)
        return
    height, width, classes = framed.shape
    with f.each(height) as i, f.each(width) as j:
        yield [
            i * (width * classes if place.frame == NO_FRAME else place.row) + j * classes
            for place in places
        ]

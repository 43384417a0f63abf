"""A dense product of every pixel: a convolution with a window of one pixel, by the same sweeps.

The matrix (C, U) lies in memory as such a kernel does. Any axes between the batch and the last are
pixels. Floor, forward and for each gradient: pixels · C · U multiply-adds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.kernels import activation
from pellucid.compiler.kernels._sweep import (
    Sweep,
    bias_gradient,
    from_bias,
    parts_of_sweep,
    sweep,
    to_image,
    weight_gradient,
)
from pellucid.compiler.kernels._tiles import Run, Taps
from pellucid.compiler.kernels._transpose import transpose
from pellucid.compiler.kernels.activation import gated
from pellucid.compiler.schedule import NO_FRAME, Place
from pellucid.compiler.spans import span_of

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward"]

ONE = Taps(1, 0, 0)


def _over(x: Place, y: Place, by_rows: bool = False) -> Sweep:
    """Return the sweep that makes every pixel of y from the one of x.

    Where it can it is one row of pixels, unless an image's rows are to be taken apart.
    """
    (*pixels, depth), outputs = x.shape, y.shape[-1]
    run = Run((ONE, ONE), depth, outputs)
    if x.frame == y.frame == NO_FRAME and not (by_rows and len(pixels) == 2):
        return Sweep(1, math.prod(pixels), outputs, 0, depth, 0, outputs, run)
    height, width = pixels
    return Sweep(height, width, outputs, x.row, depth, y.row, outputs, run)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node = group.node
    x, w, y = b.place(node.inputs[0]), b.place(node.inputs[1]), b.place(group.output)
    bias = None if node.inputs[2] is None else b.place(node.inputs[2])
    s = _over(x, y, by_rows=not b.training)
    parts = 1 if b.training else parts_of_sweep(b.target.width, s)

    def emit(f: Function) -> None:
        image, kernel, result, *rest = f.arguments

        def act(value: Value) -> Value:
            return activation.apply(f, group.activation, value)

        start = from_bias(f, rest[0] if bias is not None else None)
        finish = to_image(f, s, result, act)
        sweep(f, s, image, kernel, start, finish, span=span_of(f, parts))

    places = [place for place in (x, w, y, bias) if place is not None]
    key = ("pointwise", s, bias is None, group.activation)
    macs = s.rows * s.columns * s.outputs * s.run.total
    b.schedule.add(group.layer, key, "sample", places, [y], emit, macs=macs, parts=parts)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    source, weight, bias = group.node.inputs
    x, dz = b.place(source), gated(b, group)
    s = _over(x, dz)
    macs = s.rows * s.columns * s.outputs * s.run.total
    if bias is not None and b.wants(bias):
        into = b.collect(bias)

        def emit_bias(f: Function) -> None:
            gradient, target = f.arguments
            bias_gradient(f, s, gradient, target, 1, 0)

        key: tuple[object, ...] = ("pointwise_bias", s)
        b.schedule.add(group.layer, key, "sample", [dz, into], [into], emit_bias)
    if b.wants(weight):
        total = b.collect(weight)

        def emit_weights(f: Function) -> None:
            image, gradient, target = f.arguments
            weight_gradient(f, s, image, gradient, target, 1, 0, 0)

        key = ("pointwise_weights", s)
        b.schedule.add(group.layer, key, "sample", [x, dz, total], [total], emit_weights, macs=macs)
    if b.wants(source):
        dx, add = b.claim(source)
        turned = _turned(b, group)
        back = _over(dz, dx)

        def emit_data(f: Function) -> None:
            gradient, matrix, target = f.arguments
            finish = to_image(f, back, target, lambda value: value, add=add)
            sweep(f, back, gradient, matrix, from_bias(f, None), finish)

        key = ("pointwise_data", back, add)
        b.schedule.add(group.layer, key, "sample", [dz, turned, dx], [dx], emit_data, macs=macs)


def _turned(b: Builder, group: Group) -> Place:
    """Return the matrix turned on its side, (U, C)."""
    w = b.place(group.node.inputs[1])
    depth, outputs = w.shape
    turned = b.schedule.place(f"{w.name} (turned)", (outputs, depth), extent="whole")

    def emit(f: Function) -> None:
        source, target, *_ = f.arguments
        transpose(f, source, outputs, target, depth, depth, outputs)

    b.schedule.add(
        group.layer, ("turn_matrix", depth, outputs), "item", [w, turned], [turned], emit,
        count=lambda _: 1,
    )  # fmt: skip
    return turned

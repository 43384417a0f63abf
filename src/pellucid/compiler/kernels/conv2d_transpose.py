"""Transposed convolution: a convolution's data gradient forward, and its forward pass backward.

The windows lie over the *output*: `conv2d.py` tells how the loops go.

* **Forward**: the sweep of `conv2d.py`'s data gradient, over x in the place of dy, with the kernel
  turned by 180°; a stride takes the outputs apart into interleaved images. Bias and activation
  happen in the registers.
* **Data gradient**: the sweep of a convolution over dy with the kernel as it is.
* **Weight gradient**: that of a convolution, with dy as the image and x as the gradient.

Floor, each: H·W·C·KH·KW·O multiply-adds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Address, Function, Value, vectors_over
from pellucid.compiler.kernels import activation
from pellucid.compiler.kernels._sweep import (
    Sweep,
    from_bias,
    sweep,
    to_image,
    weight_gradient,
)
from pellucid.compiler.kernels._tiles import Run, Taps
from pellucid.compiler.kernels.activation import gated
from pellucid.compiler.kernels.conv2d import (
    Phase,
    bias_backward,
    frame_of_gradient,
    framed,
    phases,
    turned_kernel,
    windows_of,
)

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Frame, Place
    from pellucid.graph import Node

__all__ = ["backward", "forward", "frame", "fuses"]


def frame(group: Group) -> Frame:
    """Return the zeros that must be around the input."""
    x = group.node.inputs[0]
    assert x is not None
    height, width = (n or 0 for n in x.shape[1:3])
    return frame_of_gradient(windows_of(group), height, width)


def fuses(group: Group, follower: Node, training: bool) -> bool:
    """Pooling after a transposed convolution runs by itself."""
    return False


def _kernel_shape(group: Group) -> tuple[int, int, int, int]:
    """(KH, KW, O / groups, C)."""
    kernel = group.node.inputs[1]
    assert kernel is not None
    kh, kw, per_group, channels = (n or 0 for n in kernel.shape)
    return kh, kw, per_group, channels


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node, op = group.node, group.op
    x, y = b.place(node.inputs[0]), b.place(group.output)
    bias = None if node.inputs[2] is None else b.place(node.inputs[2])
    kh, kw, o, channels = shape = _kernel_shape(group)
    c = channels // op.groups
    turned = turned_kernel(b, group, shape)
    windows = windows_of(group)
    outputs = y.shape[2]
    pairs = [(r, q) for r in phases(windows.rows) for q in phases(windows.columns)]

    def image(r: Phase, q: Phase) -> Sweep:
        taps = (
            Taps(r.taps, r.step * x.row, r.w_step * kw * channels * o),
            Taps(q.taps, q.step * channels, q.w_step * channels * o),
        )
        steps = op.strides[0] * y.row, op.strides[1] * outputs
        return Sweep(r.count, q.count, o, x.row, channels, *steps, Run(taps, c, o))

    def emit(f: Function) -> None:
        source, weights, target, *rest = f.arguments

        def act(value: Value) -> Value:
            return activation.apply(f, group.activation, value)

        with f.each(op.groups) as g:
            own = rest[0] + g * o if rest else None
            for r, q in pairs:
                here = target + (r.begin * y.row + q.begin * outputs) + g * o
                s = image(r, q)
                if not (r.taps and q.taps):
                    _unpainted(f, s, here, own, group)
                    continue
                begin = source + (r.offset * x.row + q.offset * channels) + g * c
                first = weights + (r.first * kw + q.first) * channels * o + g * (o * c)
                sweep(f, s, begin, first, from_bias(f, own), to_image(f, s, here, act))

    key = (
        "conv2d_transpose", x.layout, y.layout, shape, op, bias is None, group.activation,
    )  # fmt: skip
    places = [place for place in (x, turned, y, bias) if place is not None]
    macs = math.prod(x.shape) * kh * kw * o
    b.schedule.add(group.layer, key, "sample", places, [y], emit, macs=macs)


def _unpainted(f: Function, s: Sweep, y: Address, bias: Address | None, group: Group) -> None:
    """Give the cells that no pixel paints on what the bias alone makes."""
    with f.each(s.rows) as i, f.each(s.columns) as j:
        for k, n in vectors_over(f, s.outputs):
            value = f.zero() if bias is None else bias.load(k, n)
            value = activation.apply(f, group.activation, value)
            y.store(value, i * s.y_row + j * s.y_column + k, n)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    node = group.node
    around = windows_of(group).padding
    dz = framed(b, group, gated(b, group, around), around)
    bias_backward(b, group, dz)
    if b.wants(node.inputs[1]):
        _weights_backward(b, group, dz)
    if b.wants(node.inputs[0]):
        _data_backward(b, group, dz)


def _over(group: Group, dz: Place, height: int, width: int, row: int) -> Sweep:
    """Return the sweep of a convolution over dz, whose outputs (of one group) are the pixels of x.

    `row` is how far it is from one row of pixels to the next.
    """
    op = group.op
    kh, kw, o, channels = _kernel_shape(group)
    filters = dz.shape[2]
    taps = (
        Taps(kh, op.dilation_rate[0] * dz.row, kw * o * channels),
        Taps(kw, op.dilation_rate[1] * filters, o * channels),
    )
    steps = op.strides[0] * dz.row, op.strides[1] * filters
    outputs = channels // op.groups
    return Sweep(height, width, outputs, *steps, row, channels, Run(taps, o, channels))


def _corner(group: Group, dz: Place) -> int:
    """Return how far the first window begins before dz."""
    (top, _), (left, _) = windows_of(group).padding
    return -(top * dz.row + left * dz.shape[2])


def _weights_backward(b: Builder, group: Group, dz: Place) -> None:
    x, total = b.place(group.node.inputs[0]), b.collect(group.node.inputs[1])
    height, width, channels = x.shape
    op, o = group.op, total.shape[2]
    s = _over(group, dz, height, width, x.row)
    corner = _corner(group, dz)

    def emit(f: Function) -> None:
        gradient, image, target = f.arguments
        with f.each(op.groups) as g:
            here = gradient + corner + g * o
            mine = image + g * s.outputs, target + g * s.outputs
            weight_gradient(f, s, here, *mine, 1, 0, 0)

    key = ("conv2d_transpose_weights", s, corner, op.groups)
    macs = height * width * channels * s.run.total
    b.schedule.add(group.layer, key, "sample", [dz, x, total], [total], emit, macs=macs)


def _data_backward(b: Builder, group: Group, dz: Place) -> None:
    w = b.place(group.node.inputs[1])
    dx, add = b.claim(group.node.inputs[0])
    height, width, channels = dx.shape
    op, o = group.op, w.shape[2]
    s = _over(group, dz, height, width, dx.row)
    corner = _corner(group, dz)

    def emit(f: Function) -> None:
        gradient, kernel, target = f.arguments
        with f.each(op.groups) as g:
            finish = to_image(f, s, target + g * s.outputs, lambda value: value, add=add)
            here = gradient + corner + g * o
            sweep(f, s, here, kernel + g * s.outputs, from_bias(f, None), finish)

    key = ("conv2d_transpose_data", s, corner, op.groups, add)
    macs = height * width * channels * s.run.total
    b.schedule.add(group.layer, key, "sample", [dz, w, dx], [dx], emit, macs=macs)

"""Depthwise convolution: every channel has a window of its own, so vectors run along channels.

* **Forward**. Tile: P pixels side by side × one vector of channels. Every tap loads its weights
  once for the tile, and P vectors of the image: nothing is broadcast, nothing is shared between
  pixels, so the limit is two loads in a cycle, not two multiply-adds. Channels are taken in bands
  of which the rows under a window stay in L1 until the window has passed.
* **Data gradient**: the same sweep over dy with the taps in reverse order; a stride takes its
  outputs apart, as in `conv2d.py`.
* **Weight gradient**: one vector of channels of all taps stays in registers over the image.

With several filters for each channel, the image is first written out with every channel as often.

Floor: one load for each multiply-add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels import activation
from pellucid.compiler.kernels._repeat import add_up_repetitions, repeat_channels
from pellucid.compiler.kernels._tiles import Run, Taps, parts_for, split
from pellucid.compiler.kernels.activation import gated
from pellucid.compiler.kernels.batch_normalization import folded
from pellucid.compiler.kernels.conv2d import (
    bias_backward,
    frame_of_gradient,
    framed,
    phases,
    rows_of,
    windows_of,
)
from pellucid.compiler.schedule import NO_FRAME, Frame, Place
from pellucid.compiler.spans import Span, bounds_of, each_of, span_of

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

BAND = 24_000
"""How many bytes of the rows under a window stay in the first-level cache beside the results."""

IMAGE = 2**20
"""How many bytes an image may have for bands to pay: a larger one is read through, from L3."""

NORMALISES = True
"""Batch normalisation by stored statistics may be fused."""

__all__ = ["backward", "forward", "frame", "fuses"]


def frame(group: Group) -> Frame:
    """Return the zeros that must be around the input."""
    return windows_of(group).padding if _multiplier(group) == 1 else NO_FRAME


def _multiplier(group: Group) -> int:
    """How many filters each channel has."""
    return int(group.node.inputs[1].shape[3])  # type: ignore[union-attr, arg-type]  # the kernel is there


def _image(b: Builder, group: Group) -> Place:
    """Return the input, with each channel as often as it has filters."""
    x, times = b.place(group.node.inputs[0]), _multiplier(group)
    if times == 1:
        return x
    height, width, channels = x.shape
    shape = (height, width, channels * times)
    return b.extra(group, "x by filter", shape, frame=windows_of(group).padding)


def _repeat(b: Builder, group: Group, repeated: Place) -> None:
    """Add the job that writes the channels out."""
    x, times = b.place(group.node.inputs[0]), _multiplier(group)
    height, width, channels = x.shape

    def emit(f: Function) -> None:
        source, target = f.arguments
        with f.each(height) as r, f.each(width) as c:
            here = source + (r * x.row + c * channels)
            there = target + (r * repeated.row + c * (channels * times))
            repeat_channels(f, here, there, channels, times)

    key = ("repeat", x.layout, repeated.layout)
    b.schedule.add(group.layer, key, "sample", [x, repeated], [repeated], emit)


def fuses(group: Group, follower: Node, training: bool) -> bool:
    """Pooling after a depthwise convolution runs by itself."""
    return False


def _taps(group: Group, x: Place) -> tuple[Taps, Taps]:
    kh, kw = (n or 0 for n in group.node.inputs[1].shape[:2])  # type: ignore[union-attr]  # the kernel is there
    channels = x.shape[2]
    down, across = group.op.dilation_rate
    return Taps(kh, down * x.row, kw * channels), Taps(kw, across * channels, channels)


def _sweep(
    f: Function,
    shape: tuple[int, int, int],
    x: Address,
    x_steps: tuple[int, int],
    taps: tuple[Taps, Taps],
    w: Address,
    start: Callable[[Index, int | None], Value],
    finish: Callable[[Index, Index, Value, int | None], None],
    y_steps: tuple[int, int],
    span: Span | None = None,
) -> None:
    """Write the loops over bands of channels, rows, tiles of columns, and a band's channels."""
    rows, columns, channels = shape
    places = Run(taps, 1, 0).places()
    most = min(8, f.module.width.registers - 4)
    bounds = bounds_of(f, span, rows)

    def image(band: Callable[[], Iterator[tuple[Index, int | None]]]) -> None:
        with each_of(f, bounds, 0, rows) as r:
            for first, length, count in split(columns, most):
                with f.each(count) as block:
                    column = block * length + first
                    here = x + r * x_steps[0] + column * x_steps[1]
                    there = r * y_steps[0] + column * y_steps[1]
                    for k, n in band():
                        sums = [start(k, n)] * length
                        for in_x, in_w in places:
                            weight = w.load(k + in_w, n)
                            sums = [
                                f.fma(here.load(k + (in_x + p * x_steps[1]), n), weight, total)
                                for p, total in enumerate(sums)
                            ]
                        for p, total in enumerate(sums):
                            finish(there + (k + p * y_steps[1]), k, total, n)

    whole, rest = divmod(channels, f.lanes)
    across = -(-columns * x_steps[1] // channels) * max(1, taps[0].count)
    wide = max(1, BAND // (4 * f.lanes * across))
    if whole <= wide or 4 * rows * abs(x_steps[0]) > IMAGE:
        image(lambda: vectors_over(f, channels))
        return
    for first, size, count in split(whole, wide):
        with f.each(count) as j:
            begin = (j * size + first) * f.lanes
            image(partial(_vectors, f, begin, size))
    if rest:
        last: list[tuple[Index, int | None]] = [(whole * f.lanes, rest)]
        image(lambda: iter(last))


def _vectors(f: Function, begin: Index, count: int) -> Iterator[tuple[Index, int | None]]:
    with f.each(count) as i:
        yield begin + i * f.lanes, None


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node = group.node
    x, w, y = _image(b, group), b.place(node.inputs[1]), b.place(group.output)
    if _multiplier(group) > 1:
        _repeat(b, group, x)
    bias = None if node.inputs[2] is None else b.place(node.inputs[2])
    affine: tuple[Place, ...] = ()
    if group.norm is not None:
        affine, bias = folded(b, group, bias), None
    windows, channels = windows_of(group), x.shape[2]
    (top, _), (left, _) = windows.padding
    corner = -(top * x.row + left * channels)
    taps = _taps(group, x)
    down, across = group.op.strides
    shape = (*windows.output, channels)
    macs = math.prod(shape) * taps[0].count * taps[1].count
    parts = 1 if b.training else min(shape[0], parts_for(b.target.width, 2 * macs))
    rows = rows_of(group, x, y) if parts > 1 else None
    parts = parts if rows is None else shape[0]

    def emit(f: Function) -> None:
        image, kernel, result, *rest = f.arguments

        def start(k: Index, n: int | None) -> Value:
            return f.zero() if bias is None else rest[0].load(k, n)

        def finish(place: Index, k: Index, value: Value, n: int | None) -> None:
            if affine:
                value = f.fma(value, rest[0].load(k, n), rest[1].load(k, n))
            result.store(activation.apply(f, group.activation, value), place, n)

        steps = down * x.row, across * channels
        _sweep(
            f, shape, image + corner, steps, taps, kernel, start, finish, (y.row, channels),
            span_of(f, parts),
        )  # fmt: skip

    places = [place for place in (x, w, y, bias, *affine) if place is not None]
    key = ("depthwise_conv2d", shape, x.layout, y.layout, taps, corner, group.op, bias is None)
    full = (*key, group.activation, bool(affine))
    b.schedule.add(
        group.layer, full, "sample", places, [y], emit, macs=macs, parts=parts, rows=rows
    )


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    node = group.node
    windows = windows_of(group)
    around = frame_of_gradient(windows, *windows.output) if b.wants(node.inputs[0]) else NO_FRAME
    dz = framed(b, group, gated(b, group, around), around)
    bias_backward(b, group, dz)
    if b.wants(node.inputs[1]):
        _weights_backward(b, group, dz)
    if b.wants(node.inputs[0]):
        _data_backward(b, group, dz)


def _weights_backward(b: Builder, group: Group, dz: Place) -> None:
    x, total = _image(b, group), b.collect(group.node.inputs[1])
    windows, channels = windows_of(group), x.shape[2]
    (top, _), (left, _) = windows.padding
    corner = -(top * x.row + left * channels)
    taps = _taps(group, x)
    down, across = group.op.strides
    rows, columns = windows.output

    def emit(f: Function) -> None:
        image, gradient, target = f.arguments
        places = Run(taps, 1, 0).places()
        most = f.module.width.registers - 4
        for k, n in vectors_over(f, channels):
            for first in range(0, len(places), most):
                part = places[first : first + most]
                _taps_of_weights(f, image + corner + k, gradient + k, target + k, part, n)

    def _taps_of_weights(
        f: Function,
        x_at: Address,
        dy: Address,
        dw: Address,
        part: Sequence[tuple[int, int]],
        n: int | None,
    ) -> None:
        def over_rows(r: Index, acc: list[Value]) -> list[Value]:
            def over_columns(c: Index, acc: list[Value]) -> list[Value]:
                here = x_at + (r * (down * x.row) + c * (across * channels))
                value = dy.load(r * dz.row + c * channels, n)
                return [
                    f.fma(here.load(in_x, n), value, total)
                    for (in_x, _), total in zip(part, acc, strict=True)
                ]

            return f.carry(columns, acc, over_columns)

        ends = f.carry(rows, [dw.load(in_w, n) for _, in_w in part], over_rows)
        for (_, in_w), value in zip(part, ends, strict=True):
            dw.store(value, in_w, n)

    key = ("depthwise_weights", x.layout, dz.layout, taps, corner, group.op)
    macs = rows * columns * channels * taps[0].count * taps[1].count
    b.schedule.add(group.layer, key, "sample", [x, dz, total], [total], emit, macs=macs)


def _data_backward(b: Builder, group: Group, dz: Place) -> None:
    w = b.place(group.node.inputs[1])
    dx, add = b.claim(group.node.inputs[0])
    times, own, further = _multiplier(group), dx, add
    if times > 1:
        height, width, _ = dx.shape
        dx, add = b.extra(group, "dx by filter", (height, width, dz.shape[2])), False
    windows, channels = windows_of(group), dx.shape[2]
    kh, kw = w.shape[:2]
    down, across = group.op.strides
    pairs = [(r, q) for r in phases(windows.rows) for q in phases(windows.columns)]

    def emit(f: Function) -> None:
        gradient, kernel, target = f.arguments

        def start(k: Index, n: int | None) -> Value:
            return f.zero()

        for r, q in pairs:
            here = target + (r.begin * dx.row + q.begin * channels)

            def finish(
                place: Index, k: Index, value: Value, n: int | None, here: Address = here
            ) -> None:
                here.store(value + here.load(place, n) if add else value, place, n)

            taps = (
                Taps(r.taps, r.step * dz.row, -r.w_step * kw * channels),
                Taps(q.taps, q.step * channels, -q.w_step * channels),
            )
            last = ((kh - 1 - r.first) * kw + kw - 1 - q.first) * channels
            source = gradient + (r.offset * dz.row + q.offset * channels)
            _sweep(
                f, (r.count, q.count, channels), source, (dz.row, channels), taps, kernel + last,
                start, finish, (down * dx.row, across * channels),
            )  # fmt: skip

    key = ("depthwise_data", dz.layout, dx.layout, w.shape, group.op, add)
    macs = math.prod(dz.shape) * kh * kw
    b.schedule.add(group.layer, key, "sample", [dz, w, dx], [dx], emit, macs=macs)
    if times > 1:
        _add_up(b, group, dx, own, further)


def _add_up(b: Builder, group: Group, repeated: Place, dx: Place, add: bool) -> None:
    """Add the job that adds up the gradients of one channel by all its filters."""
    times = _multiplier(group)
    height, width, channels = dx.shape

    def emit(f: Function) -> None:
        source, target = f.arguments
        with f.each(height * width) as i:
            here, there = source + i * (channels * times), target + i * channels
            add_up_repetitions(f, here, there, channels, times, add=add)

    key = ("add_up_repetitions", repeated.layout, dx.layout, add)
    b.schedule.add(group.layer, key, "sample", [repeated, dx], [dx], emit)

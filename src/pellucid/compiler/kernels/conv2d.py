"""Convolution and its gradients, direct: no patches are copied, no padding is tested for.

Images are (H, W, C) with the channels side by side; a row of taps and the channels under it are
one run of numbers in the image *and* in the kernel (KH, KW, C, O), so the innermost loop goes over
KW·C products with no arithmetic but two pointers. Padding is in memory: an image that is read with
padding has a frame of zeros around it, which nothing ever writes.

* **Forward**. Tile: P pixels × V vectors of output channels (`_tiles.py`), 24 to 28 accumulators
  on 32 registers. Loops: blocks of output channels, rows of tiles, tiles, ky, kx·c. The weights of
  one block of channels stay in L1 or L2 for the whole image; the image rows under a tile stay in
  L1. Bias, activation and pooling happen in the registers; what pooling drops is never computed,
  and of a maximum the place of the winner is kept, one byte each.
  Floor: OH·OW·O·KH·KW·C multiply-adds.
* **Data gradient**: the same sweep over dy with the kernel turned by 180° and transposed. A stride
  s takes its outputs apart into s·s interleaved images, each a convolution with every s-th tap.
* **Weight gradient**. Tile: P of the KH·KW·C rows of the kernel × V vectors of output channels;
  the sum runs over all pixels, then the tile is added to memory once. Per pixel: V loads of dy,
  P broadcasts of x, P·V multiply-adds.
* **Behind average pooling** each window's gradient is spread over its cells whose gates are open:
  the way forward keeps one bit for each.
* **Behind max pooling** both gradients may be taken from the winners alone (`_winners.py`): at
  most one of the gradients in a window is not 0. Chosen where it takes fewer cycles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels import activation
from pellucid.compiler.kernels._sweep import (
    Sweep,
    bias_gradient,
    from_bias,
    goes_by_rows,
    normalised,
    pack,
    packing_pays,
    parts_of_sweep,
    sums_waiting,
    sweep,
    to_image,
    to_pool,
    weight_gradient,
    weights_are_small,
)
from pellucid.compiler.kernels._tiles import Run, Taps
from pellucid.compiler.kernels._transpose import transpose
from pellucid.compiler.kernels._update import flag_of, looking
from pellucid.compiler.kernels._winners import winners_backward, winners_pay
from pellucid.compiler.kernels._winograd import (
    channels_at_once,
    parts_of_winograd,
    transform_weights,
    weights_from_tiles,
    winograd,
    winograd_by_channels,
    winograd_inputs,
    winograd_pays,
    winograd_scratch,
    winograd_weight_gradient,
    winograd_weights_pay,
)
from pellucid.compiler.kernels.activation import gated
from pellucid.compiler.kernels.batch_normalization import folded
from pellucid.compiler.schedule import LARGE, NO_FRAME, Frame, Place, Rows, Split
from pellucid.compiler.spans import CELLS, span_of
from pellucid.ops._window import Axis, Windows
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.max_pool2d import MaxPool2D

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

NORMALISES = True
"""Batch normalisation by stored statistics may be fused."""

__all__ = ["backward", "forward", "frame", "fuses", "gates"]


def windows_of(group: Group) -> Windows:
    """Return the convolution's windows over its input."""
    x, kernel = group.node.inputs[0], group.node.inputs[1]
    assert x is not None
    assert kernel is not None
    found: Windows = group.op._windows(x.shape, kernel.shape)
    return found


def frame(group: Group) -> Frame:
    """Return the zeros that must be around the input: the padding, and whole tiles' worth."""
    windows = windows_of(group)
    (top, bottom), (left, right) = windows.padding
    if _in_tiles(group) and group.pool is None:
        bottom, right = bottom + windows.output[0] % 2, right + windows.output[1] % 2
    return ((top, bottom), (left, right))


def _in_tiles(group: Group) -> bool:
    """Whether Winograd's tiles may be used: then images of odd sides need a cell more of zeros."""
    windows = windows_of(group)
    three = windows.rows.window == windows.columns.window == 3
    return three and group.op.strides == group.op.dilation_rate == (1, 1)


def fuses(group: Group, follower: Node, training: bool) -> bool:
    """Whether the pooling after it can be done in its registers."""
    op: Any = follower.op
    pool = op._windows(group.output.shape)
    apart = op.strides == op.pool_size and pool.padding == ((0, 0), (0, 0))
    apart = apart and op.dilation_rate == (1, 1)
    small = math.prod(op.pool_size) <= (9 if isinstance(op, MaxPool2D) or not training else 8)
    if isinstance(op, MaxPool2D):
        return apart and small and activation.monotone_piecewise(group.activation)
    return apart and small and (not training or activation.monotone_piecewise(group.activation))


def _geometry(group: Group, x: Place, y_row: int) -> Sweep:
    """Return the forward sweep of one group of channels."""
    op, kernel = group.op, group.node.inputs[1]
    assert isinstance(op, Conv2D)
    assert kernel is not None
    kh, kw, per_group, filters = (n or 0 for n in kernel.shape)
    windows = windows_of(group)
    rows, columns = windows.output
    if group.pool is not None:
        height, width = group.pool.pool_size
        rows, columns = rows // height * height, columns // width * width
    channels = x.shape[2]
    run = Run(
        (
            Taps(kh, op.dilation_rate[0] * x.row, kw * per_group * filters),
            Taps(kw, op.dilation_rate[1] * channels, per_group * filters),
        ),
        per_group,
        filters,
    )
    return Sweep(
        rows,
        columns,
        filters // op.groups,
        op.strides[0] * x.row,
        op.strides[1] * channels,
        y_row,
        filters,
        run,
    )


def _corner(group: Group, x: Place) -> int:
    """Return how far the first window begins before the image."""
    (top, _), (left, _) = windows_of(group).padding
    return -(top * x.row + left * x.shape[2])


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node = group.node
    op = group.op
    assert isinstance(op, Conv2D)
    x, w, y = b.place(node.inputs[0]), b.place(node.inputs[1]), b.place(group.output)
    bias = b.place(node.inputs[2]) if node.inputs[2] is not None else None
    affine: tuple[Place, ...] = ()
    if group.norm is not None:
        affine, bias = folded(b, group, bias), None
    s = _geometry(group, x, y.row)
    corner = _corner(group, x)
    keep = b.training and b.wants(group.output) and _kept(group)
    winner = b.extra(group, "winner", y.shape, element="i8") if keep else None
    per_group = w.shape[2]
    unit = (1, 1) if group.pool is None else group.pool.pool_size

    fast = op.groups == 1 and winograd_pays(b.target.width, s, op.strides)
    at_once = channels_at_once(b.target.width, s) if fast and not b.training else 0
    transformed = _transformed(b, group, w, at_once) if fast else None
    scratch = []
    if fast:
        sizes = winograd_scratch(s, at_once)
        scratch = [b.extra(group, f"tiles {k}", (size,)) for k, size in enumerate(sizes)]
    elif sums_waiting(b.target.width, s, unit):
        scratch = [b.extra(group, "sums", (sums_waiting(b.target.width, s, unit),))]
    packed = op.groups == 1 and not fast and packing_pays(b.target.width, s, unit)
    if packed:
        transformed = _packed(b, group, w, s, unit)
    parts = 1
    if not b.training and op.groups == 1:
        width = b.target.width
        parts = parts_of_winograd(width, s) if fast else parts_of_sweep(width, s, unit)
    rows = None
    if parts > 1 and not (scratch or packed or group.pool) and goes_by_rows(b.target.width, s):
        rows = rows_of(group, x, y)
        parts = parts if rows is None else s.rows
    if at_once:
        _inputs_by_tile(b, group, s, corner, x, scratch[0])

    def emit(f: Function) -> None:
        given = iter(f.arguments)
        span = span_of(f, parts)
        image, kernel, result = (next(given) for _ in range(3))
        vector = next(given) if bias is not None else None
        places = next(given) if winner is not None else None
        factors = [next(given) for _ in affine]

        def act(value: Value) -> Value:
            return activation.apply(f, group.activation, value)

        with f.each(op.groups) as g:
            here = result + g * s.outputs
            own_bias = None if vector is None else vector + g * s.outputs
            finish = to_image(f, s, here, act)
            if group.pool is not None:
                won = None if places is None else places + g * s.outputs
                finish = to_pool(
                    f, here, s.y_row, s.y_column, unit, act,
                    winner=won, winner_row=y.shape[1] * y.shape[2],
                    average=not isinstance(group.pool, MaxPool2D),
                )  # fmt: skip
            if factors:
                own = [factor + g * s.outputs for factor in factors]
                finish = normalised(f, own[0], own[1], finish)
            source = image + corner + g * per_group
            if at_once:
                tiles, products = next(given), next(given)
                winograd_by_channels(f, s, at_once, tiles, kernel, products, own_bias, finish, span)
            elif fast:
                winograd(f, s, source, kernel, next(given), next(given), own_bias, finish, span)
            else:
                start = from_bias(f, own_bias)
                waiting = next(given, None) if scratch else None
                own_kernel = kernel + g * s.outputs
                sweep(f, s, source, own_kernel, start, finish, unit, span, waiting, packed=packed)

    places = [p for p in (x, transformed or w, y, bias, winner) if p is not None]
    places += [*affine, *scratch]
    writes = [p for p in (y, winner) if p is not None] + scratch[1 if at_once else 0 :]
    word = "conv2d_winograd" if fast else "conv2d"
    key = (
        word,
        s,
        corner,
        op.groups,
        bias is None,
        group.activation,
        group.pool,
        winner is None,
        len(affine),
        at_once,
    )
    macs = s.rows * s.columns * s.outputs * s.run.total * op.groups
    b.schedule.add(
        group.layer, key, "sample", places, writes, emit, macs=macs, parts=parts, rows=rows
    )


def rows_of(group: Group, x: Place, y: Place) -> Rows | None:
    """Return how a convolution goes over its input row by row; None if the images are small."""
    if 4 * max(x.size, y.size) < LARGE:
        return None
    axis = windows_of(group).rows
    return Rows(x, axis.stride, axis.before, axis.extent)


def _transformed(b: Builder, group: Group, w: Place, at_once: int = 0) -> Place:
    """Return the place of Winograd's transformed weights (parts, 16, C, O of a part)."""
    _, _, depth, outputs = w.shape
    at_once = at_once or outputs
    shape = (outputs // at_once, 16, depth, at_once)
    u = b.schedule.place(f"{w.name} (by tile)", shape, extent="whole")

    def emit(f: Function) -> None:
        source, target, item, _ = f.arguments
        transform_weights(f, source, target, depth, outputs, at_once, item)

    b.schedule.add(
        group.layer, ("transform_weights", depth, outputs, at_once), "item", [w, u], [u], emit,
        count=lambda _: depth,
    )  # fmt: skip
    return u


def _packed(b: Builder, group: Group, w: Place, s: Sweep, unit: tuple[int, int] = (1, 1)) -> Place:
    """Return the place of the weights as `pack` leaves them."""
    packed = b.schedule.place(f"{w.name} (by block)", w.shape, extent="whole")
    each = s.run.depth

    def emit(f: Function) -> None:
        source, target, item, _ = f.arguments
        with f.each(each) as k:
            pack(f, s, source, target, item * each + k, unit)

    key = ("pack_weights", s, unit)
    b.schedule.add(
        group.layer, key, "item", [w, packed], [packed], emit, count=lambda _: s.run.total // each
    )
    return packed


def _inputs_by_tile(
    b: Builder, group: Group, s: Sweep, corner: int, x: Place, tiles: Place
) -> None:
    """Add the job that makes Winograd's transformed inputs of a whole image."""
    rows = -(-s.rows // 2)
    parts = max(1, min(rows, 36 * math.prod(x.shape) // CELLS))

    def emit(f: Function) -> None:
        image, target = f.arguments[:2]
        winograd_inputs(f, s, image + corner, target, span_of(f, parts))

    key = ("transform_inputs", s, corner)
    b.schedule.add(group.layer, key, "sample", [x, tiles], [tiles], emit, parts=parts)


def bias_backward(b: Builder, group: Group, g: Place) -> None:
    """Add the job of the bias's gradient, if there is one."""
    bias = group.node.inputs[2]
    if bias is None or not b.wants(bias):
        return
    total = b.collect(bias)
    rows, columns, channels = g.shape
    s = Sweep(rows, columns, channels, 0, 0, g.row, channels, Run((Taps(1, 0, 0),) * 2, 1, 0))

    def emit(f: Function) -> None:
        gradient, target = f.arguments
        bias_gradient(f, s, gradient, target, 1, 0)

    b.schedule.add(group.layer, ("bias_gradient", s), "sample", [g, total], [total], emit)


def _kept(group: Group) -> bool:
    """Whether the way back through the pooling needs a byte of each window."""
    if group.pool is None or isinstance(group.pool, MaxPool2D):
        return group.pool is not None
    return group.activation is not None and group.activation.function != "linear"


def gates(b: Builder, group: Group) -> bool:
    """Whether the backward pass begins at the gradient before the activation, pooled as y is.

    Elsewhere there is a pass over it in any case, to put a frame around it, or to expand it.
    """
    x = b.place(group.node.inputs[0])
    return isinstance(group.pool, MaxPool2D) and winners_pay(b, group, x)


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    node = group.node
    x = b.place(node.inputs[0])
    if gates(b, group):
        g = gated(b, group)
        bias_backward(b, group, g)
        winners_backward(b, group, g, windows_of(group))
        return
    if group.pool is not None:
        dz = _expanded(b, group)
    else:
        around = _frame_for_data(b, group)
        g = gated(b, group, around)
        bias_backward(b, group, g)
        dz = framed(b, group, g, around)
    if b.wants(node.inputs[1]):
        _weights_backward(b, group, x, dz)
    if b.wants(node.inputs[0]):
        _data_backward(b, group, dz)


def _frame_for_data(b: Builder, group: Group) -> Frame:
    """Return the zeros around dz that the data gradient reads; none if it is not wanted."""
    if not b.wants(group.node.inputs[0]):
        return NO_FRAME
    s = _geometry(group, b.place(group.node.inputs[0]), 0)
    (top, bottom), (left, right) = frame_of_gradient(windows_of(group), s.rows, s.columns)
    if _in_tiles(group):
        windows = windows_of(group)
        bottom, right = bottom + windows.rows.size % 2, right + windows.columns.size % 2
    return ((top, bottom), (left, right))


def frame_of_gradient(windows: Windows, rows: int, columns: int) -> Frame:
    """Return the zeros that must be around dy (rows × columns) for every tap to read inside."""
    sides = []
    for axis, count in ((windows.rows, rows), (windows.columns, columns)):
        reached = [p for p in phases(axis) if p.taps]
        before = max((max(0, -p.offset) for p in reached), default=0)
        last = [p.count - 1 + p.offset + (p.taps - 1) * p.step for p in reached]
        sides.append((before, max((max(0, cell - count + 1) for cell in last), default=0)))
    return (sides[0], sides[1])


def framed(b: Builder, group: Group, g: Place, frame: Frame) -> Place:
    """Return dz with the frame that the data gradient needs."""
    if frame == g.frame:
        return g
    dz = b.extra(group, "dz", g.shape, frame=frame)
    b.copy(group.layer, g, dz)
    return dz


def _expanded(b: Builder, group: Group) -> Place:
    """Return dz at full size: each pooled gradient at its winner, or spread over open gates.

    What goes through is added up for the bias's gradient on the way.
    """
    assert group.pool is not None
    height, width = group.pool.pool_size
    dy, y = b.gradient(group.output), b.place(group.output)
    rows, columns, channels = y.shape
    dz = b.extra(
        group, "dz", (rows * height, columns * width, channels), frame=_frame_for_data(b, group)
    )
    average = isinstance(group.pool, AveragePool2D)
    kept = [b.extra(group, "winner")] if _kept(group) else []
    bias = group.node.inputs[2]
    sums = [b.collect(bias)] if bias is not None and b.wants(bias) else []

    def emit(f: Function) -> None:
        gradient, output, *bytes_at, target = f.arguments[: 3 + len(kept)]

        def window(r: Index, c: Index, i: Index, n: int | None) -> Value:
            """Write one window's cells and return their sum."""
            pooled = r * (columns * channels) + c * channels + i
            value = gradient.load(pooled, n)
            if average:
                value = value * (1.0 / (height * width))
            else:
                value = activation.slope_from_output(
                    f, group.activation, value, output.load(r * y.row + c * channels + i, n)
                )
            byte = f.convert(bytes_at[0].load(pooled, n), "i32") if bytes_at else None
            total = f.zero() if average else value
            for k in range(height * width):
                share = value
                if byte is not None:
                    bit = f.constant(1 << k, byte.type)
                    chosen = (byte & bit).equals(bit) if average else byte.equals(k)
                    share = f.select(chosen, value, 0.0)
                if average:
                    total = total + share
                here = (r * height + k // width) * dz.row + (c * width + k % width) * channels
                target.store(share, here + i, n)
            return total

        for i, n in vectors_over(f, channels):

            def over_rows(
                r: Index, acc: list[Value], i: Index = i, n: int | None = n
            ) -> list[Value]:
                return f.carry(columns, acc, lambda c, acc: [acc[0] + window(r, c, i, n)])

            (total,) = f.carry(rows, [f.zero()], over_rows)
            if sums:
                f.arguments[-1].store(f.arguments[-1].load(i, n) + total, i, n)

    key = ("expand", dy.layout, y.layout, dz.layout, group.pool, group.activation, len(kept),
           len(sums))  # fmt: skip
    places = [dy, y, *kept, dz, *sums]
    b.schedule.add(group.layer, key, "sample", places, [dz, *sums], emit)
    return dz


def _weights_backward(b: Builder, group: Group, x: Place, dz: Place) -> None:
    op = group.op
    assert isinstance(op, Conv2D)
    s = _geometry(group, x, dz.row)
    corner = _corner(group, x)
    if op.groups == 1 and winograd_weights_pay(b.target.width, s, op.strides):
        _weights_by_tile(b, group, s, corner, x, dz)
        return
    # Large sums are written once for a chunk of the batch, not once for each sample.
    together = not weights_are_small(s)
    weight = group.node.inputs[1]
    total, add = b.collect_at_once(weight) if together else (b.collect(weight), True)
    per_group = total.shape[2]

    def emit(f: Function) -> None:
        image, gradient, target = f.arguments[:3]
        samples = (f.arguments[3], x.stride, dz.stride) if together else (1, 0, 0)
        with f.each(op.groups) as g:
            here = image + corner + g * per_group
            own = gradient + g * s.outputs, target + g * s.outputs
            weight_gradient(f, s, here, *own, *samples, add=add)

    key = ("conv2d_weights", s, corner, op.groups, together and (x.stride, dz.stride), add)
    macs = s.rows * s.columns * s.outputs * s.run.total * op.groups
    how: Split = "range" if together else "sample"
    b.schedule.add(group.layer, key, how, [x, dz, total], [total], emit, macs=macs)


def _weights_by_tile(b: Builder, group: Group, s: Sweep, corner: int, x: Place, dz: Place) -> None:
    """Add the jobs of the weight gradient in Winograd's form."""
    depth, outputs = s.run.depth, s.outputs
    sums = b.extra(group, "d weights (by tile, by chunk)", (16, depth, outputs), extent="chunk")
    b.clear(sums)
    sizes = winograd_scratch(s)
    scratch = [b.extra(group, f"tiles of both {k}", (size,)) for k, size in enumerate(sizes)]

    def emit(f: Function) -> None:
        image, gradient, target, v, m = f.arguments
        winograd_weight_gradient(f, s, image + corner, gradient, v, m, target)

    key = ("conv2d_winograd_weights", s, corner)
    macs = s.rows * s.columns * outputs * s.run.total
    places = [x, dz, sums, *scratch]
    b.schedule.add(group.layer, key, "sample", places, [sums, *scratch], emit, macs=macs)

    def back() -> None:
        whole = b.extra(group, "d weights (by tile)", (16, depth, outputs), extent="whole")
        b.add_up(sums, whole, add=False)
        weight = group.node.inputs[1]
        gradient, add = b.weight_gradient(weight)
        flag = flag_of(b, weight)

        def emit_back(f: Function) -> None:
            source, target, *flag_at, item, _ = f.arguments
            with looking(f, flag_at) as look:
                weights_from_tiles(f, source, target, depth, outputs, item, look, add=add)

        b.schedule.add(
            group.layer, ("weights_from_tiles", depth, outputs, add, len(flag)), "item",
            [whole, gradient, *flag], [gradient], emit_back, count=lambda _: depth,
        )  # fmt: skip

    b.after_backward(back)


@dataclass(frozen=True)
class Phase:
    """Every `stride`-th cell of an axis of x, and the taps that reach it.

    Cell q of the phase receives from dy at q + offset + t·step, through the tap first + t·w_step
    of the kernel read backwards, t = 0 … taps − 1.
    """

    begin: int
    count: int
    taps: int
    offset: int
    step: int
    first: int
    w_step: int


def phases(axis: Axis) -> list[Phase]:
    s, d = axis.stride, axis.dilation
    found = []
    for begin in range(min(s, axis.size)):
        taps = [k for k in reversed(range(axis.window)) if (begin + axis.before - k * d) % s == 0]
        count = -(-(axis.size - begin) // s)
        w_step = s // math.gcd(s, d)
        if not taps:
            found.append(Phase(begin, count, 0, 0, 0, 0, 0))
            continue
        offset = (begin + axis.before - taps[0] * d) // s
        first = axis.window - 1 - taps[0]
        found.append(Phase(begin, count, len(taps), offset, w_step * d // s, first, w_step))
    return found


def _data_backward(b: Builder, group: Group, dz: Place) -> None:
    op, kernel = group.op, group.node.inputs[1]
    assert isinstance(op, Conv2D)
    assert kernel is not None
    kh, kw, c, filters = (n or 0 for n in kernel.shape)
    o = filters // op.groups
    turned = turned_kernel(b, group, (kh, kw, c, filters))
    dx, add = b.claim(group.node.inputs[0])
    windows = windows_of(group)
    channels = dx.shape[2]
    pairs = [(r, q) for r in phases(windows.rows) for q in phases(windows.columns)]

    def image(r: Phase, q: Phase) -> Sweep:
        taps = (
            Taps(r.taps, r.step * dz.row, r.w_step * kw * filters * c),
            Taps(q.taps, q.step * filters, q.w_step * filters * c),
        )
        steps = op.strides[0] * dx.row, op.strides[1] * channels
        return Sweep(r.count, q.count, c, dz.row, filters, *steps, Run(taps, o, c))

    whole = image(*pairs[0])
    fast = op.groups == 1 and winograd_pays(b.target.width, whole, op.strides)
    if fast:
        turned = _transformed(b, group, turned)
    sizes = winograd_scratch(whole) if fast else ()
    scratch = [b.extra(group, f"gradient tiles {k}", (size,)) for k, size in enumerate(sizes)]
    packed = not fast and op.groups == len(pairs) == 1 and packing_pays(b.target.width, whole)
    if packed:
        turned = _packed(b, group, turned, whole)
    sums = 0 if fast else max(sums_waiting(b.target.width, image(*pair)) for pair in pairs)
    if sums:
        scratch = [b.extra(group, "gradient sums", (sums,))]

    def emit(f: Function) -> None:
        gradient, weights, target, *tiles = f.arguments
        if fast:
            (r, q) = pairs[0]
            source = gradient + (r.offset * dz.row + q.offset * filters)
            finish = to_image(f, whole, target, lambda value: value, add=add)
            winograd(f, whole, source, weights, tiles[0], tiles[1], None, finish)
            return
        with f.each(op.groups) as g:
            for r, q in pairs:
                here = target + (r.begin * dx.row + q.begin * channels) + g * c
                s = image(r, q)
                if not (r.taps and q.taps):
                    if not add:
                        _clear(f, s, here)
                    continue
                source = gradient + (r.offset * dz.row + q.offset * filters) + g * o
                first = weights + (r.first * kw + q.first) * filters * c + g * (o * c)
                finish = to_image(f, s, here, lambda value: value, add=add)
                waiting = tiles[0] if sums_waiting(b.target.width, s) else None
                start = from_bias(f, None)
                sweep(f, s, source, first, start, finish, waiting=waiting, packed=packed)

    key = ("conv2d_data", dz.layout, dx.layout, kernel.shape, op, add)
    macs = math.prod(dz.shape) * kh * kw * c
    places = [dz, turned, dx, *scratch]
    b.schedule.add(group.layer, key, "sample", places, [dx, *scratch], emit, macs=macs)


def _clear(f: Function, s: Sweep, y: Address) -> None:
    """Set to 0 the cells that no window reaches."""
    with f.each(s.rows) as i, f.each(s.columns) as j:
        for k, n in vectors_over(f, s.outputs):
            y.store(f.zero(), i * s.y_row + j * s.y_column + k, n)


def turned_kernel(b: Builder, group: Group, shape: tuple[int, int, int, int]) -> Place:
    """Return the kernel read backwards and transposed: (KH, KW, groups, O/groups, C/groups)."""
    kh, kw, c, filters = shape
    groups = group.op.groups
    o = filters // groups
    w = b.place(group.node.inputs[1])
    turned = b.schedule.place(f"{w.name} (turned)", (kh, kw, filters, c), extent="whole")

    def emit(f: Function) -> None:
        source, target, item, _ = f.arguments
        backwards = kh * kw - 1 - item
        with f.each(groups) as g:
            transpose(
                f, source + item * (c * filters) + g * o, filters,
                target + backwards * (c * filters) + g * (o * c), c, c, o,
            )  # fmt: skip

    b.schedule.add(
        group.layer,
        ("turn", shape, groups),
        "item",
        [w, turned],
        [turned],
        emit,
        count=lambda _: kh * kw,
    )
    return turned

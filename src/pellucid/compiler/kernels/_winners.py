"""Gradients of a convolution behind max pooling, from the winners alone.

Of the gradients in a pooling window at most one is not 0 (none, where ReLU is shut). With those
listed as (offset, value), both gradients do exactly the work that is there:

* **weights**: for each output channel, dW[o, :] = Σ over its list of value · x[offset …]: the
  whole window, KH·KW·C numbers, is kept in registers while the list is read;
* **data**: for each place that can win, dx[window] += Σ over its list of value · W[o, :].

Here kernels are (O, KH·KW·C): transposed at the start, and back at the end. Floor: KH·KW·C
multiply-adds for each winner; each needs one load, so the limit is that of the load units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Address, Function, Index, Value
from pellucid.compiler.kernels._tiles import Run, Taps, block_of
from pellucid.compiler.kernels._transpose import transpose, transpose_found
from pellucid.compiler.kernels._update import flag_of, looking
from pellucid.compiler.schedule import Place
from pellucid.ops._operation import known

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.ops._window import Windows

__all__ = ["winners_backward", "winners_pay"]


def _pieces(f_lanes: int, run: Run) -> list[tuple[int, int, int]]:
    """Return (offset in x, offset in w, count) of the vectors that a window's numbers make."""
    joined = run.joined
    rows, columns = joined.taps
    found = []
    for r in range(rows.count):
        for c in range(columns.count):
            for k in range(0, joined.depth, f_lanes):
                count = min(f_lanes, joined.depth - k)
                found.append(
                    (r * rows.x + c * columns.x + k, r * rows.w + c * columns.w + k, count)
                )
    return found


def _run(group: Group, x: Place) -> Run:
    """The window's numbers in x, and in a kernel (O, KH·KW·C)."""
    op = group.op
    kernel = group.node.inputs[1]
    assert kernel is not None
    kh, kw, c, _ = known(kernel.shape)
    return Run(
        (
            Taps(kh, op.dilation_rate[0] * x.row, kw * c),
            Taps(kw, op.dilation_rate[1] * c, c),
        ),
        c,
        1,
    )


def winners_pay(b: Builder, group: Group, x: Place) -> bool:
    """Whether lists of winners take fewer cycles than the dense form, if half the gates are open.

    Dense: two multiply-adds in a cycle. Lists: three cycles for two vectors, and ten for an entry.
    """
    if group.op.groups != 1:
        return False
    lanes = b.target.width.lanes
    run = _run(group, x)
    assert group.pool is not None
    height, width = group.pool.pool_size
    dense = height * width * run.total / lanes / 2
    return 0.5 * (len(_pieces(lanes, run)) * 1.5 + 10) + 5 < dense


def winners_backward(b: Builder, group: Group, g: Place, windows: Windows) -> None:
    """Add the jobs of both gradients."""
    node = group.node
    x = b.place(node.inputs[0])
    kernel = b.place(node.inputs[1])
    filters = kernel.shape[3]
    total = _run(group, x).total
    (top, _), (left, _) = windows.padding
    corner = -(top * x.row + left * x.shape[2])
    if b.wants(node.inputs[1]):
        _weights(b, group, g, x, corner, total, filters)
    if b.wants(node.inputs[0]):
        _data(b, group, g, kernel, total, filters, windows)


def _weights(
    b: Builder, group: Group, g: Place, x: Place, corner: int, total: int, filters: int
) -> None:
    winner = b.extra(group, "winner")
    collected = b.extra(group, "d kernel (by channel, by chunk)", (filters, total), extent="chunk")
    b.clear(collected)
    rows, columns, _ = g.shape
    capacity = rows * columns + b.target.width.lanes
    offsets = b.extra(group, "offsets", (capacity,), element="i32")
    values = b.extra(group, "values", (capacity,))
    op, pool = group.op, group.pool
    assert pool is not None
    step = (op.strides[0] * x.row, op.strides[1] * x.shape[2])
    run = _run(group, x)
    most = b.target.width.registers - 4

    def emit(f: Function) -> None:
        gradient, places, image, offset_list, value_list, target = f.arguments
        pieces = _pieces(f.lanes, run)
        with f.each(filters) as o:
            count = _list_of_channel(
                f, gradient + o, places + o, offset_list, value_list,
                (rows, columns, filters), pool.pool_size, step,
            )  # fmt: skip
            with f.when(count > 0):
                here = target + o * total
                for first in range(0, len(pieces), most):
                    part = pieces[first : first + most]
                    start = [here.load(in_w, n) for _, in_w, n in part]

                    def body(
                        k: Index, acc: list[Value], part: list[tuple[int, int, int]] = part
                    ) -> list[Value]:
                        source = image + corner + f.convert(offset_list.get(k), "i64")
                        value = value_list.broadcast(k)
                        return [
                            f.fma(value, source.load(in_x, n), a)
                            for a, (in_x, _, n) in zip(acc, part, strict=True)
                        ]

                    ends = f.carry(count, start, body)
                    for value, (_, in_w, n) in zip(ends, part, strict=True):
                        here.store(value, in_w, n)

    key = ("winners_weights", g.layout, x.layout, pool.pool_size, op, filters, corner)
    places = [g, winner, x, offsets, values, collected]
    b.schedule.add(
        group.layer, key, "sample", places, [offsets, values, collected], emit,
        macs=rows * columns * filters * total,
    )  # fmt: skip
    b.after_backward(lambda: _back_in_shape(b, group, collected, total, filters))


def _list_of_channel(
    f: Function,
    gradient: Address,
    places: Address,
    offset_list: Address,
    value_list: Address,
    shape: tuple[int, int, int],
    window: tuple[int, int],
    step: tuple[int, int],
) -> Value:
    """Write (offset in x, value) of every gradient of one channel that is not 0; return how many.

    Every entry is written; the next is written over it if it was 0: no branch to mispredict.
    """
    rows, columns, channels = shape
    height, width = window

    def over_rows(i: Index, carried: list[Value]) -> list[Value]:
        def over_columns(j: Index, carried: list[Value]) -> list[Value]:
            (position,) = carried
            here = i * (columns * channels) + j * channels
            value = gradient.get(here)
            won = f.convert(places.get(here), "i64")
            offset = (won // width) * step[0] + (won % width) * step[1]
            offset = offset + (i * (height * step[0]) + j * (width * step[1]))
            offset_list.put(f.convert(offset, "i32"), position)
            value_list.put(value, position)
            return [position + f.convert(value.differs(0.0), "i64")]

        return f.carry(columns, carried, over_columns)

    return f.carry(rows, [f.constant(0, "i64")], over_rows)[0]


def _back_in_shape(b: Builder, group: Group, collected: Place, total: int, filters: int) -> None:
    """Add up the chunks, and transpose to (KH, KW, C, O)."""
    weight = group.node.inputs[1]
    gradient, add = b.weight_gradient(weight)
    assert not add, "a shared kernel goes the dense way"
    lanes = b.target.width.lanes

    def emit(f: Function) -> None:
        source, chunks, target, *flag_at, item, _ = f.arguments
        count = chunks.get()

        def body(first: Index, many: int) -> None:
            here = source + first * total

            def sums(row: Index, column: Index, height: int, width: int) -> list[Value]:
                def step(c: Index, acc: list[Value]) -> list[Value]:
                    chunk = here + c * collected.stride + row * total + column
                    return [a + chunk.load(i * total, width) for i, a in enumerate(acc)]

                found = f.carry(count, [f.zero()] * height, step)
                for value in found:
                    look(value)
                return found

            with looking(f, flag_at) as look:
                transpose_found(f, sums, target + first, filters, many, total)

        block_of(f, filters, item, lanes, body)

    flag = flag_of(b, weight)
    b.schedule.add(
        group.layer, ("add_up_by_channel", filters, total, len(flag)), "item",
        [collected, b.chunk_count, gradient, *flag], [gradient], emit,
        count=lambda _: -(-filters // lanes),
    )  # fmt: skip


def _data(
    b: Builder, group: Group, g: Place, kernel: Place, total: int, filters: int, windows: Windows
) -> None:
    winner = b.extra(group, "winner")
    by_channel = b.schedule.place(f"{kernel.name} (by channel)", (filters, total), extent="whole")
    lanes = b.target.width.lanes

    def emit_turn(f: Function) -> None:
        source, target, item, _ = f.arguments

        def body(first: Index, many: int) -> None:
            transpose(f, source + first, filters, target + first * total, total, total, many)

        block_of(f, filters, item, lanes, body)

    b.schedule.add(
        group.layer, ("by_channel", filters, total), "item", [kernel, by_channel], [by_channel],
        emit_turn, count=lambda _: -(-filters // lanes),
    )  # fmt: skip
    # dx is written with a frame, so that windows which reach into the padding need no test.
    claimed, add = b.claim(group.node.inputs[0])
    x = b.place(group.node.inputs[0])
    dx = b.extra(group, "dx", x.shape, frame=windows.padding)
    direct = dx.frame == claimed.frame
    target_place = claimed if direct else dx
    rows, columns, _ = g.shape
    op, pool = group.op, group.pool
    assert pool is not None
    run = _run(group, target_place)
    step = (op.strides[0] * target_place.row, op.strides[1] * x.shape[2])
    (top, _), (left, _) = windows.padding
    corner = -(top * target_place.row + left * x.shape[2])
    indices = b.extra(group, "indices", (filters + lanes,), element="i32")
    values = b.extra(group, "data values", (filters + lanes,))
    height, width = pool.pool_size
    most = b.target.width.registers - 4

    def emit(f: Function) -> None:
        gradient, places, weights, index_list, value_list, target = f.arguments
        if not (direct and add):
            from pellucid.compiler.ir import vectors_over

            for i, n in vectors_over(f, target_place.size):
                target.store(f.zero(), i - target_place.begin, n)
        pieces = _pieces(f.lanes, run)
        with f.each(rows) as r, f.each(columns) as c, f.each(height * width) as k:
            pooled = r * (columns * filters) + c * filters
            count = _list_of_place(
                f, gradient + pooled, places + pooled, index_list, value_list, filters, total, k
            )
            with f.when(count > 0):
                row = r * height + k // width
                column = c * width + k % width
                here = target + corner + row * step[0] + column * step[1]
                for first in range(0, len(pieces), most):
                    part = pieces[first : first + most]
                    start = [here.load(in_x, n) for in_x, _, n in part]

                    def body(
                        e: Index, acc: list[Value], part: list[tuple[int, int, int]] = part
                    ) -> list[Value]:
                        source = weights + f.convert(index_list.get(e), "i64")
                        value = value_list.broadcast(e)
                        return [
                            f.fma(value, source.load(in_w, n), a)
                            for a, (_, in_w, n) in zip(acc, part, strict=True)
                        ]

                    ends = f.carry(count, start, body)
                    for value, (in_x, _, n) in zip(ends, part, strict=True):
                        here.store(value, in_x, n)

    key = (
        "winners_data",
        g.layout,
        target_place.layout,
        pool.pool_size,
        op,
        filters,
        direct and add,
    )
    b.schedule.add(
        group.layer, key, "sample", [g, winner, by_channel, indices, values, target_place],
        [indices, values, target_place], emit, macs=rows * columns * filters * total,
    )  # fmt: skip
    if not direct:
        b.copy(group.layer, dx, claimed, add=add)


def _list_of_place(
    f: Function,
    gradient: Address,
    places: Address,
    index_list: Address,
    value_list: Address,
    filters: int,
    total: int,
    k: Index,
) -> Value:
    """Write (offset in the kernel, value) of the channels that place k won; return how many."""
    count = f.constant(0, "i64")
    kind = f"<{f.lanes} x i32>"
    lanes = ", ".join(f"i32 {i * total}" for i in range(f.lanes))
    for v in range(-(-filters // f.lanes)):
        n = min(f.lanes, filters - v * f.lanes)
        value = gradient.load(v * f.lanes, n)
        won = f.convert(places.load(v * f.lanes, n), "i32")
        wanted = f.splat(f.convert(k, "i32")) if isinstance(k, Value) else f.constant(k, kind)
        chosen = won.equals(wanted) & value.differs(0.0)
        index = f.value(kind, f"add {kind} <{lanes}>, splat (i32 {v * f.lanes * total})")
        index_list.store(f.compress(index, chosen), count)
        value_list.store(f.compress(value, chosen), count)
        count = count + f.population(chosen)
    return count

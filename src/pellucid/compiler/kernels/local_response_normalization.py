"""Local response normalisation, pixel by pixel: sums over neighbouring channels.

What is summed is written to a row with zeros on both sides, so that every sum is of as many
unaligned loads. Floor: `size` loads, a logarithm and an exponential for each number, each way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels import _math as m
from pellucid.compiler.schedule import Place

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward"]


def _row(b: Builder, group: Group, name: str, channels: int) -> Place:
    return b.extra(group, name, (channels + group.op.size - 1,))


def _clear(f: Function, place: Place, *rows: Address) -> None:
    for k, n in vectors_over(f, place.size):
        for row in rows:
            row.store(f.zero(), k, n)


def _sum(row: Address, k: Index, n: int | None, size: int) -> Value:
    total = row.load(k, n)
    for d in range(1, size):
        total = total + row.load(k + d, n)
    return total


def _activity(f: Function, group: Group, row: Address, k: Index, n: int | None) -> Value:
    op = group.op
    return f.fma(_sum(row, k, n, op.size), f.splat(op.alpha / op.size), f.splat(op.bias))


def _power(f: Function, group: Group, activity: Value) -> Value:
    return m.exp(f, m.log(f, activity) * -group.op.beta)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    height, width, channels = x.shape
    squares = _row(b, group, "squares", channels)
    behind = (group.op.size - 1) // 2

    def emit(f: Function) -> None:
        source, target, row = f.arguments
        _clear(f, squares, row)
        with f.each(height) as i, f.each(width) as j:
            here, there = (p + (i * q.row + j * channels) for p, q in ((source, x), (target, y)))
            for k, n in vectors_over(f, channels):
                value = here.load(k, n)
                row.store(value * value, k + behind, n)
            for k, n in vectors_over(f, channels):
                power = _power(f, group, _activity(f, group, row, k, n))
                there.store(here.load(k, n) * power, k, n)

    key = ("local_response_normalization", group.op, x.layout, y.layout)
    b.schedule.add(group.layer, key, "sample", [x, y, squares], [y, squares], emit)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    source = group.node.inputs[0]
    if not b.wants(source):
        return
    op = group.op
    x, dy, (dx, add) = b.place(source), b.gradient(group.output), b.claim(source)
    height, width, channels = x.shape
    squares, shares = (_row(b, group, name, channels) for name in ("squares", "shares"))
    behind = (op.size - 1) // 2
    ahead = op.size - 1 - behind

    def emit(f: Function) -> None:
        image, gradient, target, row, shared = f.arguments
        _clear(f, squares, row, shared)
        with f.each(height) as i, f.each(width) as j:
            here, up, there = (
                p + (i * q.row + j * channels)
                for p, q in ((image, x), (gradient, dy), (target, dx))
            )
            for k, n in vectors_over(f, channels):
                value = here.load(k, n)
                row.store(value * value, k + behind, n)
            for k, n in vectors_over(f, channels):
                activity = _activity(f, group, row, k, n)
                scaled = up.load(k, n) * _power(f, group, activity)
                share = scaled * here.load(k, n) / activity
                shared.store(share, k + ahead, n)
                there.store(scaled + there.load(k, n) if add else scaled, k, n)
            for k, n in vectors_over(f, channels):
                total = _sum(shared, k, n, op.size) * (-2 * op.alpha * op.beta / op.size)
                there.store(f.fma(here.load(k, n), total, there.load(k, n)), k, n)

    key = ("local_response_normalization_gradient", op, x.layout, dy.layout, dx.layout, add)
    places = [x, dy, dx, squares, shares]
    b.schedule.add(group.layer, key, "sample", places, [dx, squares, shares], emit)

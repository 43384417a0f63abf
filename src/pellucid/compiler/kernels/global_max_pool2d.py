"""Global max pooling: the largest number and the pixel it is in are kept in registers.

Floor: a load for each number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Index, Value, vectors_over

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward"]


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    height, width, channels = x.shape
    winner = b.extra(group, "winner", (channels,), element="i32")

    def emit(f: Function) -> None:
        source, target, places = f.arguments
        for k, n in vectors_over(f, channels):

            def over_rows(
                i: Index, kept: list[Value], k: Index = k, n: int | None = n
            ) -> list[Value]:
                def over_columns(j: Index, kept: list[Value]) -> list[Value]:
                    best, place = kept
                    new = source.load(i * x.row + j * channels + k, n)
                    better = (new > best) | new.differs(new)
                    pixel = f.constant(0, "i64") + (i * width + j)
                    here = f.splat(f.convert(pixel, "i32"))
                    return [f.select(better, new, best), f.select(better, here, place)]

                return f.carry(width, kept, over_columns)

            start = [source.load(k, n), f.constant(0, f"<{f.lanes} x i32>")]
            best, place = f.carry(height, start, over_rows)
            target.store(best, k, n)
            places.store(place, k, n)

    key = ("global_max_pool2d", x.layout)
    b.schedule.add(group.layer, key, "sample", [x, y, winner], [y, winner], emit)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    if not b.wants(group.node.inputs[0]):
        return
    dy, winner = b.gradient(group.output), b.extra(group, "winner")
    dx, add = b.claim(group.node.inputs[0])
    height, width, channels = dx.shape

    def emit(f: Function) -> None:
        gradient, places, target = f.arguments
        for k, n in vectors_over(f, channels):
            value, place = gradient.load(k, n), places.load(k, n)
            with f.each(height) as i, f.each(width) as j:
                pixel = f.constant(0, "i64") + (i * width + j)
                share = f.select(place.equals(f.splat(f.convert(pixel, "i32"))), value, 0.0)
                here = i * dx.row + j * channels + k
                target.store(target.load(here, n) + share if add else share, here, n)

    key = ("global_max_pool2d_gradient", dx.layout, add)
    b.schedule.add(group.layer, key, "sample", [dy, winner, dx], [dx], emit)

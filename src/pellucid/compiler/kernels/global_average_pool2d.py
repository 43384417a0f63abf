"""Global average pooling: for each vector of channels, the pixels are added up in a register.

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

    def emit(f: Function) -> None:
        source, target = f.arguments
        for k, n in vectors_over(f, channels):

            def over_rows(
                i: Index, acc: list[Value], k: Index = k, n: int | None = n
            ) -> list[Value]:
                def over_columns(j: Index, acc: list[Value]) -> list[Value]:
                    return [acc[0] + source.load(i * x.row + j * channels + k, n)]

                return f.carry(width, acc, over_columns)

            (total,) = f.carry(height, [f.zero()], over_rows)
            target.store(total * (1 / (height * width)), k, n)

    b.schedule.add(group.layer, ("global_average_pool2d", x.layout), "sample", [x, y], [y], emit)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    if not b.wants(group.node.inputs[0]):
        return
    dy = b.gradient(group.output)
    dx, add = b.claim(group.node.inputs[0])
    height, width, channels = dx.shape

    def emit(f: Function) -> None:
        gradient, target = f.arguments
        for k, n in vectors_over(f, channels):
            share = gradient.load(k, n) * (1 / (height * width))
            with f.each(height) as i, f.each(width) as j:
                here = i * dx.row + j * channels + k
                target.store(target.load(here, n) + share if add else share, here, n)

    key = ("global_average_pool2d_gradient", dx.layout, add)
    b.schedule.add(group.layer, key, "sample", [dy, dx], [dx], emit)

"""Rescaling by a factor and an offset, of all or by channel. Floor: a load and a store of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function
from pellucid.compiler.kernels._channels import pixels_of
from pellucid.compiler.kernels._elementwise import elementwise

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.ops.rescaling import Factor

__all__ = ["backward", "forward"]


def _rescale(
    b: Builder, group: Group, source: Place, target: Place, offset: Factor, *, add: bool = False
) -> None:
    """Add the job target = source · scale + offset, or target += …."""
    scale = group.op.scale
    if not isinstance(scale, tuple) and not isinstance(offset, tuple):
        elementwise(
            b, group.layer, ("rescaling", scale, offset), [source], target,
            lambda f, x: f.fma(x, f.splat(float(scale)), f.splat(float(offset))), add=add,
        )  # fmt: skip
        return
    factors, summands = (
        _by_channel(b, group, name, value, source.shape[-1])
        for name, value in (("scale", scale), ("offset", offset))
    )

    def emit(f: Function) -> None:
        x, y, factor, summand = f.arguments
        for (i, j), k, n in pixels_of(f, source, target):
            value = f.fma(x.load(i, n), factor.load(k, n), summand.load(k, n))
            y.store(value + y.load(j, n) if add else value, j, n)

    key = ("rescaling_by_channel", source.layout, target.layout, add)
    b.schedule.add(group.layer, key, "sample", [source, target, factors, summands], [target], emit)


def _by_channel(b: Builder, group: Group, name: str, value: Factor, channels: int) -> Place:
    """Return the place of a factor for each channel, and add the job that writes it."""
    numbers = value if isinstance(value, tuple) else (value,) * channels
    place = b.schedule.place(f"{group.layer}.{name}", (channels,), extent="whole")

    def emit(f: Function) -> None:
        target, *_ = f.arguments
        for k, number in enumerate(numbers):
            target.put(float(number), k)

    key = ("constants", numbers)
    b.schedule.add(group.layer, key, "item", [place], [place], emit, count=lambda _: 1)
    return place


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    x = b.place(group.node.inputs[0])
    _rescale(b, group, x, b.place(group.output), group.op.offset)


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy · scale."""
    if b.wants(group.node.inputs[0]):
        dx, add = b.claim(group.node.inputs[0])
        _rescale(b, group, b.gradient(group.output), dx, 0.0, add=add)

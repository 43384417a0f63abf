"""Zero padding: the image is copied into a place whose edges nobody writes. Floor: its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, vectors_over

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place

__all__ = ["backward", "forward"]


def _copy(b: Builder, group: Group, source: Place, target: Place, inward: bool, add: bool) -> None:
    """Add the job that copies the smaller image into the larger one, or out of it."""
    (top, _), (left, _) = group.op.padding
    small, large = (target, source) if inward else (source, target)
    height, width, channels = small.shape
    begin = top * large.row + left * channels

    def emit(f: Function) -> None:
        x, y = f.arguments
        with f.each(height) as r:
            here = x + r * source.row + (begin if inward else 0)
            there = y + r * target.row + (0 if inward else begin)
            for i, n in vectors_over(f, width * channels):
                value = here.load(i, n)
                there.store(value + there.load(i, n) if add else value, i, n)

    key = ("zero_padding2d", source.layout, target.layout, begin, inward, add)
    b.schedule.add(group.layer, key, "sample", [source, target], [target], emit)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    _copy(b, group, b.place(group.node.inputs[0]), b.place(group.output), False, False)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    if b.wants(group.node.inputs[0]):
        dx, add = b.claim(group.node.inputs[0])
        _copy(b, group, b.gradient(group.output), dx, True, add)

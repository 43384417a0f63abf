"""Channels laid out as blocks of pixels, and back. Floor: a load and a store for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, vectors_over

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place

__all__ = ["move_blocks"]


def move_blocks(
    b: Builder, group: Group, deep: Place, large: Place, *, outward: bool, add: bool = False
) -> None:
    """Add the job that copies deep to large, or (not `outward`) large to deep, or adds it."""
    size, runs = group.op.block_size, group.op.mode == "DCR"
    height, width, depth = deep.shape
    channels = large.shape[2]

    def emit(f: Function) -> None:
        source, target = f.arguments
        thin, wide = (source, target) if outward else (target, source)
        with f.each(height) as h, f.each(width) as w:
            for k in range(size * size):
                p, q = divmod(k, size)
                there = wide + ((h * size + p) * large.row + (w * size + q) * channels)
                here = thin + (h * deep.row + w * depth)
                a, z = (here, there) if outward else (there, here)
                if runs:
                    for c, n in vectors_over(f, channels):
                        from_, to = (c + k * channels, c) if outward else (c, c + k * channels)
                        value = a.load(from_, n)
                        z.store(value + z.load(to, n) if add else value, to, n)
                    continue
                with f.each(channels) as c:
                    inside = c * (size * size) + k
                    from_, to = (inside, c) if outward else (c, inside)
                    number = a.get(from_)
                    z.put(number + z.get(to) if add else number, to)

    places = [deep, large] if outward else [large, deep]
    key = ("move_blocks", deep.layout, large.layout, size, runs, outward, add)
    b.schedule.add(group.layer, key, "sample", places, places[1:], emit, note=group.op.name)

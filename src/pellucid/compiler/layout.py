"""Where buffers lie: chunks of a batch, offsets in one block of memory, who shares with whom."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from pellucid.compiler.schedule import NO_FRAME, Job, Place, Section
from pellucid.ops._operation import Array

__all__ = ["ELEMENTS", "chunk_size", "distance", "lay_out", "order", "together"]

ELEMENTS = {"float": np.float32, "i8": np.uint8, "i32": np.int32, "i64": np.int64}
"""The type of the numbers of a place, by the name of its elements."""

APART = 16_384
"""How many bytes lie between two threads' scratch: so far ahead a processor fetches by itself."""

CHUNK_MEMORY = 128 * 2**20
"""About how many bytes the sums of all chunks may take together."""


WRITE_ALL = (
    *("conv2d", "conv2d_winograd", "transform_inputs", "depthwise_conv2d", "add", "activation"),
    *("copy", "max_pool2d", "average_pool2d", "global_average_pool2d", "dense", "dense_parts"),
    *("dense_sum", "softmax", "rows"),
)
"""The kernels that write every cell of what they make."""


def chunk_size(batch: int, bytes_each: int = 0) -> int:
    """Return how many samples a chunk has, if a chunk's sums take so many bytes.

    It does not depend on the number of threads, so that the sums do not.
    """
    size = max(-(-batch // 16), min(8, -(-batch // 8)))
    while bytes_each * -(-batch // size) > CHUNK_MEMORY and size * 4 < batch:
        size *= 2
    return size


def distance(place: Place) -> int:
    """Return how far it is from one thread's scratch to the next one's, in numbers.

    What a processor fetches ahead of its own must not be what another one is writing.
    """
    return place.stride + APART // np.dtype(ELEMENTS[place.element]).itemsize


def order(place: Place, apart: bool) -> int:
    """Return where a place belongs in memory: before those with a higher number.

    What all threads read comes last: behind its end they fetch what follows.
    """
    return 0 if place.by_thread(apart) else 1 + ("sample", "chunk", "whole").index(place.extent)


def lay_out(sizes: Sequence[int]) -> tuple[Array, list[int]]:
    """Return memory for buffers of so many bytes, all 0, and where in it each begins."""
    offsets, total = [], 0
    for size in sizes:
        offsets.append(total)
        total += -(-size // 64) * 64 + 64
    raw = np.zeros(total + 64, np.uint8)
    return raw[-raw.ctypes.data % 64 :][:total], offsets


def together(sections: Sequence[Section], places: Sequence[Place]) -> list[list[Place]]:
    """Return which places can have the same memory, one after the other, phase by phase.

    A place whose cells are all written may follow any such; else it follows those of its layout
    and kernels alone, whose zeros are where its own are.
    """
    phases = [phase for section in sections for phase in section.phases]
    used: dict[Place, list[int]] = {}
    writers: dict[Place, list[Job]] = {}
    for number, phase in enumerate(phases):
        for job in (*phase.chain, *phase.items, *phase.apart):
            for place in {*job.reads, *job.writes}:
                used.setdefault(place, []).append(number)
            for place in job.writes:
                writers.setdefault(place, []).append(job)
    found: list[list[Place]] = []
    free: dict[Hashable, list[tuple[int, list[Place]]]] = {}
    for place in sorted(places, key=lambda place: min(used.get(place, [0]))):
        by = writers.get(place, [])
        if place.keep or place.extent != "sample" or not by:
            found.append([place])
            continue
        whole = place.frame == NO_FRAME and all(job.note in WRITE_ALL for job in by)
        kind = None if whole else (place.layout, place.element, *(job.kernel for job in by))
        buffers = free.setdefault(kind, [])
        fitting = [entry for entry in buffers if entry[0] < min(used[place])]
        if fitting:
            entry = min(fitting, key=lambda entry: abs(entry[1][0].size - place.size))
            buffers.remove(entry)
            buffer = entry[1]
            buffer.append(place)
        else:
            buffer = [place]
            found.append(buffer)
        buffers.append((max(used[place]), buffer))
    return found

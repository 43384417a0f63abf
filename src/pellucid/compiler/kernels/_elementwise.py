"""Jobs that do the same to every number of tensors of one size."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.schedule import cells

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder
    from pellucid.compiler.schedule import Place

__all__ = ["elementwise"]


def elementwise(
    b: Builder,
    layer: str,
    key: tuple[Hashable, ...],
    inputs: Sequence[Place],
    output: Place,
    rule: Callable[..., Value],
    *,
    add: bool = False,
) -> None:
    """Add the job output = rule(f, *inputs), or output += …, vector by vector."""

    def emit(f: Function) -> None:
        *sources, target = f.arguments
        for offsets, n in cells(f, output, *inputs):
            given = [source.load(i, n) for source, i in zip(sources, offsets[1:], strict=True)]
            value = rule(f, *given)
            target.store(value + target.load(offsets[0], n) if add else value, offsets[0], n)

    full = (*key, output.layout, *(place.layout for place in inputs), add)
    b.schedule.add(layer, full, "sample", [*inputs, output], [output], emit)

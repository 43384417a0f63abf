"""Jobs that do the same to every number of tensors of one size."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.spans import cells, parts_of_cells, span_of

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
    parts = 1 if b.training else parts_of_cells(output, *inputs)

    def emit(f: Function) -> None:
        *sources, target = f.arguments[: len(inputs) + 1]
        for offsets, n in cells(f, output, *inputs, span=span_of(f, parts)):
            given = [source.load(i, n) for source, i in zip(sources, offsets[1:], strict=True)]
            value = rule(f, *given)
            target.store(value + target.load(offsets[0], n) if add else value, offsets[0], n)

    full = (*key, output.layout, *(place.layout for place in inputs), add)
    b.schedule.add(layer, full, "sample", [*inputs, output], [output], emit, parts=parts)

"""Tensors merged number by number, of one shape or spread to each other's.

Every tensor is read where it lies: along an axis that it is spread over it does not move. Axes that
lie one after the other in all tensors are one loop; the innermost goes by vectors, or reads one
number into all lanes. The gradient of a spread tensor is added up in memory, in the order of the
loops. Floor: a load for each number of each tensor, and one store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels._strided import Steps, cells_along, joined, own_steps
from pellucid.compiler.schedule import Place
from pellucid.ops._operation import known

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node
    from pellucid.graph import Value as GraphValue

__all__ = ["Rule", "refusal"]


@dataclass(frozen=True)
class Rule:
    """How numbers are merged.

    Attributes:
        merge: y from the numbers that stand in one place.
        share: The gradient of number i, from dy, y and the numbers.
        sees: What `share` looks at beside dy: nothing, the other numbers, or y and all of them. In
            the place of what it does not look at it gets dy.
    """

    merge: Callable[[Function, list[Value]], Value]
    share: Callable[[Function, int, Value, Value, list[Value]], Value]
    sees: Literal["nothing", "others", "all"] = "all"

    def forward(self, b: Builder, group: Group) -> None:
        """Add the job of the forward pass."""
        values = group.node.inputs
        parts = [b.place(value) for value in values]
        y = b.place(group.output)
        shape = known(group.output.shape[1:])
        steps = [own_steps(y), *(_steps(v, p, shape) for v, p in zip(values, parts, strict=True))]
        axes = joined(shape, steps)

        def emit(f: Function) -> None:
            *sources, target = f.arguments
            last = axes[-1][1]
            for offsets, n in cells_along(f, axes):
                numbers = [
                    _read(f, source, i, n, step)
                    for source, i, step in zip(sources, offsets[1:], last[1:], strict=True)
                ]
                target.store(self.merge(f, numbers), offsets[0], n)

        key = (group.op.name, group.op, tuple(axes))
        b.schedule.add(group.layer, key, "sample", [*parts, y], [y], emit)

    def backward(self, b: Builder, group: Group) -> None:
        """Add the jobs of the backward pass, one for each tensor that has a gradient."""
        values = group.node.inputs
        shape = known(group.output.shape[1:])
        dy = b.gradient(group.output)
        for i, value in enumerate(values):
            if value is None or not b.wants(value):
                continue
            add = True
            if value.variable is None:
                dx, add = b.claim(value)
            else:
                dx = b.collect(value)
            own = _steps(value, dx, shape)
            # By number what the share looks at; −1 is y.
            looked = [k for k in range(-1, len(values)) if self.sees == "all" or k not in (-1, i)]
            looked = [] if self.sees == "nothing" else looked
            seen = [b.place(group.output if k < 0 else values[k]) for k in looked]
            steps = [own, own_steps(dy)]
            steps += [
                own_steps(p) if k < 0 else _steps(values[k], p, shape)
                for k, p in zip(looked, seen, strict=True)
            ]
            axes = joined(shape, steps)
            spread = any(not step and size > 1 for size, step in zip(shape, own, strict=True))

            def emit(
                f: Function,
                i: int = i,
                dx: Place = dx,
                axes: list[tuple[int, Steps]] = axes,
                looked: list[int] = looked,
                spread: bool = spread,
                add: bool = add,
            ) -> None:
                gradient, *sources, target = f.arguments
                last = axes[-1][1]
                if spread and not add:
                    for k, n in vectors_over(f, dx.size):
                        target.store(f.zero(), k, n)
                for (there, *offsets), n in cells_along(f, axes):
                    up = gradient.load(offsets[0], n)
                    found = {
                        k: _read(f, source, at, n, step)
                        for k, source, at, step in zip(
                            looked, sources, offsets[1:], last[2:], strict=True
                        )
                    }
                    numbers = [found.get(k, up) for k in range(len(values))]
                    share = self.share(f, i, up, found.get(-1, up), numbers)
                    if not last[0] and axes[-1][0] > 1:
                        inside = share if n is None else f.select(f.first_lanes(n), share, 0.0)
                        target.put(target.get(there) + f.sum(inside), there)
                    elif add or spread:
                        target.store(target.load(there, n) + share, there, n)
                    else:
                        target.store(share, there, n)

            key = (
                f"{group.op.name}_gradient", group.op, len(values), i, tuple(axes), spread, add,
                dx.size,
            )  # fmt: skip
            b.schedule.add(group.layer, key, "sample", [dy, *seen, dx], [dx], emit)


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    rank = len(node.output.shape)
    for value in node.inputs:
        if value is None or value.variable is None:
            if value is None or len(value.shape) != rank or value.shape[0] is not None:
                return f"{node.op.name} of tensors that do not share the batch"
        elif value.variable.value.dtype != "float32":
            return f"{node.op.name} of a {value.variable.value.dtype} constant"
        elif len(value.shape) == rank and value.shape[0] != 1:
            return f"{node.op.name} of a weight for each sample"
    if all(value is not None and value.variable is not None for value in node.inputs):
        return f"{node.op.name} of weights alone"
    return None


def _steps(value: GraphValue | None, place: Place, shape: Sequence[int]) -> Steps:
    """How far a tensor moves along each axis of a result of `shape`, the batch left out."""
    assert value is not None
    sizes, own = place.shape, own_steps(place)
    if value.variable is not None and len(sizes) > len(shape):
        sizes, own = sizes[1:], own[1:]
    missing = len(shape) - len(sizes)
    moved = [0 if size == 1 else step for size, step in zip(sizes, own, strict=True)]
    return (*(0,) * missing, *moved)


def _read(f: Function, source: Address, offset: Index, n: int | None, step: int) -> Value:
    return source.load(offset, n) if step else f.splat(source.get(offset))

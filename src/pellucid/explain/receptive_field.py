"""Which cells a number can depend on, tensor by tensor down to the input, and which it does.

What a number *can* depend on is read off `terms`, cell by cell: the indices along each axis are
followed from the number to the input. What it *does* depend on is where its gradient with respect
to the input is not 0: a shut gate or a lost maximum takes a cell out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.explain.address import Address
from pellucid.graph import Node, Value
from pellucid.ops._operation import Array
from pellucid.ops._terms import Expression, Sum, Table

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["Field", "ReceptiveField", "receptive_field"]

Axes = tuple[frozenset[int], ...]


@dataclass(frozen=True)
class Field:
    """The part of one input that a number depends on.

    Attributes:
        tensor: The input's name.
        axes: The indices along each axis that the number can depend on: rows, columns, channels.
        samples: The samples that it can depend on; more than its own where a batch is normalised.
        gradient: ∂number/∂input, of the number's own sample: not 0 where it really depends on it.
    """

    tensor: str
    axes: tuple[tuple[int, ...], ...]
    samples: tuple[int, ...]
    gradient: Array

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The first and the last index along each axis."""
        return tuple((axis[0], axis[-1]) for axis in self.axes)

    @property
    def size(self) -> tuple[int, ...]:
        """From the first to the last index along each axis: how large the field is."""
        return tuple(last - first + 1 for first, last in self.ranges)

    @property
    def count(self) -> int:
        """How many cells the number can depend on."""
        return int(np.prod([len(axis) for axis in self.axes], dtype=np.int64))

    @property
    def contributed(self) -> int:
        """How many cells it really depends on."""
        return int(np.count_nonzero(self.gradient))

    @property
    def mask(self) -> Array:
        """Whether the number can depend on each cell, in the shape of the input."""
        mask = np.zeros(self.gradient.shape, bool)
        mask[np.ix_(*self.axes)] = True
        return mask

    def to_dict(self) -> dict[str, Any]:
        """Return the field as JSON."""
        return {
            "tensor": self.tensor,
            "axes": [list(axis) for axis in self.axes],
            "ranges": [list(pair) for pair in self.ranges],
            "samples": list(self.samples),
            "count": self.count,
            "contributed": self.contributed,
        }


@dataclass(frozen=True)
class ReceptiveField:
    """Where a number looks.

    Attributes:
        address: The number.
        inputs: The field in each input that it can depend on.
        axes: For every tensor on the way, the indices along each axis; the batch axis first where
            there is one.
    """

    address: Address
    inputs: tuple[Field, ...]
    axes: dict[str, tuple[tuple[int, ...], ...]]

    def contains(self, address: Address) -> bool:
        """Whether the number can depend on another one."""
        axes = self.axes.get(address.tensor)
        return axes is not None and all(
            i in axis for i, axis in zip(address.cell, axes, strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the receptive field as JSON."""
        return {
            "address": str(self.address),
            "inputs": [field.to_dict() for field in self.inputs],
        }

    def __repr__(self) -> str:
        parts = [
            f"{field.tensor}[{', '.join(f'{a}–{b}' for a, b in field.ranges)}], "
            f"{field.contributed} of {field.count} cells contribute"
            for field in self.inputs
        ]
        return f"<ReceptiveField of {self.address}: {'; '.join(parts) or 'no input'}>"


def receptive_field(trace: Trace, address: Address) -> ReceptiveField:
    """Return what a number can depend on, and does; see `Trace.receptive_field`."""
    address = trace[address.plain].address
    value = trace.value_of(address)
    reached = reachable(trace, value, address.cell)
    axes = {
        trace.names[v]: tuple(tuple(sorted(axis)) for axis in found) for v, found in reached.items()
    }
    gradients = trace.gradients_of(address)
    fields = []
    for source in trace.setup.program.inputs:
        if source.kind == "input" and source in reached:
            samples, *rest = axes[trace.names[source]]
            own = address.sample if address.sample is not None else samples[0]
            gradient = gradients.array(source)[own]
            fields.append(Field(trace.names[source], tuple(rest), samples, gradient))
    return ReceptiveField(address, tuple(fields), axes)


def reachable(trace: Trace, value: Value, cell: tuple[int, ...]) -> dict[Value, Axes]:
    """Return, for each value that leads to one cell, the indices along each axis that do."""
    found: dict[Value, Axes] = {value: tuple(frozenset((i,)) for i in cell)}
    for node in reversed(trace.setup.program.nodes):
        if node.output not in found:
            continue
        for source, axes in _read_by(trace, node, found[node.output]).items():
            before = found.get(source)
            found[source] = axes if before is None else _joined(before, axes)
    return found


def _read_by(trace: Trace, node: Node, axes: Axes) -> dict[Value, Axes]:
    """Return what a node reads for the cells of its output on these indices.

    Each axis is walked from a cell on which the others stand still: as far as its ends and middle
    show that it matters at all. A cell that is the first to read some input is a new start.
    """
    inputs = trace.recording.inputs(node)
    sources = dict(zip(node.input_names, node.inputs, strict=True))
    wanted = {
        name: value
        for name, value in sources.items()
        if value is not None and value.kind in ("result", "input")
    }
    shapes = {name: trace.recording.shapes[value] for name, value in wanted.items()}
    found: dict[str, list[set[int]]] = {}
    seen: set[tuple[int, ...]] = set()

    def visit(place: tuple[int, ...]) -> bool:
        """Take in what one cell reads; return whether that was the first of some input."""
        if place in seen:
            return False
        seen.add(place)
        new = False
        for tensor, index in _indices(node.op.terms(place, *inputs)):
            if tensor not in shapes:
                continue
            if tensor not in found:
                found[tensor] = [set() for _ in index]
                new = True
            for axis, along in zip(found[tensor], index, strict=True):
                axis.update(along)
        return new

    def is_complete() -> bool:
        return all(
            name in found and all(len(a) == n for a, n in zip(found[name], shape, strict=True))
            for name, shape in shapes.items()
        )

    ordered = [sorted(axis) for axis in axes]
    starts = [tuple(axis[k * (len(axis) - 1) // 2] for axis in ordered) for k in (1, 0, 2)]
    for start in starts:
        visit(start)
        for axis, indices in enumerate(ordered):
            if is_complete():
                break
            for i in _walk(indices, lambda: _count(found)):
                place = (*start[:axis], i, *start[axis + 1 :])
                if visit(place):
                    starts.append(place)
                if is_complete():
                    break
    result: dict[Value, Axes] = {}
    for name, sets in found.items():
        value = sources[name]
        assert value is not None
        joined = tuple(frozenset(axis) for axis in sets)
        result[value] = _joined(result[value], joined) if value in result else joined
    return result


def _indices(expression: Expression) -> Iterator[tuple[str, Sequence[Iterable[int]]]]:
    """Yield (tensor, the indices along each axis) of the cells of an account."""
    if isinstance(expression, Sum) and isinstance(expression.terms, Table):
        for column in expression.terms.columns:
            yield column.tensor, column.indices_met()
        for term in expression.terms.tail:
            yield from _indices(term)
    else:
        for cell in expression.cells():
            yield cell.tensor, [(i,) for i in cell.index]


def _walk(indices: list[int], count: Callable[[], int]) -> Iterator[int]:
    """Yield the ends and the middle of an axis, and the rest if these brought anything new."""
    few = [indices[0], indices[-1], indices[len(indices) // 2]]
    before = count()
    yield from few
    if count() != before or len(indices) <= len(few):
        yield from indices


def _count(found: dict[str, list[set[int]]]) -> int:
    return sum(len(axis) for sets in found.values() for axis in sets)


def _joined(a: Axes, b: Axes) -> Axes:
    return tuple(x | y for x, y in zip(a, b, strict=True))

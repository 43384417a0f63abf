"""What a program computes, one value at a time and only when asked: forward, and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.graph import Node, Program, Value
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from pellucid.explain._setup import Predicted

__all__ = ["Gradients", "Recording", "differentiable", "run"]

LARGEST_GRADIENT = 64 * 2**20
"""A weight's gradient of more bytes is never made whole: one cell of it is its terms, added up."""


class Recording:
    """The values of one run of a program, computed when they are first asked for, then kept.

    Args:
        program: What is run.
        given: The arrays of inputs, targets, random values, and of weights that were copied;
            other weights are read from their variables.
        predicted: The targets that are read off the outputs.
        dtype: The type in which all is computed.
    """

    def __init__(
        self,
        program: Program,
        given: Mapping[Value, Array],
        predicted: Mapping[Value, Predicted],
        dtype: str,
    ) -> None:
        self.program = program
        self.predicted = predicted
        self.dtype = np.dtype(dtype)
        self._arrays = dict(given)
        self.producers = {node.output: node for node in program.nodes}
        self.consumers: dict[Value, list[tuple[Node, int]]] = {}
        for node in program.nodes:
            for position, value in enumerate(node.inputs):
                if value is not None:
                    self.consumers.setdefault(value, []).append((node, position))
        self.shapes = self._shapes()

    @property
    def values(self) -> list[Value]:
        """Every value, in the order in which they are given, read or made."""
        return list(self.shapes)

    def array(self, value: Value) -> Array:
        """Return the value's numbers, the batch axis included; not to be changed."""
        if value.variable is not None and value not in self._arrays:
            return value.variable.value.astype(self.dtype, copy=False)
        if value in self.predicted and value not in self._arrays:
            prediction = self.array(self.predicted[value].output)
            self._arrays[value] = self.predicted[value].target(prediction)
        if value not in self._arrays:
            wanted = self._missing(value)
            for node in self.program.nodes:
                if node.output in wanted:
                    self._arrays[node.output] = run(node, self.inputs(node))
        return self._arrays[value]

    def inputs(self, node: Node) -> list[Array | None]:
        """Return the arrays that a node reads."""
        return [None if value is None else self.array(value) for value in node.inputs]

    def _missing(self, value: Value) -> set[Value]:
        """The results that have yet to be computed for `value`."""
        missing: set[Value] = set()
        open_ = [value]
        while open_:
            found = open_.pop()
            if found in self.producers and found not in self._arrays and found not in missing:
                missing.add(found)
                open_.extend(v for v in self.producers[found].inputs if v is not None)
        return missing

    def _shapes(self) -> dict[Value, tuple[int, ...]]:
        shapes: dict[Value, tuple[int, ...]] = {}
        for value in self.program.inputs:
            later = self.predicted.get(value)
            shapes[value] = later.shape if later else self._arrays[value].shape
        for node in self.program.nodes:
            for value in filter(None, node.inputs):
                if value not in shapes:
                    own = value.variable
                    shapes[value] = self._arrays[value].shape if own is None else own.shape
            read = [None if value is None else shapes[value] for value in node.inputs]
            made = node.op.output_shape(*read)
            shapes[node.output] = tuple(int(n or 0) for n in made)
        return shapes


class Gradients:
    """∂(one number)/∂(every value of a recording), each computed when first asked for.

    Args:
        recording: The recorded run.
        of: The value that the number is a cell of.
        cell: Which cell; () for the loss.
    """

    def __init__(self, recording: Recording, of: Value, cell: tuple[int, ...] = ()) -> None:
        self.recording = recording
        self.of = of
        self.cell = cell
        self._arrays: dict[Value, Array] = {}
        self.reached = {of}
        for node in reversed(recording.program.nodes):
            if node.output in self.reached:
                self.reached.update(v for v, _ in differentiable(node))

    def consumers(self, value: Value) -> list[tuple[Node, int]]:
        """Return where `value` is read on the way to the number: (node, which of its inputs)."""
        return [
            (node, position)
            for node, position in self.recording.consumers.get(value, ())
            if node.output in self.reached and node.input_names[position] not in node.op.constant
        ]

    def is_too_large(self, value: Value) -> bool:
        """Whether the gradient of this weight is never made whole."""
        size = int(np.prod(self.recording.shapes[value], dtype=np.int64))
        return value.variable is not None and size * self.recording.dtype.itemsize > (
            LARGEST_GRADIENT
        )

    def array(self, value: Value) -> Array:
        """Return the gradient of `value`; zeros if the number does not depend on it."""
        if value not in self._arrays:
            wanted = self._missing(value)
            for node in reversed(self.recording.program.nodes):
                if node.output in wanted and node.output is not value:
                    self._arrays[node.output] = self._sum(node.output)
            made = self._sum(value)
            if self.is_too_large(value):
                return made
            self._arrays[value] = made
        return self._arrays[value]

    def _missing(self, value: Value) -> set[Value]:
        missing: set[Value] = set()
        open_ = [value]
        while open_:
            found = open_.pop()
            if found not in self._arrays and found not in missing:
                missing.add(found)
                open_.extend(node.output for node, _ in self.consumers(found))
        return missing

    def _sum(self, value: Value) -> Array:
        """Add up what the consumers hand back, the last one first, as the reference engine does."""
        total: Array | None = None
        if value is self.of:
            total = np.zeros(self.recording.shapes[value], self.recording.dtype)
            total[self.cell] = 1
        done: set[int] = set()
        for node, _ in reversed(self.consumers(value)):
            if id(node) in done:
                continue
            done.add(id(node))
            positions = [p for n, p in self.consumers(value) if n is node]
            names = frozenset(node.input_names[p] for p in positions)
            recording = self.recording
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                shares = node.op.backward(
                    self._arrays[node.output],
                    recording.array(node.output),
                    *recording.inputs(node),
                    wrt=names,
                )
            for position in positions:
                share = shares[position]
                if share is not None:
                    total = share if total is None else total + share
        if total is None:
            total = np.zeros(self.recording.shapes[value], self.recording.dtype)
        return total


def run(node: Node, inputs: Sequence[Array | None]) -> Array:
    """Run one node; infinities and NaN are results, not warnings."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return node.op.forward(*inputs)


def differentiable(node: Node) -> list[tuple[Value, str]]:
    """Return the values that a node reads and hands a gradient back to, with their names."""
    pairs = zip(node.inputs, node.input_names, strict=True)
    return [(v, name) for v, name in pairs if v is not None and name not in node.op.constant]

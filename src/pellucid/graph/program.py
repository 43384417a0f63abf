"""A program: the operations that a model comes to, in the order in which they run.

Layers and losses state what they compute by applying operations to values through a `Tracer`. What
comes of it is a flat list of nodes without layers, branches or configuration: one operation, the
values it reads, the value it makes. The reference engine runs that list; the compiler reads it to
make machine code; the explainer walks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pellucid.errors import ShapeError
from pellucid.graph.variable import Variable
from pellucid.ops._operation import Array, Operation, Shape

__all__ = ["Kind", "Node", "Program", "Sampler", "Tracer", "Value"]

Kind = Literal["input", "target", "weight", "random", "result"]
Sampler = Callable[[np.random.Generator, int], Array]
"""Draws the random input of an operation for a batch of the given size."""


@dataclass(eq=False, frozen=True)
class Value:
    """One tensor of a program.

    Attributes:
        shape: Its shape; axis 0 is None where it is the batch.
        kind: Where it comes from: fed in ("input", "target"), stored ("weight"), drawn
            ("random"), or made by a node ("result").
        name: For people: "conv2d.output", "conv2d.kernel", "input".
        variable: The variable behind a weight.
        sample: Draws a random value.
        seed: The seed of a random value that has one of its own, whatever the global seed is.
    """

    shape: Shape
    kind: Kind
    name: str
    variable: Variable | None = None
    sample: Sampler | None = None
    seed: int | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {self.shape}>"


@dataclass(eq=False, frozen=True)
class Node:
    """One operation of a program.

    Attributes:
        op: The operation.
        inputs: The values it reads; None where an optional one is left out.
        output: The value it makes.
        layer: The name of the layer that stated it ("" outside layers: the loss).
        updates: The variables that take the operation's `state_updates` after a training step.
    """

    op: Operation
    inputs: tuple[Value | None, ...]
    output: Value
    layer: str
    updates: tuple[Variable, ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The operation's names for its inputs."""
        return self.op.input_names(len(self.inputs))


@dataclass(eq=False, frozen=True)
class Program:
    """Operations in the order in which they run.

    Attributes:
        inputs: The values to feed, in order.
        outputs: The values wanted.
        nodes: The operations; each reads only inputs, weights, random values and earlier outputs.
        training: Whether it was traced for training: dropout drops, batches normalise themselves.
        kept: What engines keep of it, such as its machine code; it lives as long as the program.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    training: bool
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def variables(self) -> list[Variable]:
        """The variables read, each once, in the order in which they are first read."""
        seen: dict[int, Variable] = {}
        for node in self.nodes:
            for value in node.inputs:
                if value is not None and value.variable is not None:
                    seen.setdefault(id(value.variable), value.variable)
        return list(seen.values())

    @cached_property
    def random_values(self) -> list[Value]:
        """The values that are drawn anew in each run, in order."""
        seen: dict[Value, None] = {}
        for node in self.nodes:
            for value in node.inputs:
                if value is not None and value.kind == "random":
                    seen.setdefault(value)
        return list(seen)


@dataclass(eq=False)
class Tracer:
    """Records the operations that layers and losses state.

    Attributes:
        training: Whether the program is for training.
    """

    training: bool = False
    nodes: list[Node] = field(default_factory=list)
    _scopes: list[str] = field(default_factory=list)
    _weights: dict[int, Value] = field(default_factory=dict)
    _producers: dict[Value, Node] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)

    def input(self, shape: Shape, name: str = "input", kind: Kind = "input") -> Value:
        """Return a value to be fed in."""
        return Value(shape, kind, self._unique(name))

    def weight(self, variable: Variable) -> Value:
        """Return the value of a variable; always the same one for the same variable."""
        if id(variable) not in self._weights:
            name = self._unique(self._scoped(variable.name))
            self._weights[id(variable)] = Value(variable.shape, "weight", name, variable)
        return self._weights[id(variable)]

    def random(self, shape: Shape, sample: Sampler, *, seed: int | None = None) -> Value:
        """Return a value that `sample(generator, batch size)` draws anew in each run."""
        name = self._unique(self._scoped("random"))
        return Value(shape, "random", name, sample=sample, seed=seed)

    def apply(
        self,
        op: Operation,
        *inputs: Value | None,
        role: str = "output",
        updates: Sequence[Variable] = (),
    ) -> Value:
        """Apply `op` and return what it makes, named after the layer and its `role` there."""
        shapes = [None if value is None else value.shape for value in inputs]
        try:
            shape = op.output_shape(*shapes)
        except ShapeError as error:
            where = f"In layer {'/'.join(self._scopes)!r}: " if self._scopes else ""
            raise ShapeError(f"{where}{error}") from error
        output = Value(shape, "result", self._unique(self._scoped(role)))
        node = Node(op, inputs, output, "/".join(self._scopes), tuple(updates))
        self.nodes.append(node)
        self._producers[output] = node
        return output

    def producer(self, value: Value) -> Node | None:
        """Return the node that made `value`, or None if it was fed in, stored or drawn."""
        return self._producers.get(value)

    @contextmanager
    def mode(self, training: bool | None) -> Iterator[None]:
        """Trace what is applied inside for training, or for inference; None changes nothing."""
        before = self.training
        self.training = before if training is None else training
        try:
            yield
        finally:
            self.training = before

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Name what is applied inside after the layer `name`."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def program(self, inputs: Sequence[Value], outputs: Sequence[Value]) -> Program:
        """Return the program that makes `outputs` from `inputs`, without what they do not need."""
        needed = set(outputs)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if node.output in needed:
                kept.append(node)
                needed.update(value for value in node.inputs if value is not None)
        return Program(tuple(inputs), tuple(outputs), tuple(reversed(kept)), self.training)

    def _scoped(self, role: str) -> str:
        return ".".join(["/".join(self._scopes), role]) if self._scopes else role

    def _unique(self, name: str) -> str:
        """The second use of a shared layer is called `conv2d.output#2`."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

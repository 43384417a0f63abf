"""From a program to jobs: which nodes run together, by which kernel, from which place to which.

**Groups.** A convolution or dense product takes the activation after it along, and a convolution
the pooling after that, if nothing else reads what is between. A node without a kernel is a group
of its own that runs through its operation's `forward` and `backward`, on the same places.

**Places.** Every value has one. Reshaping is no work: the value has the place of what it is made
from. An image that some convolution reads with padding has a frame of zeros.

**Gradients.** The first job that contributes to a gradient stores, the others add. The gradient of
a weight is either written by one job, or collected for each chunk of the batch and added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from pellucid.compiler.ir import Function, Index, Module, vectors_over
from pellucid.compiler.ir import Value as Number
from pellucid.compiler.kernels import find_kernel
from pellucid.compiler.kernels._update import Updates, flag_of, looking
from pellucid.compiler.schedule import NO_FRAME, Frame, Place, Schedule
from pellucid.compiler.spans import cells, parts_of_cells, span_of
from pellucid.compiler.target import Target
from pellucid.graph import Node, Program, Value, Variable
from pellucid.ops._operation import known
from pellucid.ops.activation import Activation
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.batch_normalization import BatchNormalization
from pellucid.ops.max_pool2d import MaxPool2D

__all__ = ["Builder", "Group"]

VIEWS = ("flatten", "reshape")
BLOCK = 4096
"""How many numbers one piece of an elementwise job over weights has."""


@dataclass(eq=False)
class Group:
    """Nodes that run as one kernel.

    Attributes:
        nodes: They, in order; the first gives the kernel its name.
        norm: The batch normalisation by stored statistics that is fused, if one is.
        activation: The activation that is fused, if one is.
        pool: The pooling that is fused, if one is.
        kernels: The module that has the kernels; None if the operation itself runs.
        reason: Why there is no kernel.
    """

    nodes: list[Node]
    norm: Node | None = None
    activation: Activation | None = None
    pool: MaxPool2D | AveragePool2D | None = None
    kernels: ModuleType | None = None
    reason: str = ""

    @property
    def node(self) -> Node:
        """The first node."""
        return self.nodes[0]

    @property
    def op(self) -> Any:
        """The first node's operation."""
        return self.node.op

    @property
    def output(self) -> Value:
        """What the group makes."""
        return self.nodes[-1].output

    @property
    def layer(self) -> str:
        """The layer of the first node."""
        return self.node.layer or self.node.op.name


class Builder:
    """Turns a program into jobs.

    Attributes:
        schedule: The jobs and places so far.
        groups: The program's nodes in groups, up to the scalars at its end.
        tail: The nodes that make scalars (the loss's mean, penalties): they run in Python.
        weights: The place of each variable's numbers.
        weight_gradients: The place of each trained variable's gradient.
        updates: The optimiser's steps, where they are compiled.
        gated: Groups whose output's gradient is already that before their activation.
    """

    def __init__(
        self,
        program: Program,
        target: Target,
        trained: Sequence[Variable] = (),
        wanted: Sequence[Value] = (),
        pixels: Sequence[Value] = (),
    ) -> None:
        self.program = program
        self.target = target
        self.schedule = Schedule(Module(target.width))
        self.trained = list(trained)
        self.wanted = set(wanted)
        self.pixels = set(pixels)
        self.training = bool(trained or wanted)
        self.weights: dict[int, Place] = {}
        self.weight_gradients: dict[int, Place] = {}
        self.collected: dict[int, Place] = {}
        self.statistics: dict[Node, tuple[Place, Place]] = {}
        self._later: list[Callable[[], None]] = []
        self._written: set[Place] = set()
        self.updates: Updates | None = None
        self.gated: set[Group] = set()
        self._places: dict[Value, Place] = {}
        self._gradients: dict[Place, Place] = {}
        self._extra: dict[tuple[Group, str], Place] = {}
        self.arrays: Callable[[Place], np.ndarray] | None = None
        self.feeds: Mapping[Value, np.ndarray] = {}
        self.tail = [node for node in program.nodes if not node.output.shape]
        body = [node for node in program.nodes if node.output.shape]
        self._readers: dict[Value, list[Node]] = {}
        for node in program.nodes:
            for value in node.inputs:
                if value is not None:
                    self._readers.setdefault(value, []).append(node)
        self.groups = self._grouped(body)
        self._trained_ids = {id(v) for v in self.trained}
        self._needed = self._depending()
        self._frames = self._framed()

    # Which nodes go together.

    def _grouped(self, nodes: Sequence[Node]) -> list[Group]:
        groups: list[Group] = []
        taken: set[Node] = set()
        for node in nodes:
            if node in taken:
                continue
            module, reason = find_kernel(node)
            group = Group([node], kernels=module, reason=reason)
            if module is not None and hasattr(module, "fuses"):
                self._extend(group)
            taken.update(group.nodes)
            groups.append(group)
        return groups

    def _extend(self, group: Group) -> None:
        """Take what follows into the group: normalisation, activation, pooling."""
        from pellucid.compiler.kernels import activation

        follower = self._only_reader(group.output)
        if follower and not self.training and hasattr(group.kernels, "NORMALISES"):
            _, refused = find_kernel(follower)
            if isinstance(follower.op, BatchNormalization) and not refused:
                group.norm = follower
                group.nodes.append(follower)
                follower = self._only_reader(group.output)
        if (
            follower
            and isinstance(follower.op, Activation)
            and activation.fusable(follower.op, self.training)
        ):
            group.activation = follower.op
            group.nodes.append(follower)
            follower = self._only_reader(group.output)
        pools = follower is not None and isinstance(follower.op, MaxPool2D | AveragePool2D)
        if (
            pools
            and group.kernels is not None
            and group.kernels.fuses(group, follower, self.training)
        ):
            assert follower is not None
            group.pool = follower.op  # type: ignore[assignment]  # `pools` says so
            group.nodes.append(follower)

    def _only_reader(self, value: Value) -> Node | None:
        readers = self._readers.get(value, [])
        if len(readers) != 1 or value in self.program.outputs:
            return None
        return readers[0]

    def maker_alone(self, value: Value) -> Group | None:
        """Return the group that makes a value, if one node alone reads it and nobody else does.

        Where it is another's memory in another shape, that one's maker.
        """
        if self._only_reader(value) is None or value in self.wanted:
            return None
        maker = next((group for group in self.groups if group.output is value), None)
        source = maker.node.inputs[0] if maker and self._is_view(maker) else None
        return maker if source is None else self.maker_alone(source)

    def read_once(self, weight: Value) -> bool:
        """Return whether one node alone reads a weight: then its gradient has one part."""
        readers = sum(
            value is not None and value.variable is weight.variable
            for node in self.program.nodes
            for value in node.inputs
        )
        return readers == 1

    # Which gradients are wanted.

    def _depending(self) -> set[Value]:
        needed = set(self.wanted)
        for node in self.program.nodes:
            for name, value in zip(node.input_names, node.inputs, strict=True):
                if value is None or name in node.op.constant:
                    continue
                if value in needed or (
                    value.variable is not None and id(value.variable) in self._trained_ids
                ):
                    needed.add(node.output)
        return needed

    def wants(self, value: Value | None) -> bool:
        """Whether the gradient of a value is wanted."""
        if value is None:
            return False
        if value.variable is not None:
            return id(value.variable) in self._trained_ids
        return value in self._needed

    # Where things are.

    def _framed(self) -> dict[Value, Frame]:
        frames: dict[Value, Frame] = {}
        for group in self.groups:
            if group.kernels is not None and hasattr(group.kernels, "frame"):
                source = group.node.inputs[0]
                assert source is not None
                (a, b), (c, d) = frames.get(source, NO_FRAME)
                (e, g), (h, i) = group.kernels.frame(group)
                frames[source] = ((max(a, e), max(b, g)), (max(c, h), max(d, i)))
        return frames

    def place(self, value: Value | None) -> Place:
        """Return where a value lies."""
        assert value is not None
        if value in self._places:
            return self._places[value]
        if value.variable is not None:
            place = self._weight(value.variable)
        elif value.kind == "result":
            place = self._result(value)
        else:
            small = value in self.pixels
            place = self.schedule.place(
                value.name,
                known(value.shape[1:]),
                external=True,
                element="i8" if small else "float",
            )
            place.keep = True
            frame = self._frames.get(value, NO_FRAME)
            if small or frame != NO_FRAME:
                place = self._copied(place, value, frame)
        self._places[value] = place
        return place

    def weight_place(self, variable: Variable) -> Place:
        """Return where a variable's numbers are."""
        return self._weight(variable)

    def _weight(self, variable: Variable) -> Place:
        if id(variable) not in self.weights:
            self.weights[id(variable)] = self.schedule.place(
                variable.path, variable.shape, extent="whole", external=True
            )
        return self.weights[id(variable)]

    def _result(self, value: Value) -> Place:
        producer = next(n for n in self.program.nodes if n.output is value)
        if producer.op.name in VIEWS:
            source = self.place(producer.inputs[0])
            if source.frame == self._frames.get(value, NO_FRAME) == NO_FRAME:
                view = self.schedule.view(source, known(value.shape[1:]))
                view.keep = view.keep or value in self.program.outputs
                return view
        frame = self._frames.get(value, NO_FRAME)
        place = self.schedule.place(value.name, known(value.shape[1:]), frame=frame)
        place.keep = value in self.program.outputs
        return place

    def _copied(self, source: Place, value: Value, frame: Frame) -> Place:
        target = self.schedule.place(f"{value.name} (inside)", source.shape, frame=frame)

        self.copy("input", source, target)
        return target

    def extra(self, group: Group, name: str, shape: Sequence[int] = (), **options: Any) -> Place:
        """Return a place of the group's own, such as its winners; made at the first call."""
        key = group, name
        if key not in self._extra:
            self._extra[key] = self.schedule.place(f"{group.layer}.{name}", shape, **options)
        return self._extra[key]

    # Gradients.

    def gradient(self, value: Value) -> Place:
        """Return where the gradient of a value is, for the job that uses it."""
        return self.schedule.view(self._gradients[self.place(value).root], known(value.shape[1:]))

    def has_gradient(self, value: Value) -> bool:
        """Whether any job has written the gradient of a value."""
        return self._gradients.get(self.place(value).root) in self._written

    def claim(self, value: Value | None) -> tuple[Place, bool]:
        """Return where to write a contribution to a gradient, and whether to add it."""
        assert value is not None
        place = self.place(value).root
        if place not in self._gradients:
            self._gradients[place] = self.schedule.place(f"d {place.name}", place.shape)
        gradient = self._gradients[place]
        gradient.keep = gradient.keep or any(self.place(v).root is place for v in self.wanted)
        add = gradient in self._written
        self._written.add(gradient)
        return self.schedule.view(gradient, known(value.shape[1:])), add

    def weight_gradient(self, value: Value | None) -> tuple[Place, bool]:
        """Return where to write the gradient of a weight at once, and whether to add to it."""
        assert value is not None
        assert value.variable is not None
        key = id(value.variable)
        if key not in self.weight_gradients:
            self.weight_gradients[key] = self.schedule.place(
                f"d {value.variable.path}", value.variable.shape, extent="whole"
            )
        place = self.weight_gradients[key]
        add = place in self._written
        self._written.add(place)
        return place, add

    def collect(self, value: Value | None) -> Place:
        """Return where to add up the gradient of a weight over the samples of a chunk."""
        assert value is not None
        assert value.variable is not None
        key = id(value.variable)
        if key not in self.collected:
            self.collected[key] = self._by_chunk(value.variable)
            self.clear(self.collected[key])
        return self.collected[key]

    def collect_at_once(self, value: Value | None) -> tuple[Place, bool]:
        """Return where a job that takes a chunk at once leaves the gradient of a weight, by chunk.

        And whether to add to what is there, because other jobs have been at it before.
        """
        assert value is not None
        assert value.variable is not None
        key = id(value.variable)
        add = key in self.collected
        if not add:
            self.collected[key] = self._by_chunk(value.variable)
        return self.collected[key], add

    def _by_chunk(self, variable: Variable) -> Place:
        name = f"d {variable.path} (by chunk)"
        return self.schedule.place(name, variable.shape, extent="chunk")

    def clear(self, place: Place) -> None:
        """Set a chunk's sums to zero before its first sample."""

        def emit(f: Function) -> None:
            y = f.arguments[0]
            for i, n in vectors_over(f, place.size):
                y.store(f.zero(), i, n)

        self.schedule.add(
            "", ("clear", place.size), "range", [place], [place], emit, note="start of a chunk"
        )

    # All jobs.

    def forward(self) -> None:
        """Add the jobs of the forward pass."""
        for value in self.program.inputs:
            if value in self._readers or value in self.program.outputs:
                self.place(value)
        for group in self.groups:
            if self._is_view(group):
                group.reason = "a view: no work"
                continue
            source, target = self.place(group.node.inputs[0]), self.place(group.output)
            if group.op.name in VIEWS and NO_FRAME in (source.frame, target.frame):
                self.copy(group.layer, source, target)
                group.reason = "a copy: its readers need zeros around it, or its maker does"
            elif group.kernels is None:
                self._python_forward(group)
            else:
                group.kernels.forward(self, group)

    def _is_view(self, group: Group) -> bool:
        """Whether a group is no work: its output has the memory of its input."""
        source = group.node.inputs[0]
        return group.op.name in VIEWS and self.place(group.output).root is self.place(source).root

    def backward(self) -> None:
        """Add the jobs of the backward pass; the gradients of the tail's inputs are there."""
        for group in reversed(self.groups):
            if group.output not in self._needed or not self.has_gradient(group.output):
                continue
            if self._is_view(group):
                continue
            if group.op.name in VIEWS:
                source = group.node.inputs[0]
                if self.wants(source):
                    dx, further = self.claim(source)
                    self.copy(group.layer, self.gradient(group.output), dx, add=further)
            elif group.kernels is None:
                self._python_backward(group)
            else:
                group.kernels.backward(self, group)
        for key, place in self.collected.items():
            self._add_up(key, place)
        for add in self._later:
            add()

    def after_backward(self, add: Callable[[], None]) -> None:
        """Have jobs added when all others of the backward pass are there."""
        self._later.append(add)

    def _add_up(self, key: int, collected: Place) -> None:
        """Add the chunks' sums of a weight's gradient."""
        variable = next(v for v in self.trained if id(v) == key)
        weight = Value(variable.shape, "weight", variable.path, variable)
        gradient, add = self.weight_gradient(weight)
        self.add_up(collected, gradient, add=add, flag=flag_of(self, weight))

    def add_up(
        self, collected: Place, total: Place, *, add: bool, flag: Sequence[Place] = ()
    ) -> None:
        """Add the chunks' sums, in the order of the chunks; look at them, if `flag` is given."""
        size, stride = collected.size, collected.stride

        def emit(f: Function) -> None:
            source, chunks, target, *flag_at, item, _ = f.arguments
            count = chunks.get()
            with looking(f, flag_at) as look:
                for i, n in vectors_over_block(f, size, item):
                    first = [target.load(i, n) if add else f.zero()]

                    def step(
                        c: Index, acc: list[Number], i: Index = i, n: int | None = n
                    ) -> list[Number]:
                        return [acc[0] + source.load(c * stride + i, n)]

                    (found,) = f.carry(count, first, step)
                    look(found)
                    target.store(found, i, n)

        self.schedule.add(
            total.name, ("add_up", size, add, len(flag)), "item",
            [collected, self.chunk_count, total, *flag], [total], emit,
            count=lambda _: -(-size // BLOCK),
        )  # fmt: skip

    def copy(self, layer: str, source: Place, target: Place, *, add: bool = False) -> None:
        """Copy a tensor, or add it, to a place with another frame; uint8 becomes float."""
        parts = 1 if self.training else parts_of_cells(source, target)

        def emit(f: Function) -> None:
            x, y = f.arguments[:2]
            for (i, j), n in cells(f, source, target, span=span_of(f, parts)):
                value = x.load(i, n)
                if source.element == "i8":
                    value = f.convert(value, "float")
                y.store(value + y.load(j, n) if add else value, j, n)

        key = ("copy", source.layout, target.layout, add)
        self.schedule.add(layer, key, "sample", [source, target], [target], emit, parts=parts)

    @property
    def chunk_count(self) -> Place:
        """The place of the number of chunks in the batch."""
        if not hasattr(self, "_chunk_count"):
            self._chunk_count = self.schedule.place(
                "chunks", (1,), extent="whole", element="i64", external=True
            )
        return self._chunk_count

    def _python_forward(self, group: Group) -> None:
        node = group.node
        inputs = [None if value is None else self.place(value) for value in node.inputs]
        output = self.place(node.output)
        for place in [*inputs, output]:
            if place is not None:
                place.keep = True

        def run() -> None:
            view = self.view
            found = node.op.forward(*(view(v) for v in node.inputs))
            target = view(node.output)
            assert target is not None
            target[...] = found

        reads = [place for place in inputs if place is not None]
        self.schedule.python(group.layer, run, reads, [output], node.op.name)

    def _python_backward(self, group: Group) -> None:
        node = group.node
        names = node.input_names
        wanted = [
            (i, value)
            for i, (name, value) in enumerate(zip(names, node.inputs, strict=True))
            if self.wants(value) and name not in node.op.constant
        ]
        dy = self.gradient(node.output)
        inputs = [None if value is None else self.place(value) for value in node.inputs]
        writes: list[tuple[int, Place, bool]] = []
        for i, value in wanted:
            target, add = (
                self.weight_gradient(value) if value and value.variable else self.claim(value)
            )
            writes.append((i, target, add))
        for place in [dy, self.place(node.output), *inputs, *(p for _, p, _ in writes)]:
            if place is not None:
                place.keep = True
        wrt = frozenset(names[i] for i, _ in wanted)

        def run() -> None:
            given = [self.view(v) for v in node.inputs]
            y = self.view(node.output)
            assert y is not None
            shares = node.op.backward(self.array(dy).reshape(y.shape), y, *given, wrt=wrt)
            for i, place, add in writes:
                array = self.array(place)
                share = shares[i]
                assert share is not None
                if add:
                    array += share.reshape(array.shape)
                else:
                    array[...] = share.reshape(array.shape)

        reads = [dy, self.place(node.output), *(p for p in inputs if p is not None)]
        self.schedule.python(
            group.layer, run, reads, [p for _, p, _ in writes], f"{node.op.name} gradient"
        )

    # Bound by the plan to the memory that it makes.

    def array(self, place: Place) -> np.ndarray:
        """Return a place's memory as an array."""
        assert self.arrays is not None
        return self.arrays(place)

    def view(self, value: Value | None) -> np.ndarray | None:
        """Return a value's memory as an array of its shape."""
        if value is None:
            return None
        if value.variable is not None:
            return value.variable.value
        if value in self.feeds and value not in self.pixels:
            return self.feeds[value]
        array = self.array(self.place(value))
        return array.reshape((len(array), *(n for n in value.shape[1:] if n is not None)))


def vectors_over_block(f: Function, size: int, item: Number) -> Iterator[tuple[Index, int | None]]:
    """Yield the vectors of one piece of BLOCK numbers; the last piece may be shorter."""
    whole, rest = divmod(size, BLOCK)
    if whole:
        with f.when(item < whole), f.each(BLOCK // f.lanes) as i:
            yield item * BLOCK + i * f.lanes, None
    if rest:
        with f.when(item >= whole):
            for i, n in vectors_over(f, rest):
                yield i + whole * BLOCK, n

"""A program compiled for a batch size: memory, machine code, and the order in which it runs.

A `Plan` places every buffer once, for one batch size; a step then allocates nothing but what it
returns. The machine code is the same for all batch sizes (`compiled.py`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pellucid.compiler import runtime
from pellucid.compiler.compiled import LINEAR, Compiled
from pellucid.compiler.layout import ELEMENTS, chunk_size, distance, lay_out, order, together
from pellucid.compiler.memory import of_process
from pellucid.compiler.runtime import Launch
from pellucid.compiler.schedule import Place, Section
from pellucid.compiler.sections import control_of
from pellucid.graph import Value, Variable
from pellucid.ops._operation import Array

__all__ = ["Fed", "Plan"]

SMALL_INPUT = 16_384
"""Up to how many numbers are copied sooner than asked for their address."""


class Fed(NamedTuple):
    """What a plan is fed in one run.

    Attributes:
        given: The array of each of the program's inputs and random values.
        arrays: Those that machine code reads, as it reads them.
        addresses: For each of them, its slot in the plan's table and where its numbers begin.
    """

    given: Mapping[Value, Array]
    arrays: list[Array]
    addresses: list[tuple[int, int]]


class Plan:
    """A compiled program with the memory for one batch size.

    Args:
        compiled: The machine code.
        batch_size: How many samples a batch has.

    Attributes:
        bytes: How large its buffers are.
        before: What memory the process held, and had held at most, before they were made.
    """

    def __init__(self, compiled: Compiled, batch_size: int) -> None:
        self.compiled = compiled
        self.batch_size = batch_size
        self.team = runtime.team()
        self.before = of_process()
        self._lock = compiled.lock
        sums = [place for place in compiled.schedule.places if place.extent == "chunk"]
        self.chunk = chunk_size(batch_size, sum(4 * place.stride for place in sums))
        self.chunks = -(-batch_size // self.chunk)
        self._table = np.zeros(max(1, len(compiled.schedule.places)), np.uint64)
        self._arrays: dict[Place, Array] = {}
        self._views: dict[Value, Array] = {}
        self._offsets: dict[Place, int] = {}
        threads = self.team.threads
        few = batch_size < 2 * threads or (batch_size % threads and batch_size < 4 * threads)
        self._apart = bool(compiled.apart) and bool(few)
        self._make_memory()
        inference = not compiled.builder.training
        self._alone = inference and batch_size == 1 and not self._apart
        for variable, place in self._variables():
            self._table[place.slot] = variable.address
        for place, array in compiled.slots:
            self._table[place.slot] = array.ctypes.data
        self._count = np.array([self.chunks], np.int64)
        chunk_place = getattr(compiled.builder, "_chunk_count", None)
        if chunk_place is not None:
            self._table[chunk_place.slot] = self._count.ctypes.data
        self._inputs = [
            (value, compiled.builder.place(value))
            for value in compiled.program.inputs
            if value in compiled.builder._places
        ]
        self._externals: dict[Value, Place] = {}
        for place in compiled.schedule.places:
            if place.external and place.extent == "sample":
                value = next(v for v in self._fed() if v.name == place.name)
                self._externals[value] = place
        fed = set(self._fed())
        self._weighted = any(v in fed for node in compiled.builder.tail for v in node.inputs)
        self._seeded = False
        self._changing = [
            node
            for node in compiled.program.nodes
            if node in compiled.builder.statistics or node.updates
        ]
        compiled.builder.arrays = self.array
        self._penalty_nodes = [
            node
            for node in compiled.builder.tail
            if all(v is not None and v.variable is not None for v in node.inputs)
        ]
        made = {node.output for node in compiled.builder.tail}
        self._copied = [
            (output, self._value(output)) for output in dict.fromkeys(compiled.program.outputs)
            if output.kind == "result" and output not in made
            and not compiled.builder.place(output).root.external
        ]  # fmt: skip
        read = [v for node in compiled.builder.tail for v in node.inputs if v and not v.variable]
        summed = [value for value in dict.fromkeys(read) if value not in made]
        copied = {output for output, _ in self._copied}
        others = dict.fromkeys([*summed, *compiled.program.outputs])
        self._read_later = [v for v in others if v not in made and v not in copied]
        # Machine code looks at what the loss is a sum of, but not at penalties, nor at weights.
        looked_at = set(compiled._tail_inputs)
        self._finite_if_stepped = not self._penalty_nodes and looked_at.issuperset(summed)
        self._runs: list[tuple[Section, Launch | None]] = []
        needed = (compiled.code, compiled.constants, self._memory)
        for section, function in compiled.runs(apart=self._apart):
            launch = None
            if function is not None:
                launch = Launch(function, self._table, self.control(section), needed)
            self._runs.append((section, launch))
        self._direct = self._find_direct()

    def __del__(self) -> None:
        for _, launch in self.__dict__.get("_runs", ()):
            if launch is not None:
                self.team.leave(launch)

    # Memory.

    def _make_memory(self) -> None:
        constants = self.compiled.constants.addresses if self.compiled.constants else {}
        for place, address in constants.items():
            self._table[place.slot] = address
        places = [
            place
            for place in self.compiled.schedule.places
            if not place.external and place not in constants
        ]
        buffers = together(self.compiled.apart, places) if self._apart else [[p] for p in places]
        buffers.sort(key=lambda buffer: order(buffer[0], self._apart))
        sizes = [max(self.size_of(place) for place in buffer) for buffer in buffers]
        self._memory, offsets = lay_out(sizes)
        self.bytes = len(self._memory)
        if self.compiled.constants is not None:
            self.bytes += self.compiled.constants.bytes
        for buffer, offset in zip(buffers, offsets, strict=True):
            for place in buffer:
                self._table[place.slot] = self._memory.ctypes.data + offset
                self._offsets[place] = offset
                self._arrays[place] = self._viewed(place, offset)

    def size_of(self, place: Place) -> int:
        """Return how many bytes a place takes."""
        each = np.dtype(ELEMENTS[place.element]).itemsize
        if place.by_thread(self._apart):
            return self.team.threads * distance(place) * each
        count = {"sample": self.batch_size, "chunk": self.chunks, "whole": 1}[place.extent]
        return count * place.stride * each

    def _viewed(self, place: Place, offset: int) -> Array:
        kind = np.dtype(ELEMENTS[place.element])
        begin = offset + place.begin * kind.itemsize
        base = self._memory[begin:].view(np.uint8)
        base = base[: len(base) // 8 * 8].view(kind)
        if len(place.shape) == 3:
            inner = [place.row, place.shape[2], 1]
        else:
            inner = [1] * len(place.shape)
            for axis in reversed(range(len(place.shape) - 1)):
                inner[axis] = inner[axis + 1] * place.shape[axis + 1]
        shape: tuple[int, ...] = place.shape
        if place.extent != "whole":
            count = self.batch_size if place.extent == "sample" else self.chunks
            shape, inner = (count, *shape), [place.stride, *inner]
        return as_strided(base, shape, [n * kind.itemsize for n in inner])

    def array(self, place: Place) -> Array:
        """Return a place's memory as an array."""
        if place not in self._arrays:
            root = place.root
            if root.external:  # what was fed in, in another shape
                value = next(v for v, p in self._externals.items() if p is root)
                return self.compiled.builder.feeds[value].reshape(self.batch_size, *place.shape)
            self._arrays[place] = self._viewed(place, self._offsets[root])
        return self._arrays[place]

    @property
    def variables(self) -> list[Variable]:
        """The variables that the program reads or changes."""
        return [variable for variable, _ in self._variables()]

    def _variables(self) -> list[tuple[Variable, Place]]:
        by_id = {id(v): v for v in [*self.compiled.program.variables, *self.compiled.variables]}
        return [(by_id[key], place) for key, place in self.compiled.builder.weights.items()]

    def _fed(self) -> list[Value]:
        program = self.compiled.program
        return [*program.inputs, *program.random_values]

    # Control.

    def control(self, section: Section) -> Array:
        """Return the numbers that a section's threads share."""
        return control_of(section, self.batch_size, self.chunk, self.team.threads)

    # Running.

    def feed(self, feeds: Sequence[Array], random: Mapping[Value, Array] | None = None) -> Fed:
        """Make ready what a run is to be fed; that may be done while another one is going on."""
        given = dict(zip(self.compiled.program.inputs, feeds, strict=True)) | dict(random or {})
        return self._fed_with(given)

    def _fed_with(self, given: Mapping[Value, Array]) -> Fed:
        arrays, addresses = [], []
        for value, place in self._externals.items():
            array = np.ascontiguousarray(given[value], ELEMENTS[place.element])
            arrays.append(array)
            addresses.append((place.slot, array.ctypes.data))
        return Fed(given, arrays, addresses)

    def _bind(self, fed: Fed) -> None:
        """Write the addresses of what comes from outside; it has to stay alive."""
        builder = self.compiled.builder
        builder.arrays, builder.feeds = self.array, fed.given
        if self.compiled.constants is not None:
            self.compiled.constants.refresh()
        for slot, address in fed.addresses:
            self._table[slot] = address

    def _run(self, meanwhile: Callable[[], None] | None = None) -> None:
        self._penalties = {  # of the weights as they are before the step
            node.output: node.op.forward(*(self._value(v) for v in node.inputs if v is not None))
            for node in self._penalty_nodes
        }
        if self.team.process != os.getpid():  # after a fork, whose child has no threads but this
            self.team = runtime.team()
        for section, launch in self._runs:
            if launch is not None:
                self.team.run(launch, alone=self._alone, meanwhile=meanwhile)
                meanwhile = None
            for job in section.after:
                assert job.run is not None
                job.run()

    def _find_direct(self) -> tuple[Launch, Place, Array, Array] | None:
        """Return what a call with one array takes, where it takes no more than one section.

        That is the launch, the place of the input, memory to copy a small one to, and the output.
        """
        builder, outputs = self.compiled.builder, self.compiled.program.outputs
        one = len(self._externals) == len(self._copied) == len(outputs) == len(self._runs) == 1
        if builder.training or not one or self.compiled.program.random_values:
            return None
        section, launch = self._runs[0]
        (place,) = self._externals.values()
        if launch is None or section.after or place.element != "float" or builder.tail:
            return None
        shape = (self.batch_size, *place.shape)
        count = int(np.prod(shape))
        own = np.zeros(shape if count <= SMALL_INPUT else 0, np.float32)
        self._own_address = own.ctypes.data
        return launch, place, own, self._copied[0][1]

    @property
    def is_direct(self) -> bool:
        """Whether `direct` can be used."""
        return self._direct is not None

    def direct(self, x: Array) -> Array | None:
        """Return the output for float32 inputs (N, …) of just the shape of the plan's input.

        It is `forward` without its generality; None where that has to be used.
        """
        if self._direct is None or self.team.process != os.getpid():
            return None
        launch, place, own, output = self._direct
        with self._lock:
            if self.compiled.constants is not None:
                self.compiled.constants.refresh()
            if own.size:
                np.copyto(own, x)
                self._table[place.slot] = self._own_address
            else:
                x = np.ascontiguousarray(x)
                self._table[place.slot] = x.ctypes.data
            self.team.run(launch, alone=self._alone)
            return output.copy()

    def bind_examples(self) -> list[Array]:
        """Feed made-up numbers; return them, as they must live as long as they are used."""
        rng = np.random.default_rng(0)
        given: dict[Value, Array] = {}
        for value, place in self._externals.items():
            shape = (self.batch_size, *place.shape)
            real = place.element == "float"
            given[value] = (
                rng.standard_normal(shape, np.float32) if real else np.zeros(shape, np.int32)
            )
        fed = self._fed_with(given)
        self._bind(fed)
        if self.compiled.builder.training:
            self._seed()
        return fed.arrays

    @contextmanager
    def copies_of(self, places: Iterable[Place]) -> Iterator[None]:
        """Let weights and slots be copies meanwhile, so that jobs that change them change nothing.

        The rates are 0, and the flag is down.
        """
        before = self._table.copy()
        arrays: dict[int, Array] = {
            **{place.slot: variable.value for variable, place in self._variables()},
            **{place.slot: array for place, array in self.compiled.slots},
        }
        copies = {place.slot: arrays[place.slot].copy() for place in places}
        for slot, copied in copies.items():
            self._table[slot] = copied.ctypes.data
        for place in (self.compiled.flag, self.compiled.parameters):
            self._arrays[place][...] = 0
        try:
            yield
        finally:
            self._table[:] = before

    def run_alone(self, section: Any, control: Array) -> None:
        """Run one section on the calling thread, on what the buffers hold."""
        self.team.run(Launch(section, self._table, control, None), alone=True)

    def _value(self, value: Value) -> Array:
        found = self._views.get(value)
        if found is None:
            found = self.compiled.builder.view(value)
            assert found is not None
            # What is fed, in whatever shape, has other memory in the next step.
            if value.kind == "result" and not self.compiled.builder.place(value).root.external:
                self._views[value] = found
        return found

    def _results(self) -> Callable[[], list[Array]]:
        """Return what makes the program's outputs, at any time later: what it needs is copied."""
        values: dict[Value, Array] = dict(self._penalties)
        for output, memory in self._copied:
            values[output] = memory.copy()
        for value in self._read_later:
            values[value] = np.array(self._value(value))

        def results() -> list[Array]:
            for node in self.compiled.builder.tail:
                if node.output not in values:
                    values[node.output] = node.op.forward(
                        *(None if v is None else values[v] for v in node.inputs)
                    )
            return [values[output] for output in self.compiled.program.outputs]

        return results

    def forward(
        self, feeds: Sequence[Array], random: Mapping[Value, Array] | None = None
    ) -> list[Array]:
        """Return the program's outputs."""
        fed = self.feed(feeds, random)
        with self._lock:
            self._bind(fed)
            self._run()
            return self._results()()

    def train(
        self, fed: Fed, meanwhile: Callable[[], None] | None = None
    ) -> tuple[Callable[[], list[Array]], bool]:
        """Take a step; return what gives the program's outputs, and whether all was finite.

        If it was not, nothing was changed. The outputs may be asked for at any time later: what a
        step found can be looked at while the next one runs. `meanwhile` may be called while other
        threads are at work on the step; it must not raise.
        """
        with self._lock:
            return self._step(fed, meanwhile)

    def _step(
        self, fed: Fed, meanwhile: Callable[[], None] | None
    ) -> tuple[Callable[[], list[Array]], bool]:
        compiled, optimizer = self.compiled, self.compiled.optimizer
        flag = self._arrays[compiled.flag]
        flag[0] = 0
        if compiled.update is not None:
            rates = compiled.update.parameters(optimizer)
            rates[1] = (optimizer.weight_decay or 0.0) * rates[0]
            self._arrays[compiled.parameters][: len(rates)] = rates
        self._bind(fed)
        self._seed()
        last = self._runs[-1][1]
        before = last and last.tag
        try:
            self._run(meanwhile)
        except BaseException:
            # Ctrl-C: threads finish the section that they are in. If it was the one that changes
            # weights, all else that belongs to the step is changed as well.
            if compiled.update is not None and last and last.tag != before:
                self._finish()
            raise
        return self._finish()

    def _finish(self) -> tuple[Callable[[], list[Array]], bool]:
        """Change what is left to change after a step; return what `train` does."""
        compiled, flag = self.compiled, self._arrays[self.compiled.flag]
        results = self._results()
        stepped = compiled.update is not None and not flag[0]
        finite = (stepped and self._finite_if_stepped) or math.isfinite(results()[0])
        if not stepped and finite:  # every gradient is in memory, none was used
            seen = [self._value(value) for value in compiled._tail_inputs] + self.gradients()
            finite = all(bool(np.isfinite(array).all()) for array in seen)
        for variable in compiled.variables if stepped else ():
            variable.used()
        if finite:
            self._after_step(stepped)
        return results, finite

    def _after_step(self, stepped: bool) -> None:
        """Change what is left to change; `stepped` says that the weights are done."""
        compiled, optimizer = self.compiled, self.compiled.optimizer
        latest: dict[Variable | None, Array] = {}  # a layer's second use goes on from its first
        for node in self._changing:
            if node in compiled.builder.statistics:
                op: Any = node.op
                keep = op.momentum
                found = [self._arrays[place] for place in compiled.builder.statistics[node]]
                for variable, new in zip(node.updates, found, strict=False):
                    old = latest.get(variable, variable.value)
                    latest[variable] = keep * old + (1 - keep) * new
            else:
                given = [
                    None if v is None else latest.get(v.variable, compiled.builder.view(v))
                    for v in node.inputs
                ]
                latest.update(zip(node.updates, node.op.state_updates(*given), strict=True))
        if stepped:
            optimizer.finish_step(compiled.variables)
        elif optimizer is not None:
            optimizer.apply(self.gradients(), compiled.variables)
        for changed, new in latest.items():
            if changed is not None:
                changed.assign(new)

    def gradients(self) -> list[Array]:
        """Return the gradients of the last step, one for each variable."""
        places = self.compiled.builder.weight_gradients
        return [self._arrays[places[id(v)]] for v in self.compiled.variables]

    def gradient(self, value: Value) -> Array:
        """Return the gradient of one of the inputs that were wanted, in the last step."""
        return self.array(self.compiled.builder.gradient(value))

    def _seed(self) -> None:
        """Write the gradient of the loss with respect to what it is the mean of."""
        builder = self.compiled.builder
        if self._seeded and not self._weighted:
            return
        found: dict[Value, Any] = {self.compiled.program.outputs[0]: np.float32(1.0)}
        for node in reversed(builder.tail):
            dy = found.get(node.output)
            if dy is None:
                continue
            if node.op.name not in LINEAR:
                self.compiled.penalty_scales[node.output]["of"] = dy
                continue
            given = [
                None if v is None else self._value(v) if v.shape else np.float32(0)
                for v in node.inputs
            ]
            shares = node.op.backward(dy, np.array(0), *given)
            for value, share in zip(node.inputs, shares, strict=True):
                if value is not None and share is not None:
                    found[value] = found[value] + share if value in found else share
        for value in self.compiled._tail_inputs:
            if builder.wants(value):
                target = self.array(builder.gradient(value))
                target[...] = np.reshape(found.get(value, 0.0), target.shape)
        self._seeded = True

"""A program compiled for a batch size: memory, machine code, and the order in which it runs.

`compiled(program, …)` makes the machine code, once for all batch sizes. A `Plan` places every
buffer once, for one batch size; a step then allocates nothing but what it returns.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pellucid.compiler import runtime
from pellucid.compiler.kernels import _update
from pellucid.compiler.lowering import Builder
from pellucid.compiler.memory import of_process
from pellucid.compiler.schedule import (
    BATCH,
    COUNTERS,
    SPIN,
    TARGET,
    THREADS,
    Phase,
    Place,
    Section,
    UnsupportedError,
    emit_section,
)
from pellucid.compiler.target import Target, compile_module, host
from pellucid.graph import Node, Program, Value, Variable
from pellucid.ops._operation import Array

__all__ = ["Compiled", "Plan", "UnsupportedError"]

LINEAR = ("weighted_mean", "rescaling", "add")
"""Operations on the loss whose gradients do not depend on its value."""

_ELEMENTS = {"float": np.float32, "i8": np.uint8, "i32": np.int32, "i64": np.int64}
SPINS = 4000
"""How often a thread looks whether the others have arrived before it lets others run."""


CHUNK_MEMORY = 128 * 2**20
"""About how many bytes the sums of all chunks may take together."""


def chunk_size(batch: int, bytes_each: int = 0) -> int:
    """Return how many samples a chunk has, if a chunk's sums take so many bytes.

    It does not depend on the number of threads, so that the sums do not.
    """
    size = max(-(-batch // 16), min(8, -(-batch // 8)))
    while bytes_each * -(-batch // size) > CHUNK_MEMORY and size * 4 < batch:
        size *= 2
    return size


class Compiled:
    """A program's machine code, for every batch size.

    Args:
        program: What to run. For training its first output is the loss.
        variables: The variables to train; none for inference.
        optimizer: Takes the step, where there are variables to train.
        wanted: Inputs whose gradients are wanted besides.
        pixels: Inputs that are fed as uint8.
        target: What to compile for; this machine by default.
    """

    def __init__(
        self,
        program: Program,
        variables: Sequence[Variable] = (),
        optimizer: Any = None,
        *,
        wanted: Sequence[Value] = (),
        pixels: Sequence[Value] = (),
        target: Target | None = None,
    ) -> None:
        self.program = program
        self.lock = threading.Lock()
        self.variables = list(variables)
        self.optimizer = optimizer
        self.target = target or host()
        b = self.builder = Builder(program, self.target, variables, wanted, pixels)
        self.schedule = b.schedule
        b.forward()
        self.flag = self.schedule.place("not finite", (1,), extent="whole", element="i64")
        self.parameters = self.schedule.place("rates", (_update.PARAMETERS,), extent="whole")
        self.slots: list[tuple[Place, Array]] = []
        self.update: _update.Update | None = None
        self._tail_inputs = self._inputs_of_tail()
        if b.training:
            self._train()
        self.sections = self.schedule.sections()
        for index, section in enumerate(self.sections):
            if section.phases:
                emit_section(self.schedule.module, f"section{index}", section)
        runtime.provide_symbols()
        self.code = compile_module(self.schedule.module, self.target)
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        self.functions = [
            self.code.function(f"section{index}", pointer, pointer, whole)
            if section.phases
            else None
            for index, section in enumerate(self.sections)
        ]

    def _inputs_of_tail(self) -> list[Value]:
        """The results that the loss is made of."""
        found: dict[Value, None] = {}
        for node in self.builder.tail:
            for value in node.inputs:
                if value is not None and value.kind == "result" and value.shape:
                    found.setdefault(value)
        for value in found:
            self.builder.place(value).keep = True
        return list(found)

    def _train(self) -> None:
        b = self.builder
        for node in b.tail:
            linear = node.op.name in LINEAR
            if not linear and any(v is not None and v.variable is None for v in node.inputs):
                raise UnsupportedError(f"the loss is made by {node.op.name}")
        for value in self._tail_inputs:
            if b.wants(value):
                gradient, _ = b.claim(value)
                gradient.keep = True
        self.update = _update.update_of(self.optimizer) if self.optimizer is not None else None
        if self.update is not None:
            b.updates = _update.Updates(b, self.update, self.optimizer, self.flag, self.parameters)
        b.backward()
        for node in b.tail:
            if node.op.name not in LINEAR:
                self._penalty(node)
        missing = [v for v in self.variables if id(v) not in b.weight_gradients]
        if missing:
            raise UnsupportedError(f"the loss does not depend on {missing[0].path}")
        if b.updates is not None:
            b.updates.add_checks([b.place(value) for value in self._tail_inputs])
            self.schedule.wait()
            b.updates.add_steps()
            self.slots = b.updates.slots

    def _penalty(self, node: Node) -> None:
        """Add the gradient of a penalty on a weight, in Python."""
        b = self.builder
        value = next(v for v in node.inputs if v is not None)
        if not b.wants(value):
            return
        target, add = b.weight_gradient(value)
        scale: dict[str, Any] = {"of": np.float32(1.0)}
        self.penalty_scales = getattr(self, "penalty_scales", {})
        self.penalty_scales[node.output] = scale

        def run() -> None:
            assert value.variable is not None
            w = value.variable.value
            share = node.op.backward(scale["of"], np.array(0), w)[0]
            array = b.array(target)
            array[...] = array + share if add else share

        b.schedule.python(node.output.name, run, [b.place(value), target], [target], "penalty")


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
        self._offsets: dict[Place, int] = {}
        self._make_memory()
        self._alone = batch_size == 1 and not compiled.builder.training
        self._controls = [self.control(section) for section in compiled.sections]
        self._launch = [
            (function, (ctypes.cast(function, ctypes.c_void_p).value or 0) if function else 0)
            for function in compiled.functions
        ]
        self._bound: list[tuple[Variable, Place, Any]] = [
            (variable, place, None) for variable, place in self._variables()
        ]
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
        self._seeded = False
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
        self._runs = list(zip(compiled.sections, self._controls, self._launch, strict=True))
        for control in self._controls:
            control[THREADS] = 1 if self._alone else self.team.threads

    def __del__(self) -> None:
        made = self.__dict__
        if "_controls" in made and not self.team.settled():
            self.team.bury(self._memory, self._table, self._controls, self.compiled)

    # Memory.

    def _make_memory(self) -> None:
        placed: list[tuple[Place, int]] = []
        total = 0
        for place in self.compiled.schedule.places:
            if place.external:
                continue
            placed.append((place, total))
            total += -(-self.size_of(place) // 64) * 64 + 64
        raw = np.zeros(total + 64, np.uint8)
        skip = -raw.ctypes.data % 64
        self._memory = raw[skip:]
        self.bytes = total
        base = self._memory.ctypes.data
        for place, offset in placed:
            self._table[place.slot] = base + offset
            self._offsets[place] = offset
            self._arrays[place] = self._viewed(place, offset)

    def size_of(self, place: Place) -> int:
        """Return how many bytes a place takes."""
        count = {"sample": self.batch_size, "chunk": self.chunks, "whole": 1}[place.extent]
        if place.scratch:
            count = self.team.threads
        return count * place.stride * np.dtype(_ELEMENTS[place.element]).itemsize

    def _viewed(self, place: Place, offset: int) -> Array:
        kind = np.dtype(_ELEMENTS[place.element])
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
        return [variable for variable, _, _ in self._bound]

    def _variables(self) -> list[tuple[Variable, Place]]:
        by_id = {id(v): v for v in [*self.compiled.program.variables, *self.compiled.variables]}
        return [(by_id[key], place) for key, place in self.compiled.builder.weights.items()]

    def _fed(self) -> list[Value]:
        program = self.compiled.program
        return [*program.inputs, *program.random_values]

    # Control.

    def _parts(self, phase: Phase) -> list[int]:
        parts = []
        if phase.chain:
            size = (
                self.chunk if phase.chunked else max(1, min(self.chunk // 2, self.batch_size // 16))
            )
            parts += [-(-self.batch_size // size), size]
        for job in phase.items:
            parts += [job.count(self.batch_size), 0]
        return parts

    def control(self, section: Section) -> Array:
        """Return the numbers that a section's threads share."""
        parts = [n for phase in section.phases for n in self._parts(phase)]
        control = np.zeros(COUNTERS + len(section.phases) + len(parts) + 8, np.int64)
        control[BATCH], control[SPIN] = self.batch_size, SPINS
        control[COUNTERS + len(section.phases) :][: len(parts)] = parts
        return control

    # Running.

    def _bind(self, feeds: Mapping[Value, Array]) -> list[Array]:
        """Write the addresses of what comes from outside; return what must stay alive."""
        for k, (variable, place, seen) in enumerate(self._bound):
            if variable.value is not seen:
                self._table[place.slot] = variable.value.ctypes.data
                self._bound[k] = (variable, place, variable.value)
        alive = []
        for value, place in self._externals.items():
            array = np.ascontiguousarray(feeds[value], _ELEMENTS[place.element])
            alive.append(array)
            self._table[place.slot] = array.ctypes.data
        return alive

    def _run(self, feeds: Mapping[Value, Array]) -> None:
        builder = self.compiled.builder
        builder.arrays, builder.feeds = self.array, feeds
        alive = self._bind(feeds)
        self._penalties = {  # of the weights as they are before the step
            node.output: node.op.forward(*(self._value(v) for v in node.inputs if v is not None))
            for node in self._penalty_nodes
        }
        if self.team.process != os.getpid():  # after a fork, whose child has no threads but this
            self.team = runtime.team()
        table = self._table.ctypes.data
        for section, control, (function, address) in self._runs:
            if function is not None:
                control[TARGET] = control[0]
                self.team.run(function, address, table, control.ctypes.data, self._alone)
            for job in section.after:
                assert job.run is not None
                job.run()
        del alive

    def bind_examples(self) -> list[Array]:
        """Feed made-up numbers; return them, as they must live as long as they are used."""
        rng = np.random.default_rng(0)
        feeds: dict[Value, Array] = {}
        for value, place in self._externals.items():
            shape = (self.batch_size, *place.shape)
            real = place.element == "float"
            feeds[value] = (
                rng.standard_normal(shape, np.float32) if real else np.zeros(shape, np.int32)
            )
        return self._bind(feeds)

    def run_alone(self, section: Any, control: Array) -> None:
        """Run one section on the calling thread, on what the buffers hold."""
        control[TARGET], control[THREADS] = control[0], 1
        section(self._table.ctypes.data, control.ctypes.data, 0)

    def _value(self, value: Value) -> Array:
        found = self.compiled.builder.view(value)
        assert found is not None
        return found

    def _finish(self) -> dict[Value, Array]:
        """Run what is left when all samples are done: the loss's mean."""
        values: dict[Value, Array] = dict(self._penalties)
        for node in self.compiled.builder.tail:
            if node.output in values:
                continue
            given = [
                None if v is None else values[v] if v in values else self._value(v)
                for v in node.inputs
            ]
            values[node.output] = node.op.forward(*given)
        for output, memory in self._copied:
            values[output] = memory.copy()
        for output in self.compiled.program.outputs:
            if output not in values:
                values[output] = np.array(self._value(output))
        return values

    def forward(
        self, feeds: Sequence[Array], random: Mapping[Value, Array] | None = None
    ) -> list[Array]:
        """Return the program's outputs."""
        given = dict(zip(self.compiled.program.inputs, feeds, strict=True)) | dict(random or {})
        with self._lock:
            self._run(given)
            values = self._finish()
        return [values[output] for output in self.compiled.program.outputs]

    def train(
        self, feeds: Sequence[Array], random: Mapping[Value, Array] | None = None
    ) -> tuple[list[Array], bool]:
        """Take a step; return the program's outputs, and whether all was finite.

        If it was not, nothing was changed.
        """
        given = dict(zip(self.compiled.program.inputs, feeds, strict=True)) | dict(random or {})
        with self._lock:
            return self._step(given)

    def _step(self, given: Mapping[Value, Array]) -> tuple[list[Array], bool]:
        compiled, optimizer = self.compiled, self.compiled.optimizer
        flag = self._arrays[compiled.flag]
        flag[0] = 0
        if compiled.update is not None:
            rates = compiled.update.parameters(optimizer)
            row = self._arrays[compiled.parameters]
            row[: len(rates)] = rates
            row[1] = (optimizer.weight_decay or 0.0) * rates[0]
            for place, array in compiled.slots:
                self._table[place.slot] = array.ctypes.data
        compiled.builder.arrays, compiled.builder.feeds = self.array, given
        self._seed(given)
        self._run(given)
        values = self._finish()
        finite = all(np.isfinite(values[node.output]) for node in compiled.builder.tail)
        stepped = compiled.update is not None and not flag[0]
        if not stepped and finite:  # every gradient is in memory, none was used
            seen = [self._value(value) for value in compiled._tail_inputs] + self.gradients()
            finite = all(bool(np.isfinite(array).all()) for array in seen)
        if finite:
            self._after_step(stepped)
        return [values[output] for output in compiled.program.outputs], finite

    def _after_step(self, stepped: bool) -> None:
        """Change what is left to change; `stepped` says that the weights are done."""
        compiled, optimizer = self.compiled, self.compiled.optimizer
        updates: list[tuple[Variable, Array]] = []
        for node in compiled.program.nodes:
            if node in compiled.builder.statistics:
                op: Any = node.op
                keep = op.momentum
                found = [self._arrays[place] for place in compiled.builder.statistics[node]]
                news = [
                    keep * variable.value + (1 - keep) * new
                    for variable, new in zip(node.updates, found, strict=False)
                ]
                updates += zip(node.updates, news, strict=False)
            elif node.updates:
                given = [compiled.builder.view(v) for v in node.inputs]
                updates += zip(node.updates, node.op.state_updates(*given), strict=True)
        if stepped:
            optimizer.finish_step(compiled.variables)
        elif optimizer is not None:
            optimizer.apply(self.gradients(), compiled.variables)
        for variable, new in updates:
            variable.assign(new)

    def gradients(self) -> list[Array]:
        """Return the gradients of the last step, one for each variable."""
        places = self.compiled.builder.weight_gradients
        return [self._arrays[places[id(v)]] for v in self.compiled.variables]

    def gradient(self, value: Value) -> Array:
        """Return the gradient of one of the inputs that were wanted, in the last step."""
        return self.array(self.compiled.builder.gradient(value))

    def _seed(self, feeds: Mapping[Value, Array]) -> None:
        """Write the gradient of the loss with respect to what it is the mean of."""
        builder = self.compiled.builder
        weighted = any(v in feeds for node in builder.tail for v in node.inputs if v is not None)
        if self._seeded and not weighted:
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

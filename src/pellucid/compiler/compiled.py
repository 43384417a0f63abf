"""A program's machine code, for all batch sizes, and what is made of the weights alone."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.compiler import runtime
from pellucid.compiler.kernels import _update
from pellucid.compiler.layout import ELEMENTS, lay_out
from pellucid.compiler.lowering import Builder
from pellucid.compiler.rolling import roll
from pellucid.compiler.runtime import Launch
from pellucid.compiler.schedule import Place, Section, UnsupportedError
from pellucid.compiler.sections import control_of, emit_section
from pellucid.compiler.target import Target, compile_module, host
from pellucid.graph import Node, Program, Value, Variable
from pellucid.ops._operation import Array

__all__ = ["LINEAR", "Compiled", "Constants"]

LINEAR = ("weighted_mean", "rescaling", "add")
"""Operations on the loss whose gradients do not depend on its value."""


SMALL_INPUT = 16_384
"""Up to how many numbers are copied sooner than asked for their address."""


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
        else:
            self.schedule.keep_what_is_constant()
            roll(self.schedule)
        self.sections = self.schedule.sections()
        self.apart: list[Section] = []
        if any(job.parts > 1 for job in self.schedule.jobs):
            self.apart = [section.taken_apart for section in self.sections]
        for index, section in enumerate(self.sections):
            if section.phases:
                emit_section(self.schedule.module, f"section{index}", section)
        for index, section in enumerate(self.apart):
            if section.phases:
                emit_section(self.schedule.module, f"apart{index}", section, apart=True)
        once = self.schedule.section_once()
        if once.phases:
            emit_section(self.schedule.module, "once", once)
        runtime.provide_symbols()
        self.code = compile_module(self.schedule.module, self.target)
        self.constants = Constants(self, once) if once.phases else None

    def runs(self, *, apart: bool) -> list[tuple[Section, Any]]:
        """Return the sections, each with its function (None, if there is nothing but Python).

        Args:
            apart: Whether several threads shall work on one sample.
        """
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        found: list[tuple[Section, Any]] = []
        for index, section in enumerate(self.apart if apart else self.sections):
            if not section.phases:
                found.append((section, None))
                continue
            name = f"{'apart' if apart else 'section'}{index}"
            found.append((section, self.code.function(name, pointer, pointer, whole)))
        return found

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


class Constants:
    """What is made of the weights alone: for all batch sizes, and anew only when weights change.

    Args:
        compiled: The machine code.
        section: The jobs that make it.

    Attributes:
        addresses: Where each place is.
        bytes: How many bytes they take.
    """

    def __init__(self, compiled: Compiled, section: Section) -> None:
        schedule = compiled.schedule
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        function = compiled.code.function("once", pointer, pointer, whole)
        places = list(dict.fromkeys(place for job in schedule.once for place in job.writes))
        table = np.zeros(len(schedule.places), np.uint64)
        self._memory, offsets = lay_out(
            [place.stride * np.dtype(ELEMENTS[place.element]).itemsize for place in places]
        )
        begin = self._memory.ctypes.data
        self.addresses = {p: begin + offset for p, offset in zip(places, offsets, strict=True)}
        for place, address in self.addresses.items():
            table[place.slot] = address
        weights = {place: key for key, place in compiled.builder.weights.items()}
        by_id = {id(variable): variable for variable in compiled.program.variables}
        read = dict.fromkeys(place for job in schedule.once for place in job.reads)
        self._of = [by_id[weights[place]] for place in read if place in weights]
        for place in read:
            if place in weights:
                table[place.slot] = by_id[weights[place]].address
        self._launch = Launch(function, table, control_of(section, 1, 1, 1), self._memory)
        self.bytes = len(self._memory)
        self._uses: list[int] | None = None  # [] is known of constants that depend on no weight
        self._all_uses = -1

    def refresh(self) -> None:
        """Make it anew if a weight may have changed."""
        if Variable.all_uses == self._all_uses:
            return
        now = Variable.all_uses
        shared = any(variable.shared for variable in self._of)
        uses = [variable.uses for variable in self._of]
        if shared or uses != self._uses:
            runtime.team().run(self._launch, alone=True)
            self._uses = uses
        self._all_uses = -1 if shared else now

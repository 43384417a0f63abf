"""One step of the optimiser on what a trace recorded, made on copies: the model is not changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pellucid.explain._rerun import Rerun
from pellucid.explain.address import Address
from pellucid.explain.formula import Located, located
from pellucid.explain.ledger import Ledger
from pellucid.explain.terms import Part, Place
from pellucid.graph import Node, Program, Value, Variable
from pellucid.graph import reference as engine
from pellucid.ops._operation import Array
from pellucid.ops._terms import Cell, Expression, Named

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["Update"]

COPIED = 64 * 2**20


class Update:
    """What the optimiser would make of the weights and of its own memory.

    Args:
        trace: The trace.

    Attributes:
        optimizer: The optimiser, as it was when the trace was made.
        rate: The learning rate of the step.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.optimizer = copy.copy(trace.setup.optimizer)
        self.rate = float(self.optimizer.learning_rate)
        values = [v for v in trace.recording.values if v.variable is not None]
        trained = {id(variable) for variable in trace.model.trainable_weights}
        self.trained: dict[Value, Variable] = {
            v: v.variable for v in values if v.variable is not None and id(v.variable) in trained
        }
        self._slots = {
            value: self.optimizer.slots_of(variable)
            for value, variable in self.trained.items()
            if self.optimizer.built
        }
        if sum(a.nbytes for slots in self._slots.values() for a in slots.values()) <= COPIED:
            self._slots = {
                value: {slot: array.copy() for slot, array in slots.items()}
                for value, slots in self._slots.items()
            }
        self._names = self.optimizer.slot_names
        self._norms: dict[Value, float] = {}
        self._states = self._state_nodes()

    def quantities(self, value: Value) -> tuple[str, ...]:
        """Return what can be asked of a weight: "updated", the optimiser's slots, and these."""
        if value in self.trained:
            return ("updated", *self._names, *(f"{slot}.updated" for slot in self._names))
        return ("updated",) if value in self._states else ()

    def array(self, value: Value, quantity: str, rate: float | None = None) -> Array:
        """Return the whole array of a weight's quantity.

        Args:
            value: The weight.
            quantity: "updated", a slot, or a slot and ".updated".
            rate: The learning rate; that of the step by default.
        """
        if value in self._states:
            return self._new_state(value)
        slot, _, after = quantity.rpartition(".")
        if quantity in self._names:
            return self._memory(value)[quantity]
        assert after == "updated"
        new, slots = self._stepped(value, rate)
        constraint = self.trained[value].constraint
        if slot:
            return slots[slot]
        return new if constraint is None else constraint(new)

    def ledger(self, address: Address) -> Ledger:
        """Return the account of the learning rate, a slot, or an updated number."""
        trace = self.trace
        if address.tensor not in trace.names.values():
            note = f"{self.optimizer.name}'s learning rate in this step."
            return Ledger(trace, address, self.rate, (), notes=[note])
        value = trace.value_of(address)
        if value in self._states:
            return self._state_ledger(address, value)
        cell = address.cell
        memory = {slot: self._memory_at(value, slot, cell) for slot in self._names}
        if address.quantity in memory:
            note = f"{self.optimizer.name}'s memory of this weight, before the step."
            return Ledger(trace, address, memory[address.quantity], (), notes=[note])
        gradient = trace[Address(address.tensor, cell, None, "grad")].value
        weight = float(trace.recording.array(value)[cell])
        dtype = trace.recording.dtype
        recorded, slots = self._tried(
            value,
            np.array([weight], dtype),
            np.array([gradient], dtype),
            {slot: np.array([number], dtype) for slot, number in memory.items()},
        )
        own, kept = self.optimizer.account(
            self.trained[value],
            Cell("w", cell, weight),
            Cell("dw", cell, gradient),
            {slot: Cell(slot, cell, number) for slot, number in memory.items()},
            Cell("learning_rate", (), self.rate),
            self._norm(value),
        )
        places = {
            "w": trace.place(value),
            "dw": trace.place(value, "grad"),
            "learning_rate": Place("learning_rate", False),
            **{slot: trace.place(value, slot) for slot in self._names},
        }
        slot = address.quantity.rpartition(".")[0]
        expression: Expression = kept[slot] if slot else own
        result = float((slots[slot] if slot else recorded)[0])
        constraint = self.trained[value].constraint
        if constraint is not None and not slot:
            whole, _ = self._stepped(value)
            result = float(constraint(whole)[cell])
            expression = constraint.terms(Named("stepped", expression), whole, cell)
        return Ledger(
            trace,
            address,
            result,
            [Part(expression, places)],
            operation=self.optimizer.name,
            layer=trace.layer_of(value),
        )

    def loss_with(self, weights: Mapping[Value, Array]) -> float:
        """Return the loss on the recorded samples with other weights, in double precision."""
        loss = self.trace.require_gradients().of
        rerun = Rerun(self.trace.recording, list(weights), "float64", [loss])
        return float(rerun.run(weights).get(loss, self.trace.recording.array(loss))[()])

    def loss_after(self) -> float:
        """Return the loss on the recorded samples after the step."""
        return self.loss_with({value: self.array(value, "updated") for value in self.trained})

    def _stepped(self, value: Value, rate: float | None = None) -> tuple[Array, dict[str, Array]]:
        """Return a whole weight and its slots after the step, before any constraint."""
        weights = self.trace.recording.array(value)
        gradient = self.trace.require_gradients().array(value)
        return self._tried(value, weights, gradient, self._memory(value), rate)

    def _tried(
        self,
        value: Value,
        weights: Array,
        gradient: Array,
        slots: dict[str, Array],
        rate: float | None = None,
    ) -> tuple[Array, dict[str, Array]]:
        rate = self.rate if rate is None else rate
        variable, norm = self.trained[value], self._norm(value)
        return self.optimizer.tried(variable, weights, gradient, slots, rate, norm)

    def _norm(self, value: Value) -> float:
        """The length of the gradient that clipping looks at."""
        if not (self.optimizer.clipnorm or self.optimizer.global_clipnorm):
            return 0.0
        if value not in self._norms:
            read = list(self.trained) if self.optimizer.global_clipnorm else [value]
            gradients = [self.trace.require_gradients().array(v) for v in read]
            norms = self.optimizer.clipping_norms(gradients)
            self._norms.update(zip(read, norms, strict=True))
        return self._norms[value]

    def _memory(self, value: Value) -> dict[str, Array]:
        dtype = self.trace.recording.dtype
        if value not in self._slots:  # there was no step yet
            return self.optimizer.new_slots(self.trained[value].shape, dtype)
        slots = self._slots[value]
        return {slot: array.astype(dtype, copy=False) for slot, array in slots.items()}

    def _memory_at(self, value: Value, slot: str, cell: tuple[int, ...]) -> float:
        if value in self._slots:
            return float(self._slots[value][slot][cell])
        return self.optimizer.slot_start(slot)

    def _state_nodes(self) -> dict[Value, list[Node]]:
        """Which operations, one after the other, leave new state in which weights after a step."""
        found: dict[Value, list[Node]] = {}
        for node in self.trace.setup.program.nodes:
            for value in node.inputs:
                if value is not None and value.variable in node.updates:
                    found.setdefault(value, []).append(node)
        return found

    def _new_state(self, value: Value) -> Array:
        recording, nodes = self.trace.recording, self._states[value]
        whole = recording.program
        program = Program(whole.inputs, whole.outputs, tuple(nodes), whole.training)
        read = {v: recording.array(v) for node in nodes for v in node.inputs if v is not None}
        found = engine.state_updates(program, read)
        return next(new for variable, new in found if variable is value.variable)

    def _state_ledger(self, address: Address, value: Value) -> Ledger:
        nodes = self._states[value]
        part, *later = [self._state_part(node, value, address.cell) for node in nodes]
        for use, each in enumerate(later, 1):
            part = _following(part, each, address.plain, use)
        note = (
            f"The layer is used {len(nodes)} times: each use goes on from what the one before left."
        )
        return Ledger(
            self.trace,
            address,
            float(self._new_state(value)[address.cell]),
            [part],
            operation=nodes[-1].op.name,
            layer=nodes[-1].layer,
            notes=[note] if later else [],
        )

    def _state_part(self, node: Node, value: Value, cell: tuple[int, ...]) -> Part:
        which = [variable is value.variable for variable in node.updates].index(True)
        terms = node.op.state_terms(which, cell, *self.trace.recording.inputs(node))
        return Part(terms, self.trace.places(node))


def _following(earlier: Part, part: Part, stored: Address, use: int) -> Part:
    """Return the account of a use with what an earlier one left in place of what is stored."""
    left = Named(f"{stored} after use {use}", earlier.located)

    def put(cell: Cell) -> Expression:
        return left if isinstance(cell, Located) and cell.address == stored else cell

    places = {place.name: place for each in (earlier, part) for place in each.places.values()}
    return Part(located(part.located, put), places)

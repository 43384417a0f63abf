"""What would follow if one number were another: the differences downstream, and in the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError, unknown_name
from pellucid.explain._rerun import Rerun
from pellucid.explain.address import Address
from pellucid.explain.formula import number
from pellucid.graph import Value
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["Change", "Difference", "change"]


@dataclass(frozen=True)
class Difference:
    """How one tensor differs.

    Attributes:
        tensor: Its name; with ".updated" for weights after the step.
        changed: How many of its numbers differ.
        size: How many there are.
        largest: The difference of the number that differs most.
        address: That number.
    """

    tensor: str
    changed: int
    size: int
    largest: float
    address: Address

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON."""
        return {**vars(self), "address": str(self.address)}


@dataclass(frozen=True)
class Change:
    """What follows from a change, computed in double precision.

    Attributes:
        address: What was changed.
        before: What it was.
        after: What it became.
        loss_before: The loss without the change; for the learning rate, the loss after one step.
        loss_after: The loss with it.
        predicted: The change of the loss that the gradient predicts, gradient × Δ; None where there
            is no gradient.
        notes: What else to know.
    """

    address: Address
    before: float
    after: float
    loss_before: float | None
    loss_after: float | None
    predicted: float | None
    notes: tuple[str, ...]
    _trace: Trace = field(repr=False)
    _arrays: Mapping[tuple[Value, str], tuple[Array, Array]] = field(repr=False)

    @property
    def actual(self) -> float | None:
        """The change of the loss."""
        if self.loss_before is None or self.loss_after is None:
            return None
        return self.loss_after - self.loss_before

    @cached_property
    def differences(self) -> list[Difference]:
        """The tensors that differ, in the order in which they are computed."""
        found = []
        for (value, quantity), (old, new) in self._arrays.items():
            apart = np.subtract(new, old, dtype=np.float64)
            changed = int(np.count_nonzero(apart))
            if not changed:
                continue
            place = np.unravel_index(int(np.argmax(np.abs(apart))), apart.shape)
            cell = tuple(int(i) for i in place)
            address = self._trace.place(value, quantity).address(cell)
            name = f"{address.tensor}.{quantity}" if quantity else address.tensor
            found.append(Difference(name, changed, apart.size, float(apart[cell]), address))
        return found

    def array(self, address: str | Address) -> Array:
        """Return how much each number of one sample's tensor, or one number, differs."""
        found = self._trace.address(address)
        key = (self._trace.value_of(found), found.quantity)
        if key not in self._arrays:
            return np.zeros(np.shape(self._trace.array(found)))
        old, new = self._arrays[key]
        return np.asarray(np.subtract(new, old, dtype=np.float64)[found.cell])

    def after_change(self, address: str | Address) -> Array:
        """Return what one sample's tensor, or one number, is with the change."""
        found = self._trace.address(address)
        key = (self._trace.value_of(found), found.quantity)
        if key not in self._arrays:
            return self._trace.array(found)
        return np.asarray(self._arrays[key][1][found.cell])

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON."""
        return {
            "address": str(self.address),
            "before": self.before,
            "after": self.after,
            "loss_before": self.loss_before,
            "loss_after": self.loss_after,
            "actual": self.actual,
            "predicted": self.predicted,
            "differences": [difference.to_dict() for difference in self.differences],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        line = f"{self.address}: {number(self.before)} → {number(self.after)}"
        if self.actual is not None:
            line += f"; loss {number(self.actual)}"
        if self.predicted is not None:
            line += f", predicted {number(self.predicted)}"
        return line


def change(trace: Trace, address: Address, value: Any) -> Change:
    """Return what would follow if a number were another one; see `Trace.change`.

    Raises:
        ArgumentError: It is not a number of the forward pass, or cannot be this.
        NameLookupError: The target cannot be a class of this name.
    """
    if address.tensor == "learning_rate":
        return _of_rate(trace, address, float(value))
    if address.quantity:
        raise ArgumentError(
            f"{address} follows from other numbers and cannot be set. Change {address.plain}, "
            f"another number of the forward pass, target or learning_rate."
        )
    source = trace.value_of(address)
    old = trace.recording.array(source)
    new, before, after = _replaced(trace, address, old, value)
    rerun = Rerun(trace.recording, [source], "float64")
    was, now = rerun.run({source: old}), rerun.run({source: new})
    arrays = {(v, ""): (was[v], now[v]) for v in was}
    loss = trace.setup.program.outputs[0] if trace.setup.has_loss else None
    notes: list[str] = []
    predicted = None
    if loss is not None and loss in was:
        if "grad" in trace.tensors[address.tensor].quantities:
            predicted = trace[address.grad].value * (after - before)
        else:
            notes.append(f"A {source.kind} has no gradient, so nothing was predicted.")
    base = None if loss is None else float(was.get(loss, trace.recording.array(loss))[()])
    then = None if loss is None else float(now.get(loss, trace.recording.array(loss))[()])
    return Change(address, before, after, base, then, predicted, tuple(notes), trace, arrays)


def _replaced(trace: Trace, address: Address, old: Array, value: Any) -> tuple[Array, float, float]:
    """Return the array with the new number in it, the old number and the new one."""
    target = trace.tensors[address.tensor].kind == "target"
    if target and isinstance(value, str):
        names = trace.class_names or []
        if value not in names:
            raise unknown_name("class", value, names)
        value = names.index(value)
    new = old.astype(np.float64) if old.dtype.kind == "f" else old.copy()
    if target and address.index is None and old.ndim == 2:
        classes = old.shape[-1]
        if not (float(value).is_integer() and 0 <= value < classes):
            raise ArgumentError(f"{address}: classes go from 0 to {classes - 1}, received {value}.")
        before = float(old[address.sample].argmax())
        new[address.sample] = np.eye(classes)[int(value)]
        return new, before, float(value)
    if address.index is None:
        shape = trace.tensors[address.tensor].shape
        raise ArgumentError(
            f"{address} is a whole tensor {shape}: change one number, such as "
            f"{Address(address.tensor, (0,) * len(shape), address.sample)}."
        )
    try:
        after = float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{address}: expected a number, received {value!r}.") from None
    before = float(old[address.cell])
    new[address.cell] = after
    return new, before, after


def _of_rate(trace: Trace, address: Address, rate: float) -> Change:
    """Compare a step at another learning rate with the step recorded."""
    update = trace.update
    if not 0 <= rate < float("inf"):
        raise ArgumentError(f"learning_rate: expected a number of at least 0, received {rate!r}.")
    arrays: dict[tuple[Value, str], tuple[Array, Array]] = {}
    predicted = 0.0
    for value in update.trained:
        old = update.array(value, "updated")
        new = update.array(value, "updated", rate)
        apart = np.subtract(new, old, dtype=np.float64)
        predicted += float((trace.require_gradients().array(value) * apart).sum())
        arrays[(value, "updated")] = (old, new)
    losses = [
        update.loss_with({value: pair[i] for (value, _), pair in arrays.items()}) for i in (0, 1)
    ]
    notes = (
        "The losses are those after one step with each rate, on the same samples.",
        "Predicted is Σ gradient × difference of the updated weights.",
    )
    return Change(address, update.rate, rate, losses[0], losses[1], predicted, notes, trace, arrays)

"""A number checked: its terms added up again, the engines that compute it, finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.explain._compiled import CompiledRun
from pellucid.explain._recording import Recording
from pellucid.explain._rerun import Rerun
from pellucid.explain.formula import number
from pellucid.graph import Program, Value
from pellucid.graph import reference as engine
from pellucid.ops._terms import (
    Call,
    Cell,
    Constant,
    Expression,
    Maximum,
    Named,
    Product,
    Sum,
    Table,
)

if TYPE_CHECKING:
    from pellucid.explain.address import Address
    from pellucid.explain.ledger import Ledger
    from pellucid.explain.trace import Trace

__all__ = ["ENGINES", "Check", "Slope", "Verification", "finite_difference", "verify"]

_FIRST_STEP = 4e-3
_STEPS = 12
_ROUNDINGS = 16.0


@dataclass(frozen=True)
class Check:
    """One way of coming to a number, beside the recorded one.

    Attributes:
        name: "terms", "reference", "compiled", "finite difference".
        value: What it came to.
        difference: How far that is from the recorded number.
        ulp: The same in units of the last place of the recorded number.
        relative: The same, as a share of the larger of the two numbers.
        tolerance: The largest difference that rounding explains.
        note: What else to know.
    """

    name: str
    value: float
    difference: float
    ulp: float
    relative: float
    tolerance: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether rounding explains the difference."""
        return self.difference <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON."""
        return {**vars(self), "passed": self.passed}

    def __str__(self) -> str:
        sign = "agrees" if self.passed else "DIFFERS"
        note = f"; {self.note}" if self.note else ""
        return (
            f"{self.name}: {self.value!r} {sign}, off by {number(self.ulp, 3)} ulp "
            f"({number(self.relative, 2)} relative){note}"
        )


@dataclass(frozen=True)
class Verification:
    """All checks of one number.

    Attributes:
        address: The number's address.
        value: The recorded number.
        checks: The checks made.
    """

    address: Address
    value: float
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether all checks agree."""
        return all(check.passed for check in self.checks)

    def __getitem__(self, name: str) -> Check:
        """Return the check of this name; KeyError if it was not made."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the checks as JSON."""
        return {
            "address": str(self.address),
            "value": self.value,
            "passed": self.passed,
            "checks": [check.to_dict() for check in self.checks],
        }

    def __str__(self) -> str:
        return "\n".join([f"{self.address} = {self.value!r}", *map(str, self.checks)])


def verify(ledger: Ledger, with_finite_difference: bool = False) -> Verification:
    """Check the number of a ledger; see `Ledger.verify`."""
    trace, address, value = ledger.trace, ledger.address, ledger.value
    epsilon = float(np.finfo(trace.recording.dtype).eps)
    scale = max(abs(value), *(rounding_scale(part.expression) for part in ledger._parts), 0.0)
    allowed = epsilon * scale * (_ROUNDINGS + 2 * math.sqrt(len(ledger.terms)))
    checks = []
    if ledger._parts:
        checks.append(_check("terms", ledger.total, value, epsilon, allowed))
    for name, engine_value in ENGINES.items():
        found = engine_value(trace, address)
        if found is not None:
            checks.append(_check(name, found, value, epsilon, 2 * allowed))
    if with_finite_difference:
        if not address.is_gradient:
            raise ArgumentError(f"{address} is not a gradient: only {address.plain}.grad has one.")
        slope = finite_difference(trace, address.plain)
        allowed = max(1e-5 * max(abs(value), abs(slope.value)), 4 * slope.uncertainty, allowed)
        exact = _in_double_precision(trace, address)
        single = reference_value(trace, address)
        lost = 0.0 if exact is None or single is None else abs(exact - single)
        note = slope.note
        if lost > allowed:
            note = f"in double precision it is {number(exact or 0.0, 9)}: rounding, not a mistake"
        checks.append(
            _check("finite difference", slope.value, value, epsilon, allowed + lost, note)
        )
    return Verification(address, value, tuple(checks))


def _check(
    name: str, found: float, recorded: float, epsilon: float, allowed: float, note: str = ""
) -> Check:
    difference = 0.0 if found == recorded else abs(found - recorded)
    larger = max(abs(found), abs(recorded))
    place = epsilon * 2.0 ** math.floor(math.log2(abs(recorded))) if recorded else epsilon
    relative = difference / larger if larger else 0.0
    return Check(name, found, difference, difference / place, relative, allowed, note)


def reference_value(trace: Trace, address: Address) -> float | None:
    """Return the number as the engine that trains computes it, in a run of its own."""
    if address.tensor not in trace.names.values() or address.index is None:
        return None
    value = trace.value_of(address)
    recording = trace.recording
    if address.quantity and not address.is_gradient:
        return float(trace.array(trace.address(str(address))))
    given = {v: recording.array(v) for v in recording.values if v not in recording.producers}
    if address.is_gradient and trace.require_gradients().is_too_large(value):
        return None
    if address.is_gradient:
        values = engine.forward(recording.program, _fed(recording), given, keep=True)
        gradient = engine.gradients(recording.program, values, [value])[value]
        return float(gradient[address.cell])
    if value not in recording.producers:
        return None
    program = recording.program
    only = Program(program.inputs, (value,), _leading_to(program, value), program.training)
    return float(engine.forward(only, _fed(recording), given)[value][address.cell])


def _in_double_precision(trace: Trace, address: Address) -> float | None:
    """Return a gradient by the same formulas in double precision; None where it is too large.

    Single precision may lose more than the rounding of the last sum: p − y of a sure answer is a
    difference of two numbers that are nearly equal.
    """
    recording, value = trace.recording, trace.value_of(address)
    if address.index is None or trace.require_gradients().is_too_large(value):
        return None
    given = {
        v: array.astype(np.float64) if array.dtype.kind == "f" else array
        for v in recording.values
        if v not in recording.producers
        for array in (recording.array(v),)
    }
    fed = [given[v] for v in recording.program.inputs]
    values = engine.forward(recording.program, fed, given, keep=True)
    found = engine.gradients(recording.program, values, [value])[value]
    return float(found[address.cell])


def compiled_value(trace: Trace, address: Address) -> float | None:
    """Return the number as machine code computes it; None for what that does not hand out."""
    if address.tensor not in trace.names.values() or address.index is None:
        return None
    if address.quantity and not address.is_gradient:
        return None
    if trace.compiled is None:
        trace.compiled = CompiledRun(trace.recording)
    array = trace.compiled.array(trace.value_of(address), address.is_gradient)
    return None if array is None else float(array[address.cell])


ENGINES: dict[str, Callable[[Trace, Address], float | None]] = {
    "reference": reference_value,
    "compiled": compiled_value,
}
"""What computes a number anew, by name; None for a number that an engine does not make."""


@dataclass(frozen=True)
class Slope:
    """A derivative by finite differences.

    Attributes:
        value: The derivative.
        uncertainty: How far off it may be.
        smooth: Whether the loss has one slope here: no gate or maximum is just turning over.
    """

    value: float
    uncertainty: float
    smooth: bool

    @property
    def note(self) -> str:
        """Say so where there is a kink."""
        return "" if self.smooth else "the loss has a kink here: its slopes to both sides differ"


def finite_difference(trace: Trace, address: Address) -> Slope:
    """Return ∂loss/∂number by central differences in double precision.

    All that the number does not influence is kept as recorded. Steps are halved until two
    extrapolations (Richardson's) agree best.
    """
    trace.require_gradients()
    loss = trace.setup.program.outputs[0]
    value, cell = trace.value_of(address), address.cell
    rerun = Rerun(trace.recording, [value], "float64", [loss])
    base = np.array(rerun.base(value))

    def loss_at(delta: float) -> float:
        moved = base.copy()
        moved[cell] += delta
        return float(rerun.run({value: moved}).get(loss, np.zeros(()))[()])

    here = loss_at(0.0)
    size = max(1.0, abs(float(base[cell])))
    best = Slope(0.0, math.inf, False)
    before: list[float] = []
    extrapolated = math.nan
    jump = math.nan
    for halvings in range(_STEPS):
        step = _FIRST_STEP * size / 2**halvings
        up, down = loss_at(step) - here, here - loss_at(-step)
        central, bend = (up + down) / (2 * step), (up - down) / step
        if before:
            new = (4 * central - before[0]) / 3
            kink = abs(2 * bend - before[1])
            rounding = 8 * float(np.finfo(np.float64).eps) * max(abs(here), abs(up)) / step
            doubt = abs(new - extrapolated) + kink + rounding
            if doubt < best.uncertainty:
                jump = kink
                best = Slope(new, doubt, True)
            extrapolated = new
            if best.uncertainty <= max(1e-9 * abs(best.value), rounding):
                break
        before = [central, bend]
    smooth = jump <= 1e-6 * max(abs(best.value), 1e-6)
    return Slope(best.value, best.uncertainty, smooth)


def rounding_scale(expression: Expression) -> float:
    """Return the size that rounding errors are in proportion to.

    A sum's is that of its terms together, whatever they cancel to; a function's is its value, and
    its argument's scale times its slope.
    """
    match expression:
        case Sum(Table(values=values)):
            return math.fsum(map(abs, values))
        case Sum(terms):
            return math.fsum(rounding_scale(term) for term in terms)
        case Product(factors):
            return math.prod(rounding_scale(factor) for factor in factors)
        case Maximum(candidates):
            return max(rounding_scale(candidate) for candidate in candidates)
        case Named(_, inner):
            return rounding_scale(inner)
        case Call(function, arguments, evaluate):
            numbers = [argument.value for argument in arguments]
            scale = abs(expression.value)
            if function.endswith("'"):  # may be computed from the output, as 1 − y²
                scale += 1.0
            for position, argument in enumerate(arguments):
                scale += _steepness(evaluate, numbers, position) * rounding_scale(argument)
            return scale
        case Cell() | Constant():
            return abs(expression.value)


def _steepness(evaluate: Callable[..., float], numbers: list[float], position: int) -> float:
    """|∂f/∂argument|, roughly."""
    step = 1e-7 * max(abs(numbers[position]), 1e-7)
    moved = [*numbers[:position], numbers[position] + step, *numbers[position + 1 :]]
    slope = abs(float(evaluate(*moved)) - float(evaluate(*numbers))) / step
    return slope if math.isfinite(slope) else 0.0


def _fed(recording: Recording) -> list[np.ndarray[Any, Any]]:
    return [recording.array(value) for value in recording.program.inputs]


def _leading_to(program: Program, value: Value) -> tuple[Any, ...]:
    wanted = {value}
    nodes = []
    for node in reversed(program.nodes):
        if node.output in wanted:
            nodes.append(node)
            wanted.update(v for v in node.inputs if v is not None)
    return tuple(reversed(nodes))

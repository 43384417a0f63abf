"""The door to the compiler: programs in, results out; None where the reference has to run.

Machine code is made once for a program (and optimiser), buffers once for each batch size; both
live as long as the program. Which engine runs is chosen here alone: by `compile(engine=…)`, else by
the environment variable PELLUCID_ENGINE, else "auto", which compiles where it can.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Program, Value, Variable
from pellucid.ops._operation import Shape

if TYPE_CHECKING:
    from pellucid.compiler.compiled import Compiled
    from pellucid.compiler.plan import Plan

__all__ = ["ENGINES", "choose", "plan_for", "refusal"]

ENGINES = ("auto", "reference")
SETTINGS = (
    *("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"),
    *("momentum", "nesterov", "beta_1", "beta_2", "epsilon", "amsgrad", "rho", "centered"),
)
"""What of an optimiser is in the machine code: when it is changed, other code is made."""
PLANS = 4
"""How many batch sizes of a program keep their buffers."""

_complaints: set[str] = set()


class _Entry:
    """What is kept of a program: its machine code, and plans by batch size, the last used last."""

    def __init__(self, key: tuple[Any, ...], compiled: Compiled | None, reason: str) -> None:
        self.key, self.compiled, self.reason = key, compiled, reason
        self.plans: dict[int, Plan] = {}


def choose(engine: str | None) -> str:
    """Return "auto" or "reference": what was asked for, or PELLUCID_ENGINE, or "auto"."""
    chosen = engine or os.environ.get("PELLUCID_ENGINE") or "auto"
    if chosen not in ENGINES:
        where = "engine" if engine else "PELLUCID_ENGINE"
        raise ArgumentError(f"{where} must be 'auto' or 'reference', received {chosen!r}.")
    return chosen


def plan_for(
    program: Program,
    batch_size: int,
    variables: Sequence[Variable] = (),
    optimizer: Any = None,
    pixels: tuple[bool, ...] = (),
) -> Plan | None:
    """Return the plan of a program for a batch size; None if the reference has to run it.

    Args:
        program: The program; for training its first output is the loss.
        batch_size: How many samples the batch has.
        variables: The variables to train, if any.
        optimizer: Takes the step, if there are variables to train.
        pixels: For each input, whether uint8 is fed, which the machine code makes floats of.
    """
    entry = _entry(program, variables, optimizer, pixels)
    if entry.compiled is None or batch_size < 1:
        return None
    if batch_size in entry.plans:
        plan = entry.plans.pop(batch_size)
    else:
        from pellucid.compiler.plan import Plan

        while len(entry.plans) >= PLANS:
            del entry.plans[next(iter(entry.plans))]
        plan = Plan(entry.compiled, batch_size)
    entry.plans[batch_size] = plan
    return plan


def refusal(program: Program, variables: Sequence[Variable] = (), optimizer: Any = None) -> str:
    """Return why the reference runs a program; "" if it is compiled."""
    return _entry(program, variables, optimizer).reason


def _entry(
    program: Program, variables: Sequence[Variable], optimizer: Any, pixels: tuple[bool, ...] = ()
) -> _Entry:
    settings = tuple(getattr(optimizer, name, None) for name in SETTINGS)
    pixels = pixels if any(pixels) else ()
    key = (id(optimizer), settings, tuple(id(variable) for variable in variables), pixels)
    name = "compiled for pixels" if pixels else "compiled"
    entry: _Entry | None = program.kept.get(name)
    if entry is None or entry.key != key:
        entry = program.kept[name] = _compile(key, program, variables, optimizer, pixels)
    return entry


def _compile(
    key: tuple[Any, ...],
    program: Program,
    variables: Sequence[Variable],
    optimizer: Any,
    pixels: tuple[bool, ...],
) -> _Entry:
    double = next((v.path for v in program.variables if v.dtype == np.float64), None)
    if double is not None:
        return _Entry(key, None, f"{double} is not float32")
    if any(None in value.shape[1:] for value in program.inputs):
        return _Entry(key, None, "an input has sizes that are only known with the data")
    mixed = _without_batch(program)
    if mixed:
        return _Entry(key, None, f"{mixed} does not have one part for each sample")
    try:
        from pellucid.compiler.compiled import Compiled
        from pellucid.compiler.schedule import UnsupportedError
    except ImportError as error:
        return _Entry(key, None, _complain(f"llvmlite cannot be used here ({error})"))
    try:
        fed = [value for value, small in zip(program.inputs, pixels, strict=False) if small]
        return _Entry(key, Compiled(program, variables, optimizer, pixels=fed), "")
    except UnsupportedError as error:
        return _Entry(key, None, str(error))
    except (ImportError, OSError, RuntimeError) as error:
        return _Entry(key, None, _complain(f"llvmlite cannot be used here ({error})"))


def _without_batch(program: Program) -> str:
    """Return the name of a result whose axis 0 is not the batch, beside the loss; "" if none is."""
    shapes: dict[Value | None, Shape | None] = {None: None}
    scalars: set[Value] = set()

    def shape_of(value: Value | None) -> Shape | None:
        if value in shapes or value is None:
            return shapes[value]
        return value.shape if value.variable is not None else (_BATCH, *value.shape[1:])

    for node in program.nodes:
        try:
            shape = node.op.output_shape(*map(shape_of, node.inputs))
        except ShapeError:  # it was made for another number of samples
            return node.output.name
        shapes[node.output] = shape
        if not shape:
            scalars.add(node.output)
        elif shape[0] != _BATCH or scalars.intersection(filter(None, node.inputs)):
            return node.output.name
    return ""


_BATCH = 1009
"""A number of samples that is no other size."""


def _complain(reason: str) -> str:
    """Say once, in one line, that the slower engine runs."""
    if reason not in _complaints:
        _complaints.add(reason)
        print(f"pellucid: {reason}; the reference engine runs, more slowly.", file=sys.stderr)
    return reason

"""What memory a plan takes, and the process that runs it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.compiler.plan import Plan

__all__ = ["Memory", "of_plan", "of_process"]

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Memory:
    """Bytes.

    Attributes:
        buffers: Activations, gradients and what kernels keep in between, for one batch size.
        weights: The variables that the program reads or changes.
        slots: What the optimiser keeps of every weight.
        code: Machine code.
        peak: What the process will have taken at most, interpreter, modules and data included;
            None where the system does not tell. Data that is read later is not in it.
    """

    buffers: int
    weights: int
    slots: int
    code: int
    peak: int | None

    def __str__(self) -> str:
        parts = ((self.buffers, "buffers"), (self.weights, "weights"),
                 (self.slots, "optimiser state"), (self.code, "machine code"))  # fmt: skip
        told = ", ".join(f"{size / MEBIBYTE:.2f} MiB of {what}" for size, what in parts if size)
        if self.peak is None:
            return f"{told}."
        return f"{told}; the process takes about {self.peak / MEBIBYTE:.0f} MiB at its peak."


def of_plan(plan: Plan) -> Memory:
    """Return what a plan takes.

    The peak is either what compiling took, which is over, or what the process held just before
    the buffers were made, and these, but for gradients that no step writes.
    """
    compiled = plan.compiled
    slots = sum(array.nbytes for _, array in compiled.slots)
    weights = sum(variable.value.nbytes for variable in plan.variables)
    before, most = plan.before
    updates = compiled.builder.updates
    unwritten = sum(map(plan.size_of, updates.unwritten)) if updates is not None else 0
    peak = None if before is None else max(most or 0, before + plan.bytes - unwritten)
    return Memory(plan.bytes, weights, slots, compiled.code.bytes, peak)


def of_process() -> tuple[int | None, int | None]:
    """Return the bytes of memory that this process holds, and the most that it ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.partition(":")[::2] for line in status.read_text().splitlines())
        if "VmRSS" in lines and "VmHWM" in lines:
            held, most = (1024 * int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM"))
            return held, most
    if sys.platform == "win32":
        return None, None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    most *= 1 if sys.platform == "darwin" else 1024
    return most, most

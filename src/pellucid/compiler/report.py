"""What a plan is made of, for people: kernels, shapes, memory, multiply-adds, share of peak."""

from __future__ import annotations

import ctypes
import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.compiler import memory
from pellucid.compiler.engine import plan_for, refusal
from pellucid.compiler.ir import Module
from pellucid.compiler.schedule import Job, Phase, Section
from pellucid.compiler.sections import emit_section
from pellucid.compiler.target import assembly, compile_module, measured_peak
from pellucid.errors import unknown_name

if TYPE_CHECKING:
    from pellucid.compiler.plan import Plan
    from pellucid.graph import Program, Variable

__all__ = ["Line", "describe", "lines", "machine_code", "python_code", "table"]


@dataclass(frozen=True)
class Line:
    """One job of a plan.

    Attributes:
        phase: The phase it runs in.
        layer: The layer it is for.
        kernel: What runs; "reference: …" for an operation without a kernel.
        shapes: What it reads and writes, of one sample.
        macs: Multiply-adds for one batch.
        seconds: The best of several runs on one core; None if it was not measured.
        share: The share of the core's multiply-adds that the job reached; None if it has none, or
            is over too soon to tell.
    """

    phase: int
    layer: str
    kernel: str
    shapes: str
    macs: int
    seconds: float | None
    share: float | None


def lines(plan: Plan, *, measure: bool = True, repeats: int = 20) -> list[Line]:
    """Return a line for each job of a plan; measuring runs every job alone, on one core."""
    schedule = plan.compiled.schedule
    jobs = [own for job in schedule.jobs for own in job.members or [job]]
    jobs.sort(key=lambda job: job.level)
    timed: dict[Job, tuple[float, bool]] = {}
    if measure:
        timed = _measured(plan, [job for job in jobs if job.kernel], repeats)
    peak = measured_peak(plan.compiled.target) if measure else 0.0
    found = []
    for job in jobs:
        macs = job.macs * plan.batch_size
        seconds, told = timed.get(job, (None, False))
        share = macs / seconds / peak if seconds and told and macs else None
        written = " ".join(str(place.shape) for place in job.writes[:1])
        read = " ".join(str(place.shape) for place in job.places if place not in job.writes)
        kernel = job.note if job.kernel else f"reference: {job.note}"
        found.append(
            Line(job.level, job.layer, kernel, f"{read} → {written}", macs, seconds, share)
        )
    return found


def _measured(plan: Plan, jobs: list[Job], repeats: int) -> dict[Job, tuple[float, bool]]:
    """Return the best time of each job on one core, and whether it is longer than a call takes.

    Jobs use the plan's own buffers, and copies of weights and slots; a call's time is taken off.
    """
    compiled = plan.compiled
    module = Module(compiled.target.width)
    module.take_bodies(compiled.schedule.module)
    sections = []
    for index, job in enumerate(jobs):
        phase = Phase([job], []) if job.chained else Phase([], [job])
        sections.append(Section([phase]))
        emit_section(module, f"alone{index}", sections[-1])
    emit_section(module, "nothing", Section())
    code = compile_module(module, compiled.target)
    found: dict[Job, tuple[float, bool]] = {}
    alive = plan.bind_examples()

    def best(name: str, section: Section) -> float:
        run = code.function(name, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        control = plan.control(section)
        shortest = float("inf")
        for _ in range(repeats):
            begin = time.perf_counter()
            plan.run_alone(run, control)
            shortest = min(shortest, time.perf_counter() - begin)
        return shortest

    with plan.copies_of({place for job in jobs for place in job.writes if place.external}):
        call = best("nothing", Section())
        for index, (job, section) in enumerate(zip(jobs, sections, strict=True)):
            taken = best(f"alone{index}", section)
            found[job] = max(taken - call, 0.0), taken > 2 * call
    del alive
    return found


def describe(
    program: Program,
    batch_size: int,
    variables: Sequence[Variable] = (),
    optimizer: Any = None,
    *,
    measure: bool = True,
) -> str:
    """Return a program's plan as a table, or one line that says why it has none."""
    plan = plan_for(program, batch_size, variables, optimizer)
    if plan is None:
        reason = refusal(program, variables, optimizer)
        return f"The reference engine runs this program: {reason}."
    return table(plan, lines(plan, measure=measure))


def machine_code(plan: Plan, layer: str) -> str:
    """Return the assembly of a layer's kernels, each under its name.

    Raises:
        NameLookupError: No kernel of the plan is for that layer.
    """
    every = [own for job in plan.compiled.schedule.jobs for own in job.members or [job]]
    jobs = [job for job in every if job.layer == layer and job.kernel]
    if not jobs:
        layers = sorted({job.layer for job in every if job.kernel})
        raise unknown_name("layer with a kernel", layer, layers)
    module = Module(plan.compiled.target.width)
    for index, job in enumerate(jobs):
        phase = Phase([job], []) if job.chained else Phase([], [job])
        emit_section(module, f"call_{index}", Section([phase]))
    module.take_bodies(plan.compiled.schedule.module, {job.kernel for job in jobs})
    return assembly(module, plan.compiled.target)


def python_code(plan: Plan, layer: str) -> str:
    """Return the Python that writes a layer's forward kernel, after the name of its module."""
    found = [
        f"# {group.kernels.__name__}\n{inspect.getsource(group.kernels.forward)}"
        for group in plan.compiled.builder.groups
        if group.layer == layer and group.kernels is not None
    ]
    return "\n".join(found)


def table(plan: Plan, found: Sequence[Line]) -> str:
    """Return the plan as a table."""
    compiled = plan.compiled
    rows = [("phase", "layer", "kernel", "shapes of a sample", "MMAC", "µs", "of peak")]
    for line in found:
        rows.append(
            (
                str(line.phase),
                line.layer,
                line.kernel,
                line.shapes,
                f"{line.macs / 1e6:.2f}" if line.macs else "",
                f"{line.seconds * 1e6:.1f}" if line.seconds else "",
                f"{line.share:.0%}" if line.share else "",
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(7)]
    text = [
        f"Batch of {plan.batch_size}, in {plan.chunks} chunks; {plan.team.threads} thread(s); "
        f"vectors of {compiled.target.width.lanes} floats.",
        str(memory.of_plan(plan)),
    ]
    for row in rows:
        cells = [
            cell.rjust(width) if k in (0, 4, 5, 6) else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    reasons = [
        f"{group.layer}: {group.reason}" for group in compiled.builder.groups if group.reason
    ]
    reasons += [
        f"{job.layer}: by rows, each while those that it reads are in the cache"
        for job in compiled.schedule.jobs
        if job.members
    ]
    if reasons:
        text += ["", *reasons]
    return "\n".join(text)

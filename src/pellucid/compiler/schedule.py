"""What runs when: tensors have places, kernels become jobs, jobs are sorted into phases.

A job says which places it reads and writes, and how it is split:

* `sample`: its kernel is called for one sample at a time;
* `range`: for a run of samples (a chunk of the batch) at once;
* `item`: for one of so many pieces that do not follow the samples, such as columns of a matrix;
* `python`: it is a function of Python's, run by itself: what has no kernel.

Jobs that follow the samples are chained: a thread takes a few samples through all of them, so that
what one job makes is still in the cache when the next reads it. A **phase** is what can run without
waiting for anything: one chain, and any number of item jobs; between phases the threads meet. A
**section** is a run of phases without Python in between: one fork, one join.

Nothing that is summed over samples depends on the number of threads: sums are kept for each chunk
of the batch, chunks depend on the batch size alone, and they are added up in order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pellucid.compiler.ir import Address, Function, Index, Module, Value, vectors_over

__all__ = [
    "Frame",
    "Job",
    "Phase",
    "Place",
    "Schedule",
    "Section",
    "Split",
    "UnsupportedError",
    "cells",
    "emit_section",
]


class UnsupportedError(Exception):
    """The program is of a form that is not compiled; the reference engine runs it."""


Frame = tuple[tuple[int, int], tuple[int, int]]
NO_FRAME: Frame = ((0, 0), (0, 0))
Split = Literal["sample", "range", "item", "python"]


@dataclass(eq=False)
class Place:
    """Where a tensor lies.

    Attributes:
        name: For people.
        shape: Its shape; of one sample, where it has samples.
        extent: What there is one of for each: "sample", "chunk" (of the batch), "whole" (just one).
        element: "float", "i8", "i32" or "i64".
        frame: The zeros around an image, ((top, bottom), (left, right)).
        external: Whether its memory comes from outside, with every step.
        slot: Its number in the table of addresses.
        base: For the same numbers in another shape: the place that they have their memory from.
    """

    name: str
    shape: tuple[int, ...]
    extent: Literal["sample", "chunk", "whole"] = "sample"
    element: str = "float"
    frame: Frame = NO_FRAME
    external: bool = False
    slot: int = -1
    base: Place | None = None
    _scratch: bool = False
    _keep: bool = False

    @property
    def root(self) -> Place:
        """The place that has the memory: this one, unless it is a view."""
        return self.base or self

    @property
    def scratch(self) -> bool:
        """Whether each thread has one instead of each sample (found by `Schedule`)."""
        return self.root._scratch

    @scratch.setter
    def scratch(self, value: bool) -> None:
        self.root._scratch = value

    @property
    def keep(self) -> bool:
        """Whether somebody looks at it when the step is done."""
        return self.root._keep

    @keep.setter
    def keep(self, value: bool) -> None:
        self.root._keep = value

    @property
    def framed(self) -> tuple[int, ...]:
        """The shape with the frame."""
        if self.frame == NO_FRAME:
            return self.shape
        (top, bottom), (left, right) = self.frame
        height, width, channels = self.shape
        return (height + top + bottom, width + left + right, channels)

    @property
    def size(self) -> int:
        """How many numbers there are, frame included."""
        total = 1
        for n in self.framed:
            total *= n
        return total

    @property
    def stride(self) -> int:
        """How far it is from one sample (or chunk) to the next, in numbers.

        Not a multiple of 1 KB: the same column of many samples would share a few lines of L1.
        """
        if self.external:
            return self.size
        lines = -(-self.size // 16)
        return (lines + (lines % 16 == 0)) * 16

    @property
    def row(self) -> int:
        """How far it is from one row of an image to the next."""
        return self.framed[1] * self.framed[2]

    @property
    def layout(self) -> tuple[tuple[int, ...], Frame]:
        """All that the code of a kernel depends on."""
        return self.shape, self.frame

    @property
    def begin(self) -> int:
        """Where the image begins inside its frame."""
        if self.frame == NO_FRAME:
            return 0
        return self.frame[0][0] * self.row + self.frame[1][0] * self.shape[2]


def cells(f: Function, *places: Place) -> Iterator[tuple[list[Index], int | None]]:
    """Yield the vectors of tensors of one size: where each lies in every place, and its count.

    What the caller writes for each pair becomes the body of a loop. Frames are left out.
    """
    if all(place.frame == NO_FRAME for place in places):
        for i, n in vectors_over(f, places[0].size):
            yield [i] * len(places), n
        return
    framed = next(place for place in places if place.frame != NO_FRAME)
    height, width, channels = framed.shape
    with f.each(height) as r:
        for i, n in vectors_over(f, width * channels):
            yield (
                [
                    r * (width * channels if place.frame == NO_FRAME else place.row) + i
                    for place in places
                ],
                n,
            )


Emit = Callable[[Function], None]


@dataclass(eq=False)
class Job:
    """A piece of work.

    Attributes:
        layer: The layer that it is for.
        kernel: The kernel's name in the module ("" for Python).
        split: How it is split; see the module's docstring.
        places: What the kernel gets the addresses of.
        reads: Places that must be ready before.
        writes: Places that it writes.
        count: For `item`: how many pieces, given the batch size.
        run: For `python`: what to call.
        level: The phase it belongs to.
        macs: The multiply-adds for one sample (or, for `item` jobs, for one sample as well).
        note: What it is, for people.
    """

    layer: str
    kernel: str
    split: Split
    places: list[Place]
    reads: list[Place]
    writes: list[Place]
    count: Callable[[int], int] = lambda batch: batch
    run: Callable[[], None] | None = None
    level: int = 0
    macs: int = 0
    note: str = ""

    @property
    def chained(self) -> bool:
        """Whether it follows the samples."""
        return self.split in ("sample", "range")


@dataclass(eq=False)
class Phase:
    """Jobs between two meetings of the threads.

    Attributes:
        chain: Those that follow the samples, in order.
        items: The others.
        chunked: Whether the chain must go by whole chunks of the batch.
    """

    chain: list[Job] = field(default_factory=list)
    items: list[Job] = field(default_factory=list)

    @property
    def chunked(self) -> bool:
        """Whether the chain goes by whole chunks of the batch, not by single samples."""
        return any(
            job.split == "range" or any(p.extent == "chunk" for p in job.places)
            for job in self.chain
        )

    @property
    def parts(self) -> int:
        """How many kinds of pieces there are."""
        return bool(self.chain) + len(self.items)


@dataclass(eq=False)
class Section:
    """Phases without Python in between, and the Python that comes after."""

    phases: list[Phase] = field(default_factory=list)
    after: list[Job] = field(default_factory=list)


class Schedule:
    """The jobs and places of a plan, and the module that the kernels are written into."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.jobs: list[Job] = []
        self.places: list[Place] = []
        self._kernels: dict[Hashable, str] = {}
        self._views: dict[tuple[Place, tuple[int, ...]], Place] = {}
        self._floor = 0
        # By place, the last phases of its writers and readers: (those in chains, the others).
        self._writers: dict[Place, tuple[int, int]] = {}
        self._readers: dict[Place, tuple[int, int]] = {}

    def place(self, name: str, shape: Sequence[int], **options: Any) -> Place:
        """Return a new place."""
        place = Place(name, tuple(shape), slot=len(self.places), **options)
        self.places.append(place)
        return place

    def view(self, place: Place, shape: Sequence[int]) -> Place:
        """Return the same numbers in another shape; there must be no frame around them."""
        root, wanted = place.root, tuple(shape)
        if wanted in (place.shape, root.shape):
            return place if wanted == place.shape else root
        if (root, wanted) not in self._views:
            self._views[root, wanted] = Place(
                root.name,
                wanted,
                root.extent,
                root.element,
                NO_FRAME,
                root.external,
                root.slot,
                root,
            )
        return self._views[root, wanted]

    def kernel(
        self, key: tuple[Hashable, ...], places: Sequence[Place], split: str, emit: Emit
    ) -> str:
        """Return the name of the kernel for `key`, writing it if it is the first of its kind."""
        full = (key, split, tuple(place.element for place in places))
        if full not in self._kernels:
            name = self._kernels[full] = f"{key[0]}_{len(self._kernels)}"
            parameters = {f"p{i}": f"{place.element}*" for i, place in enumerate(places)}
            parameters |= {"range": {"count": "i64"}, "item": {"item": "i64", "batch": "i64"}}.get(
                split, {}
            )
            f = self.module.function(name, parameters)
            emit(f)
            f.done()
        return self._kernels[full]

    def add(
        self,
        layer: str,
        key: tuple[Hashable, ...],
        split: Split,
        places: Sequence[Place],
        writes: Sequence[Place],
        emit: Emit,
        **options: Any,
    ) -> Job:
        """Add a job; `key` says all that its code depends on, beginning with the kernel's name."""
        name = self.kernel(key, places, split, emit)
        reads = [place.root for place in places]
        written = [place.root for place in writes]
        job = Job(layer, name, split, list(places), reads, written, **options)
        job.note = job.note or str(key[0])
        self._settle(job)
        return job

    def python(
        self,
        layer: str,
        run: Callable[[], None],
        reads: Sequence[Place],
        writes: Sequence[Place],
        note: str,
    ) -> Job:
        """Add a function of Python's."""
        touched = [place.root for place in (*reads, *writes)]
        written = [place.root for place in writes]
        job = Job(layer, "", "python", [], touched, written, run=run, note=note)
        self._settle(job)
        return job

    def wait(self) -> None:
        """Let everything that is added from now on come after everything before."""
        self._floor = max((job.level for job in self.jobs), default=-1) + 1

    def _settle(self, job: Job) -> None:
        """Find the first phase in which the job can run: after what it depends on.

        Jobs that follow the samples may share a phase with those before them in the chain.
        """
        level = self._floor
        for touched, by in ((job.reads, self._writers), (job.writes, self._readers)):
            for place in touched:
                chained, other = by.get(place, (-1, -1))
                level = max(level, other + 1, chained + (0 if job.chained else 1))
        job.level = level
        for touched, by in ((job.writes, self._writers), (job.reads, self._readers)):
            for place in touched:
                chained, other = by.get(place, (-1, -1))
                mine = (max(chained, level), other) if job.chained else (chained, max(other, level))
                by[place] = mine
        self.jobs.append(job)

    def sections(self) -> list[Section]:
        """Return the jobs as sections of phases, and find which places can be scratch."""
        self._join_chains()
        self._find_scratch()
        found = [Section()]
        for level in range(max((job.level for job in self.jobs), default=-1) + 1):
            here = [job for job in self.jobs if job.level == level]
            chain = [job for job in here if job.chained]
            starts = [job for job in chain if job.note == "start of a chunk"]
            phase = Phase(
                starts + [job for job in chain if job not in starts],
                [job for job in here if job.split == "item"],
            )
            if phase.parts:
                found[-1].phases.append(phase)
            python = [job for job in here if job.split == "python"]
            if python:
                found[-1].after = python
                found.append(Section())
        return [section for section in found if section.phases or section.after]

    def _join_chains(self) -> None:
        """Move each job that follows the samples to the phase of the first that needs it."""
        never = 1 << 30
        readers: dict[Place, int] = {}
        writers: dict[Place, int] = {}
        for job in reversed(self.jobs):
            if job.chained:
                latest = min(
                    [never]
                    + [readers.get(place, never) for place in job.writes]
                    + [writers.get(place, never) for place in job.reads]
                )
                job.level = max(job.level, latest) if latest < never else job.level
            bound = job.level if job.chained else job.level - 1
            for touched, by in ((job.reads, readers), (job.writes, writers)):
                for place in touched:
                    by[place] = min(by.get(place, never), bound)

    def _find_scratch(self) -> None:
        """Find the places that need be there for one sample at a time alone.

        All their users must take the sample in turn: in the same phase, and with no job between
        them that takes a whole chunk.
        """
        runs: dict[Job, tuple[int, int]] = {}
        ranges: dict[int, int] = {}
        for job in self.jobs:
            if job.split == "range" and job.note != "start of a chunk":
                ranges[job.level] = ranges.get(job.level, 0) + 1
            runs[job] = (job.level, ranges.get(job.level, 0))
        users: dict[Place, list[Job]] = {}
        for job in self.jobs:
            for place in {*job.reads, *job.writes}:
                users.setdefault(place, []).append(job)
        for place, jobs in users.items():
            if place.extent == "sample" and not place.external and not place.keep:
                same = len({runs[job] for job in jobs}) == 1
                place.scratch = same and all(job.split == "sample" for job in jobs)


# Code for phases and sections.

ARRIVED, TARGET, THREADS, BATCH, SPIN, COUNTERS = 0, 8, 16, 17, 18, 24
"""Where in a section's control block (i64) things are; `COUNTERS` begins its phases' counters.

After the counters come, for each part of each phase, the number of pieces and the samples in each.
"""


def emit_section(module: Module, name: str, section: Section) -> None:
    """Write a section's function: every thread calls it, and takes pieces until none are left."""
    f = module.function(name, {"table": "ptr*", "control": "i64*", "thread": "i64"}, export=True)
    table, control, thread = f.arguments
    batch = control.get(BATCH)
    threads = control.get(THREADS)
    target = control.get(TARGET)
    part = COUNTERS + len(section.phases)
    for index, phase in enumerate(section.phases):
        counts = [control.get(part + 2 * k) for k in range(phase.parts)]
        total = counts[0]
        for count in counts[1:]:
            total = total + count
        more = f.fresh("more")
        work, meet = f.fresh("work"), f.fresh("meet")
        f.jump(more)
        f.label(more)
        piece = control.increase(1, COUNTERS + index)
        f.branch(piece < total, work, meet)
        f.label(work)
        _emit_pieces(f, phase, table, control, part, counts, piece, batch, thread)
        f.jump(more)
        f.label(meet)
        control.increase(1, ARRIVED)
        target = target + threads
        _emit_wait(f, control, target)
        with f.when(thread.equals(0)):
            control.put(0, COUNTERS + index)
        part += 2 * phase.parts
    f.done()


def _emit_wait(f: Function, control: Address, target: Value) -> None:
    """Wait until all threads have arrived; after a while, let others run meanwhile."""
    f.module.declare("pellucid_yield", "i32 @()")
    spins = f.line("alloca i64")
    counter = Address(f, "i64", spins)
    counter.put(0)
    with f.until(lambda: control.watch(ARRIVED) >= target):
        spent = counter.get() + 1
        counter.put(spent)
        with f.when(spent > control.get(SPIN)):
            f.line("call i32 @pellucid_yield()")


def _emit_pieces(
    f: Function,
    phase: Phase,
    table: Address,
    control: Address,
    part: int,
    counts: Sequence[Value],
    piece: Value,
    batch: Value,
    thread: Value,
) -> None:
    """Write the choice of what the piece of this number is, and the calls that do it."""
    index = 0
    if phase.chain:
        size = control.get(part + 1)
        with f.when(piece < counts[0]):
            first = piece * size
            last = first + size
            last = f.select(last < batch, last, batch)
            _emit_chain(f, phase.chain, table, first, last, piece, thread)
        piece = piece - counts[0]
        index = 1
    for job in phase.items:
        inside = (piece >= 0) & (piece < counts[index])
        with f.when(inside):
            places = [_whole(place, table) for place in job.places]
            f.call(job.kernel, *places, piece, batch)
        piece = piece - counts[index]
        index += 1


def _emit_chain(
    f: Function,
    chain: Sequence[Job],
    table: Address,
    first: Value,
    last: Value,
    chunk: Value,
    thread: Value,
) -> None:
    """Write the calls that take samples first … last − 1 through a chain of kernels."""
    count = last - first
    runs: list[list[Job]] = []
    for job in chain:
        if runs and job.split == "sample" and runs[-1][0].split == "sample":
            runs[-1].append(job)
        else:
            runs.append([job])
    for run in runs:
        if run[0].split == "range":
            job = run[0]
            f.call(job.kernel, *(_at(p, table, first, chunk, thread) for p in job.places), count)
            continue
        with f.each(count) as n:
            sample = n + first if isinstance(n, Value) else first
            for job in run:
                f.call(job.kernel, *(_at(p, table, sample, chunk, thread) for p in job.places))


def _whole(place: Place, table: Address) -> Address:
    return table.address(place.slot, place.element)


def _at(place: Place, table: Address, sample: Value, chunk: Value, thread: Value) -> Address:
    """The address of a place for one sample (or chunk, or thread)."""
    base = _whole(place, table) + place.begin
    if place.extent == "whole":
        return base
    which = chunk if place.extent == "chunk" else thread if place.scratch else sample
    return base + which * place.stride

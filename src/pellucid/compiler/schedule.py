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
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pellucid.compiler.ir import Address, Function, Index, Module, Value, vectors_over

__all__ = [
    "LARGE",
    "Bounds",
    "Frame",
    "Job",
    "Phase",
    "Place",
    "Rows",
    "Schedule",
    "Section",
    "Span",
    "Split",
    "UnsupportedError",
    "bounds_of",
    "cells",
    "each_of",
    "emit_section",
    "parts_of_cells",
    "span_of",
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
    _local: bool = False
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
    def local(self) -> bool:
        """Whether a single job uses it, so that each thread has one even where parts are apart."""
        return self.root._local

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


def cells(
    f: Function, *places: Place, span: Span | None = None
) -> Iterator[tuple[list[Index], int | None]]:
    """Yield the vectors of tensors of one size: where each lies in every place, and its count.

    What the caller writes for each pair becomes the body of a loop. Frames are left out.
    """
    framed = [place for place in places if place.frame != NO_FRAME]
    if not framed and span is None:
        for i, n in vectors_over(f, places[0].size):
            yield [i] * len(places), n
        return
    height, width, channels = (framed or [p for p in places if len(p.shape) == 3])[0].shape
    with each_of(f, bounds_of(f, span, height), 0, height) as r:
        for i, n in vectors_over(f, width * channels):
            yield (
                [
                    r * (width * channels if place.frame == NO_FRAME else place.row) + i
                    for place in places
                ],
                n,
            )


def parts_of_cells(*places: Place) -> int:
    """Return into how many parts `cells` is worth being taken apart: at most an image's rows."""
    images = [place.shape for place in places if len(place.shape) == 3]
    return max(1, min(images[0][0], 64, places[0].size // CELLS)) if images else 1


CELLS = 30_000
"""About how many cells are worth handing to a thread by themselves."""


LARGE = 2**20
"""From how many bytes on an image does not stay in a core's own cache beside all else."""


@dataclass(frozen=True)
class Rows:
    """How a job of which part k makes row k of an image goes over another image.

    For its row r it reads the rows from r · `stride` − `before` on, as many as `reach` says.
    """

    image: Place
    stride: int = 1
    before: int = 0
    reach: int = 1


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
        parts: For `sample`: into how many parts a sample's work can be taken apart. The kernel of
            a job with more than one does those from its last but one argument up to its last.
        rows: Where its parts are the rows of the image that it makes: how it reads another.
        members: The jobs that it is made of, if it is made of several.
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
    parts: int = 1
    rows: Rows | None = None
    members: list[Job] = field(default_factory=list)

    @property
    def chained(self) -> bool:
        """Whether it follows the samples."""
        return self.split in ("sample", "range")


@dataclass(eq=False)
class Phase:
    """Jobs between two meetings of the threads.

    Attributes:
        chain: Those that follow the samples, in order.
        items: Those with pieces of their own.
        apart: Those that follow the samples, but part by part.
        chunked: Whether the chain must go by whole chunks of the batch.
    """

    chain: list[Job] = field(default_factory=list)
    items: list[Job] = field(default_factory=list)
    apart: list[Job] = field(default_factory=list)

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
        return bool(self.chain) + len(self.items) + len(self.apart)


@dataclass(eq=False)
class Section:
    """Phases without Python in between, and the Python that comes after."""

    phases: list[Phase] = field(default_factory=list)
    after: list[Job] = field(default_factory=list)

    @property
    def taken_apart(self) -> Section:
        """The same work for few samples: jobs with parts leave the chains."""
        return Section([new for phase in self.phases for new in _taken_apart(phase)], self.after)


def _taken_apart(phase: Phase) -> list[Phase]:
    """Return a phase's jobs in phases in which those with parts need wait for nothing."""
    found: list[Phase] = []
    levels: dict[Job, int] = {}
    for job in phase.chain:
        level = 0
        for earlier, other in levels.items():
            written, read = {*earlier.writes}, {*earlier.reads}
            if written.intersection(job.reads) or (written | read).intersection(job.writes):
                level = max(level, other + (earlier.parts > 1 or job.parts > 1))
        levels[job] = level
        while len(found) <= level:
            found.append(Phase())
        (found[level].apart if job.parts > 1 else found[level].chain).append(job)
    if phase.items:
        found = found or [Phase()]
        found[0].items = phase.items
    return found


@dataclass(frozen=True)
class Span:
    """The parts of a sample's work that one call of a kernel does: `first` … `last` − 1."""

    first: Index
    last: Index
    parts: int

    def of(self, f: Function, total: int) -> Bounds:
        """Return which of `total` pieces that are."""
        low, high = (
            f.constant(edge, "i64") * total // self.parts for edge in (self.first, self.last)
        )
        return Bounds(low, high)


@dataclass(frozen=True)
class Bounds:
    """Pieces `low` … `high` − 1 of something."""

    low: Value
    high: Value

    def within(self, begin: Index, count: int) -> Bounds:
        """Return which of the pieces begin … begin + count − 1 are among them, counted from 0."""
        f = self.low.function

        def inside(edge: Value) -> Value:
            place = edge - begin
            place = f.select(place < 0, f.constant(0, "i64"), place)
            return f.select(place > count, f.constant(count, "i64"), place)

        return Bounds(inside(self.low), inside(self.high))


@contextmanager
def each_of(f: Function, bounds: Bounds | None, begin: int, count: int) -> Iterator[Index]:
    """Repeat what is inside for the pieces begin … begin + count − 1 that are inside the bounds.

    They are numbered from 0; without bounds it is all of them.
    """
    if bounds is None:
        with f.each(count) as i:
            yield i
        return
    here = bounds.within(begin, count)
    with f.each(here.high - here.low) as i:
        assert isinstance(i, Value)
        yield i + here.low


def bounds_of(f: Function, span: Span | None, total: int) -> Bounds | None:
    """Return which of `total` pieces are to be done; None for all."""
    return None if span is None else span.of(f, total)


def span_of(f: Function, parts: int) -> Span | None:
    """Return which parts of a sample a kernel has to do; None for all of it."""
    return Span(f.arguments[-2], f.arguments[-1], parts) if parts > 1 else None


class Schedule:
    """The jobs and places of a plan, and the module that the kernels are written into."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.jobs: list[Job] = []
        self.places: list[Place] = []
        self.once: list[Job] = []
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
        self, key: tuple[Hashable, ...], places: Sequence[Place], split: str, parts: int, emit: Emit
    ) -> str:
        """Return the name of the kernel for `key`, writing it if it is the first of its kind."""
        full = (key, split, parts, tuple(place.element for place in places))
        if full not in self._kernels:
            name = self._kernels[full] = f"{key[0]}_{len(self._kernels)}"
            parameters = {f"p{i}": f"{place.element}*" for i, place in enumerate(places)}
            parameters |= {"range": {"count": "i64"}, "item": {"item": "i64", "batch": "i64"}}.get(
                split, {}
            )
            if parts > 1:
                parameters |= {"first": "i64", "last": "i64"}
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
        name = self.kernel(key, places, split, options.get("parts", 1), emit)
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

    def keep_what_is_constant(self) -> None:
        """Set apart the jobs that read nothing but weights, and what is made of them."""
        constant = {place for place in self.places if place.external and place.extent == "whole"}
        writers: dict[Place, list[Job]] = {}
        for job in self.jobs:
            for place in job.writes:
                writers.setdefault(place, []).append(job)
        for job in self.jobs:
            alone = all(writers[place] == [job] for place in job.writes)
            if job.split == "item" and alone and constant.issuperset({*job.reads} - {*job.writes}):
                self.once.append(job)
                constant.update(job.writes)

    def sections(self) -> list[Section]:
        """Return the jobs as sections of phases, and find which places can be scratch."""
        self._join_chains()
        self._find_scratch()
        return self._in_phases([job for job in self.jobs if job not in self.once])

    def section_once(self) -> Section:
        """Return the jobs that run again only when weights have changed."""
        return self._in_phases(self.once)[0] if self.once else Section()

    def _in_phases(self, jobs: Sequence[Job]) -> list[Section]:
        found = [Section()]
        for level in range(max((job.level for job in jobs), default=-1) + 1):
            here = [job for job in jobs if job.level == level]
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
                place._local = place.scratch and len(jobs) == 1


# Code for phases and sections.

TAG, BATCH, SPIN, THREADS, LINES, FIRST, PARTS = 0, 1, 2, 3, 4, 5, 8
"""Where in a section's control block (i64) things are.

From `PARTS` on it says for each part of each phase how many pieces it has, and how many samples
are in each. Then, from the place that `FIRST` names, come `LINES` cache lines with a counter each.
Every phase has one for what is done, and one for each of the `THREADS`: of what was taken from its
share.
"""

LINE = 8
"""How many numbers (i64) a cache line holds."""


def emit_section(module: Module, name: str, section: Section, *, apart: bool = False) -> None:
    """Write a section's function: every thread calls it, and takes pieces until none are left.

    A thread begins with its own share of a phase's pieces, always the same one, for what it reads
    is then often in its cache; after that it helps the others with theirs.

    A phase is over when all its pieces are done, whoever did them: nobody waits for a thread that
    has not begun. One that comes late finds nothing to do. Should the section be running again by
    then, it finds the counters begin at another tag than its own, and takes nothing from them.

    Where samples are taken apart, several threads work on one: what lies between two jobs is then
    kept for each sample, not for each thread.
    """
    f = module.function(name, {"table": "ptr*", "control": "i64*", "thread": "i64"}, export=True)
    table, control, thread = f.arguments
    tag = control.watch(TAG)
    batch, threads = control.get(BATCH), control.get(THREADS)
    helped = Address(f, "i64", f.line("alloca i64"))
    part, first = PARTS, first_counter(section)
    for index, phase in enumerate(section.phases):
        done = (threads + 1) * (LINE * index) + first
        counts = [control.get(part + 2 * k) for k in range(phase.parts)]
        total = counts[0]
        for count in counts[1:]:
            total = total + count
        words = ("share", "begin", "more", "take", "work", "another", "meet")
        share, begin, more, take, work, another, meet = (f.fresh(word) for word in words)
        helped.put(0)
        f.jump(share)
        f.label(share)
        others = helped.get()
        f.branch(others < threads, begin, meet)
        f.label(begin)
        owner = (thread + others) % threads
        low = total * owner // threads
        most = total * (owner + 1) // threads - low
        counter = done + owner * LINE + LINE
        f.jump(more)
        f.label(more)
        seen = control.watch(counter)
        taken = seen - tag
        f.branch(taken < most, take, another)
        f.label(take)
        f.branch(control.swap(seen, seen + 1, counter), work, more)
        f.label(work)
        _emit_pieces(f, phase, table, control, part, counts, taken + low, batch, thread, apart)
        control.increase(1, done)
        f.jump(more)
        f.label(another)
        helped.put(others + 1)
        f.jump(share)
        f.label(meet)
        if index < len(section.phases) - 1:
            _emit_wait(f, control, done, tag + total)
        else:
            with f.when(thread.equals(0)):
                _emit_wait(f, control, done, tag + total)
        part += 2 * phase.parts
    f.done()


def first_counter(section: Section) -> int:
    """Return where in a section's control block its counters begin."""
    end = PARTS + 2 * sum(phase.parts for phase in section.phases)
    return -(-end // LINE) * LINE


def _emit_wait(f: Function, control: Address, counter: Value, target: Value) -> None:
    """Wait until a counter is there; after a while, let others run meanwhile."""
    f.module.declare("pellucid_yield", "i32 @()")
    spins = f.line("alloca i64")
    spent = Address(f, "i64", spins)
    spent.put(0)
    with f.until(lambda: control.watch(counter) >= target):
        now = spent.get() + 1
        spent.put(now)
        with f.when(now > control.get(SPIN)):
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
    apart: bool,
) -> None:
    """Write the choice of what the piece of this number is, and the calls that do it."""
    index = 0
    if phase.chain:
        size = control.get(part + 1)
        with f.when(piece < counts[0]):
            first = piece * size
            last = first + size
            last = f.select(last < batch, last, batch)
            _emit_chain(f, phase.chain, table, first, last, piece, thread, apart)
        piece = piece - counts[0]
        index = 1
    for job in [*phase.items, *phase.apart]:
        inside = (piece >= 0) & (piece < counts[index])
        with f.when(inside):
            if job.parts > 1:
                sample, k = piece // job.parts, piece % job.parts
                at = [_at(p, table, sample, sample, thread, apart=True) for p in job.places]
                f.call(job.kernel, *at, k, k + 1)
            else:
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
    apart: bool,
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
            at = (_at(p, table, first, chunk, thread, apart=apart) for p in job.places)
            f.call(job.kernel, *at, count)
            continue
        with f.each(count) as n:
            sample = n + first if isinstance(n, Value) else first
            for job in run:
                at = (_at(p, table, sample, chunk, thread, apart=apart) for p in job.places)
                f.call(job.kernel, *at, *((0, job.parts) if job.parts > 1 else ()))


def _whole(place: Place, table: Address) -> Address:
    return table.address(place.slot, place.element)


def _at(
    place: Place, table: Address, sample: Value, chunk: Value, thread: Value, *, apart: bool
) -> Address:
    """The address of a place for one sample (or chunk, or thread)."""
    base = _whole(place, table) + place.begin
    if place.extent == "whole":
        return base
    own = place.local if apart else place.scratch
    which = chunk if place.extent == "chunk" else thread if own else sample
    return base + which * place.stride

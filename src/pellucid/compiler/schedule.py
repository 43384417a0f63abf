"""What runs when: tensors have places, kernels become jobs, jobs are sorted into phases.

A job says which places it reads and writes, and how it is split:

* `sample`: its kernel is called for one sample at a time;
* `range`: for a run of samples (a chunk of the batch) at once;
* `item`: for one of so many pieces that do not follow the samples, such as columns of a matrix;
* `python`: it is a function of Python's, run by itself: what has no kernel.

Jobs that follow the samples are chained: a thread takes a few samples through all of them, so that
what one job makes is still in the cache when the next reads it. A **phase** is what can run without
waiting for anything: one chain, and any number of item jobs; between phases the threads meet. A
chain by whole chunks, whose pieces are large, is parted into those that need nothing of each other.
A **section** is a run of phases without Python in between: one fork, one join.

Nothing that is summed over samples depends on the number of threads: sums are kept for each chunk
of the batch, chunks depend on the batch size alone, and they are added up in order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pellucid.compiler.ir import Function, Module

__all__ = [
    "LARGE",
    "LIGHT",
    "Frame",
    "Job",
    "Phase",
    "Place",
    "Rows",
    "Schedule",
    "Section",
    "Split",
    "UnsupportedError",
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

    def by_thread(self, apart: bool) -> bool:
        """Whether each thread has one, given whether samples are taken apart."""
        return self.local if apart else self.scratch

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


LIGHT = 100_000
"""How many multiply-adds for a sample make a chain of its own worth the while."""

Emit = Callable[[Function], None]


@dataclass(eq=False)
class Job:
    """A piece of work.

    Attributes:
        layer: The layer that it is for.
        kernel: The kernel's name in the module ("" for Python).
        split: How it is split; see the module's docstring.
        places: What the kernel gets the addresses of.
        reads: Places that must be ready before, and those that it writes.
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

    @cached_property
    def chains(self) -> list[list[Job]]:
        """The chain; if it goes by chunks, the chains in it that need nothing of each other.

        Jobs with little to do go with the first of them: they would not be worth their pieces.
        """
        if not self.chunked:
            return [self.chain] if self.chain else []
        found: list[set[Job]] = []
        for job in self.chain:
            tied = [jobs for jobs in found if any(_tied(job, other) for other in jobs)]
            found = [jobs for jobs in found if jobs not in tied] + [{job}.union(*tied)]
        large = [jobs for jobs in found if sum(job.macs for job in jobs) >= LIGHT]
        light = {*self.chain}.difference(*large)
        parted = [light.union(*large[:1]), *large[1:]]
        return [[job for job in self.chain if job in jobs] for jobs in parted]

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


def _tied(a: Job, b: Job) -> bool:
    """Whether one of two jobs writes what the other one reads or writes."""
    return not {*a.writes}.isdisjoint(b.reads) or not {*a.reads}.isdisjoint(b.writes)


def _taken_apart(phase: Phase) -> list[Phase]:
    """Return a phase's jobs in phases in which those with parts need wait for nothing."""
    found: list[Phase] = []
    levels: dict[Job, int] = {}
    for job in phase.chain:
        level = 0
        for earlier, other in levels.items():
            if _tied(job, earlier):
                level = max(level, other + (earlier.parts > 1 or job.parts > 1))
        levels[job] = level
        while len(found) <= level:
            found.append(Phase())
        (found[level].apart if job.parts > 1 else found[level].chain).append(job)
    if phase.items:
        found = found or [Phase()]
        found[0].items = phase.items
    return found


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
            items = [job for job in here if job.split == "item"]
            # Checks write nothing. They read numbers from end to end, so that these come from
            # memory at its full speed; the pieces of other jobs then find them in the cache.
            checks = [job for job in items if not job.writes]
            phase = Phase(
                starts + [job for job in chain if job not in starts],
                checks + [job for job in items if job not in checks],
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
                # Kernels that go by rows make rows at the edges of parts twice, the same numbers:
                # one image serves all threads, for each reads only rows that it made itself.
                place._local = place.scratch and len(jobs) == 1 and not jobs[0].members

"""Kernels that go through large images together, a few rows at a time.

An image of a megabyte or more that one kernel writes and the next reads goes to memory, or to the
cache that all cores share, and comes back. Here both go on row by row: as many rows of the first
image are made as the next kernel needs for its next rows, and so on. What was just written is then
still in the core's own cache. No number is made in another way than before.

A run may be taken apart as any job: a part is a run of rows of the last image. Where a window
reaches over its edge, rows of the images before are made for both sides of it: by two threads, it
may be, which write the same numbers to the same memory. Each reads rows that it has made itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from pellucid.compiler.ir import Address, Function, Value
from pellucid.compiler.schedule import LARGE, Job, Place, Rows, Schedule
from pellucid.compiler.spans import bounds_of, span_of

__all__ = ["roll"]

STEP = 2**17
"""About how many new bytes of the largest image are made at a time."""

REPEATED = 0.15
"""What share of the rows may be made twice, at the edges of parts."""

MOST_PARTS = 64
"""Into how many parts a run is taken apart at most."""


def roll(schedule: Schedule) -> None:
    """Put jobs that make and read large images by rows together, where they follow each other."""
    users = Counter(place for job in schedule.jobs for place in {*job.reads, *job.writes})
    jobs = list(schedule.once)
    run: list[Job] = []
    for job in schedule.jobs:
        if job in schedule.once:
            continue
        if run and not _follows(job, run[-1], users):
            jobs += _rolled(schedule, run)
            run = []
        if job.rows is None:
            jobs.append(job)
        else:
            run.append(job)
    schedule.jobs[:] = jobs + _rolled(schedule, run)


def _follows(job: Job, before: Job, users: Mapping[Place, int]) -> bool:
    """Whether a job alone reads the large image that the one before makes, and both go by rows."""
    image = before.writes[0]
    if job.rows is None or job.rows.image.root is not image or job.level != before.level:
        return False
    return 4 * image.size >= LARGE and users[image] == 2 and not image.keep


def _rolled(schedule: Schedule, run: list[Job]) -> list[Job]:
    """Return a run's jobs, in sets of which each has one window beyond its first job's.

    With two, rows would be made twice for both at the edge of a part. The run is cut where the
    image between them is the smallest.
    """
    found: list[Job] = []
    while run:
        windows = [k for k, rows in enumerate(_rows(run)) if k and rows.reach > rows.stride]
        end = len(run)
        if len(windows) > 1:
            end = 1 + min(range(*windows[:2]), key=lambda k: (run[k].writes[0].size, -k))
        found += [_together(schedule, run[:end])] if end > 1 else run[:1]
        run = run[end:]
    return found


def _rows(jobs: Sequence[Job]) -> list[Rows]:
    return [job.rows for job in jobs if job.rows is not None]


def _together(schedule: Schedule, jobs: list[Job]) -> Job:
    """Return the job that does what these do."""
    places = list(dict.fromkeys(place for job in jobs for place in job.places))
    height = jobs[-1].writes[0].shape[0]
    parts, step = _parts(jobs), _step(jobs)

    def emit(f: Function) -> None:
        addresses = dict(zip(places, f.arguments, strict=False))
        bounds = bounds_of(f, span_of(f, parts), height)
        low, high = (f.constant(0, "i64"), f.constant(height, "i64"))
        if bounds is not None:
            low, high = bounds.low, bounds.high
        done = [Address(f, "i64", f.line("alloca i64")) for _ in jobs]
        for end, row in zip(done, _first_rows(f, jobs, low), strict=True):
            end.put(row)
        with f.until(lambda: done[-1].get() >= high):
            target = done[-1].get() + step
            target = f.select(target < high, target, high)
            for job, end, row in zip(jobs, done, _last_rows(f, jobs, target), strict=True):
                f.call(job.kernel, *(addresses[place] for place in job.places), end.get(), row)
                end.put(row)

    key = ("rows", *(job.kernel for job in jobs), *(job.rows for job in jobs), parts, step)
    name = schedule.kernel(key, places, "sample", parts, emit)
    return Job(
        ", ".join(job.layer for job in jobs),
        name,
        "sample",
        places,
        [place.root for place in places],
        [place for job in reversed(jobs) for place in job.writes],
        level=jobs[-1].level,
        macs=sum(job.macs for job in jobs),
        note="rows",
        parts=parts,
        members=jobs,
    )


def _first_rows(f: Function, jobs: Sequence[Job], row: Value) -> list[Value]:
    """Return for each job its first row, if the last job's is `row`."""
    found = [row]
    for rows in reversed(_rows(jobs)[1:]):
        row = row * rows.stride - rows.before
        row = f.select(row < 0, f.constant(0, "i64"), row)
        found.append(row)
    return found[::-1]


def _last_rows(f: Function, jobs: Sequence[Job], end: Value) -> list[Value]:
    """Return for each job before which row it has to stop, if the last job stops before `end`."""
    found = [end]
    for rows in reversed(_rows(jobs)[1:]):
        end = (end - 1) * rows.stride + (rows.reach - rows.before)
        height = rows.image.shape[0]
        end = f.select(end > height, f.constant(height, "i64"), end)
        found.append(end)
    return found[::-1]


def _parts(jobs: Sequence[Job]) -> int:
    """Return into how many parts it can be taken apart without making too many rows twice."""
    height = jobs[-1].writes[0].shape[0]
    least, stride = 1.0, 1
    for rows in reversed(_rows(jobs)[1:]):
        stride *= rows.stride
        least = max(least, (rows.reach - rows.stride) / (REPEATED * stride))
    most = max(1, min(MOST_PARTS, height // math.ceil(least)))
    return 1 << most.bit_length() - 1  # so that two, four or eight threads have as many each


def _step(jobs: Sequence[Job]) -> int:
    """Return how many rows of the last image are made at a time."""
    most, stride = 1, 1
    for job, rows in zip(jobs[-2::-1], _rows(jobs)[:0:-1], strict=True):
        stride *= rows.stride
        most = max(most, 4 * stride * job.writes[0].row)
    return max(1, STEP // most)

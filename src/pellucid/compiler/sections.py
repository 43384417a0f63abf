"""Code for sections: how threads take pieces of phases, and meet between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.compiler.ir import Address, Function, Module, Value
from pellucid.compiler.layout import distance
from pellucid.compiler.schedule import Job, Phase, Place, Section
from pellucid.ops._operation import Array

__all__ = ["control_of", "emit_section"]

TAG, BATCH, SPIN, THREADS, LINES, FIRST, PARTS = 0, 1, 2, 3, 4, 5, 8
"""Where in a section's control block (i64) things are.

From `PARTS` on it says for each part of each phase how many pieces it has, and how many samples
are in each; the chains of a phase are one part, a chunk's pieces following each other. Then, from
the place that `FIRST` names, come `LINES` cache lines with a counter each. Every phase has one for
what is done, and one for each of the `THREADS`: of what was taken from its share.
"""

LINE = 8
"""How many numbers (i64) a cache line holds."""

PIECE = 1_000_000
"""About how many multiply-adds are worth taking at once from a chain: some ten microseconds."""

SPINS = 4000
"""How often a thread looks whether the others have arrived before it lets others run."""


def emit_section(module: Module, name: str, section: Section, *, apart: bool = False) -> None:
    """Write a section's function: every thread calls it, and takes pieces until none are left.

    A thread begins with its own share of each job's pieces, always the same one, for what it reads
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
    helped, own = (Address(f, "i64", f.line("alloca i64")) for _ in range(2))
    part, first = PARTS, _first_counter(section)
    for index, phase in enumerate(section.phases):
        done = (threads + 1) * (LINE * index) + first
        counts = [control.get(part + 2 * k) for k in range(phase.parts)]
        total = sum(counts[1:], counts[0])
        words = ("owner", "begin", "more", "take", "work", "another", "meet")
        next_owner, begin, more, take, work, another, meet = (f.fresh(word) for word in words)
        helped.put(0)
        own.put(0)
        f.jump(next_owner)
        f.label(next_owner)
        others = helped.get()
        f.branch(others < threads, begin, meet)
        f.label(begin)
        owner = (thread + others) % threads
        shares = []
        for k, count in enumerate(counts):
            # The next job with few pieces begins with the next thread: the last has not them all.
            turned = f.select(count < threads, (owner + k) % threads, owner)
            low = count * turned // threads
            shares.append((low, count * (turned + 1) // threads - low))
        most = sum((size for _, size in shares[1:]), shares[0][1])
        counter = done + owner * LINE + LINE
        f.jump(more)
        f.label(more)
        seen = control.watch(counter)
        taken = seen - tag
        f.branch(taken < most, take, another)
        f.label(take)
        f.branch(control.swap(seen, seen + 1, counter), work, more)
        f.label(work)
        _emit_pieces(f, phase, table, control, part, shares, taken, batch, thread, apart)
        own.put(own.get() + 1)
        f.jump(more)
        f.label(another)
        helped.put(others + 1)
        f.jump(next_owner)
        f.label(meet)
        # Said once: a line that two processors write goes to and fro between them.
        with f.when(own.get() > 0):
            control.increase(own.get(), done)
        if index < len(section.phases) - 1:
            _emit_wait(f, control, done, tag + total)
        else:
            with f.when(thread.equals(0)):
                _emit_wait(f, control, done, tag + total)
        part += 2 * phase.parts
    f.done()


def _first_counter(section: Section) -> int:
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
    shares: Sequence[tuple[Value, Value]],
    piece: Value,
    batch: Value,
    thread: Value,
    apart: bool,
) -> None:
    """Write the choice of what the piece of this number in a share is, and the calls that do it.

    `shares` says for each part which of its pieces is the share's first, and how many it has.
    """
    parts = iter(shares)
    if phase.chain:
        low, count = next(parts)
        size = control.get(part + 1)
        with f.when(piece < count):
            chains = phase.chains
            chunk, which = (piece + low) // len(chains), (piece + low) % len(chains)
            first = chunk * size
            last = first + size
            last = f.select(last < batch, last, batch)
            for index, chain in enumerate(chains):
                with f.when(which.equals(index)):
                    _emit_chain(f, chain, table, first, last, chunk, thread, apart)
        piece = piece - count
    for job in [*phase.items, *phase.apart]:
        low, count = next(parts)
        with f.when((piece >= 0) & (piece < count)):
            number = piece + low
            if job.parts > 1:
                sample, k = number // job.parts, number % job.parts
                at = [_at(p, table, sample, sample, thread, apart=True) for p in job.places]
                f.call(job.kernel, *at, k, k + 1)
            else:
                places = [_whole(place, table) for place in job.places]
                f.call(job.kernel, *places, number, batch)
        piece = piece - count


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
    if place.by_thread(apart):
        return base + thread * distance(place)
    return base + (chunk if place.extent == "chunk" else sample) * place.stride


def control_of(section: Section, batch_size: int, chunk: int, threads: int) -> Array:
    """Return the numbers that a section's threads share."""
    parts: list[int] = []
    for phase in section.phases:
        if phase.chain:
            size = chunk if phase.chunked else _samples_of_piece(phase, batch_size, chunk)
            parts += [-(-batch_size // size) * len(phase.chains), size]
        for job in phase.items:
            parts += [job.count(batch_size), 0]
        for job in phase.apart:
            parts += [batch_size * job.parts, 0]
    first, counters = _first_counter(section), len(section.phases) * (threads + 1)
    memory = np.zeros(first + (counters + 1) * LINE, np.int64)
    control = memory[-memory.ctypes.data // 8 % LINE :]  # from where a cache line begins
    control[[BATCH, SPIN, THREADS, LINES, FIRST]] = batch_size, SPINS, threads, counters, first
    control[PARTS : PARTS + len(parts)] = parts
    return control


def _samples_of_piece(phase: Phase, batch_size: int, chunk: int) -> int:
    """Return how many samples make a piece: few, so that all threads are through together."""
    enough = -(-PIECE // max(1, sum(job.macs for job in phase.chain)))
    return max(1, min(chunk // 2, batch_size // 16, enough))

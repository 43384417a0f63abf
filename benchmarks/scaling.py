"""Print how many times as fast training is with two threads as with one, in turns.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --work mlp --rounds 15

Three processes take the same steps from the same weights in every round, for what a step costs
depends on how many of its gradients are zero: one thread on the first processor, one on the second,
and two threads. What two threads can reach is what both processors do together, so two threads are
compared with the mean of the two speeds: a virtual machine's processors are not equally fast while
a stranger keeps the other half of one's core busy.

Besides, the two processes with one thread run both at once in each round. They never wait for each
other, so what they reach together is the most that the machine allows at that moment: two virtual
processors may be the two halves of one core for a while. The median is given once more for the
rounds in which they were `WHOLE` times as fast as one or more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path

from contestants import Worker
from works import WORKS

WHOLE = 1.85

EPOCH = 64
"""How many steps an epoch has at most: runs are whole ones."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", default="headline", choices=sorted(WORKS))
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each run with one thread")
    options = parser.parse_args(arguments)
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        parser.error("this needs two processors, and a system that can give a process one of them")
    processors = sorted(os.sched_getaffinity(0))[:2]

    def start(chosen: list[int]) -> Worker:
        os.sched_setaffinity(0, chosen)  # a process begins on the processors of its parent
        worker = Worker("pellucid", Path(sys.executable), len(chosen))
        worker.ask("prepare", work=options.work, mode="train")
        return worker

    def speed(worker: Worker) -> float:
        time.sleep(0.02)  # until the threads of the run before no longer spin
        answer = worker.ask("run", steps=steps)
        return batch * answer["steps"] / answer["seconds"]

    first, second, both = start(processors[:1]), start(processors[1:]), start(processors)
    os.sched_setaffinity(0, processors)
    batch, steps = WORKS[options.work].batches["train"], EPOCH
    slowest = min(speed(worker) for worker in (first, second, both))
    steps *= ceil(options.seconds * slowest / (batch * steps))
    found: dict[str, list[float]] = {"one": [], "other": [], "two": [], "at once": []}
    for _ in range(options.rounds):
        found["one"].append(speed(first))
        found["other"].append(speed(second))
        two = speed(both)
        with ThreadPoolExecutor() as pool:
            found["at once"].append(sum(pool.map(speed, (first, second))))
        found["two"].append((two + speed(both)) / 2)
    for worker in (first, second, both):
        worker.close()
    for name, heading in (
        ("one", "one thread, first processor"), ("other", "one thread, second processor"),
        ("two", "two threads"), ("at once", "both processes at once"),
    ):  # fmt: skip
        print(f"{options.work}, {heading}: {statistics.median(found[name]):,.0f} samples/s")
    alone = [(one + other) / 2 for one, other in zip(found["one"], found["other"], strict=True)]
    threads, processes = (
        [speed / one for speed, one in zip(found[name], alone, strict=True)]
        for name in ("two", "at once")
    )
    free = [ratio for ratio, most in zip(threads, processes, strict=True) if most >= WHOLE]
    for heading, ratios in (
        ("two processes / one thread", processes),
        ("two threads / one thread", threads),
        (f"two threads / one thread, where two processes reached {WHOLE}", free),
    ):
        if ratios:
            print(
                f"{heading}: {statistics.median(ratios):.2f} "
                f"({len(ratios)} rounds, {min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()

"""Print how many times as fast training is with two threads as with one, in turns.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --work mlp --rounds 15

Both are processes that stay alive; each round runs one after the other, and gives a ratio. The
median of the rounds counts. Beside it stands the same ratio for multiply-adds in registers alone,
the most that these processors allow: two busy cores may have a lower clock than one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from math import ceil
from pathlib import Path

import machine
from contestants import Worker
from works import WORKS


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", default="headline", choices=sorted(WORKS))
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each run")
    options = parser.parse_args(arguments)
    workers = {n: Worker("pellucid", Path(sys.executable), n) for n in (1, 2)}
    batch, steps = WORKS[options.work].batches["train"], {}
    for threads, worker in workers.items():
        worker.ask("prepare", work=options.work, mode="train")
        taken = worker.ask("run", steps=64)
        steps[threads] = ceil(64 * options.seconds / taken["seconds"])
    speeds: dict[int, list[float]] = {1: [], 2: []}
    limits: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds):
        for threads, worker in workers.items():
            time.sleep(0.05)  # until the threads of the one before no longer spin
            answer = worker.ask("run", steps=steps[threads])
            speeds[threads].append(batch * answer["steps"] / answer["seconds"])
            limits[threads].append(machine.fma_peak(threads)[0])
    for worker in workers.values():
        worker.close()
    for threads in (1, 2):
        print(
            f"{options.work}, {threads} thread(s): {statistics.median(speeds[threads]):,.0f} "
            f"samples/s; registers alone {statistics.median(limits[threads]) / 1e9:,.0f} GFLOP/s"
        )
    for name, found in (("training", speeds), ("registers alone", limits)):
        ratios = sorted(two / one for one, two in zip(found[1], found[2], strict=True))
        print(
            f"{name}: {statistics.median(ratios):.2f} times as fast with two threads "
            f"(rounds {ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()

"""Print how many times as fast training is with two threads as with one, in turns.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --work mlp --rounds 15

Both are processes that stay alive; each round runs one after the other, and gives a ratio. The
median of the rounds counts. Beside it stands the same ratio for multiply-adds in registers alone,
the most that these processors allow: two busy cores may have a lower clock than one.

A virtual machine's two processors may be the two halves of one core for a while; then even
registers alone gain nothing. So the median is given once more for the rounds in which registers
alone were `WHOLE` times as fast or more, both before the two runs and after them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import pairwise
from math import ceil
from pathlib import Path

import machine
from contestants import Worker
from works import WORKS

WHOLE = 1.8


def limits() -> dict[int, float]:
    """Return the multiply-adds in registers for each second, by the number of threads."""
    return {threads: machine.fma_peak(threads)[0] for threads in (1, 2)}


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
    speeds: list[dict[int, float]] = []
    peaks = [limits()]
    for _ in range(options.rounds):
        speeds.append({})
        for threads, worker in workers.items():
            time.sleep(0.05)  # until the threads of the one before no longer spin
            answer = worker.ask("run", steps=steps[threads])
            speeds[-1][threads] = batch * answer["steps"] / answer["seconds"]
        peaks.append(limits())
    for worker in workers.values():
        worker.close()
    for threads in (1, 2):
        print(
            f"{options.work}, {threads} thread(s): "
            f"{statistics.median(found[threads] for found in speeds):,.0f} samples/s; registers "
            f"alone {statistics.median(found[threads] for found in peaks) / 1e9:,.0f} GFLOP/s"
        )
    training, registers = ([found[2] / found[1] for found in list_] for list_ in (speeds, peaks))
    whole = [
        ratio
        for ratio, around in zip(training, pairwise(registers), strict=True)
        if min(around) >= WHOLE
    ]
    for name, ratios in (
        ("registers alone", registers),
        ("training", training),
        (f"training, where registers alone were {WHOLE} times as fast or more", whole),
    ):
        if ratios:
            print(
                f"{name}: {statistics.median(ratios):.2f} times as fast with two threads "
                f"({len(ratios)} rounds, {min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()

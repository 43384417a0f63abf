"""How long from the start of a process until the headline model is right on 99% of MNIST's tests.

    python benchmarks/time_to_accuracy.py [--rivals torch,jax] [--seeds 5] [--rate 0.002 …]

Every run is a new process: import, reading the images, compiling, all of the 60,000 training images
epoch by epoch, and the accuracy on the 10,000 test images after each. The recipe is Adam with a
rate that falls in a straight line from --rate to --final-rate over --epochs; runs stop at the
target.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
from pathlib import Path
from typing import Any

import environments
import machine
import numpy as np
import report
from contestants import CONTESTANTS, Worker, WorkerError, pythons
from run import PELLUCID, chosen

from pellucid.datasets import mnist


def write_data(path: Path, samples: int) -> None:
    """Write MNIST as every contestant reads it: uint8, (N, 28, 28, 1), not compressed."""
    (x, y), (x_test, y_test) = mnist.load_data()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x[:samples, ..., None], y=y[:samples], x_test=x_test[..., None], y_test=y_test)


def attempt(name: str, python: Path, threads: int, data: Path, recipe: Any) -> dict[str, Any]:
    """Train once in a new process; return when each epoch ended, how well, and the peak memory."""
    worker = Worker(name, python, threads)
    try:
        epochs = worker.ask("learn", data=str(data), recipe=recipe)["epochs"]
        memory = worker.ask("memory")["megabytes"]
    finally:
        worker.close()
    seconds = [epoch["at"] - worker.started for epoch in epochs]
    accuracies = [epoch["accuracy"] for epoch in epochs]
    reached = accuracies[-1] >= recipe["target"]
    return {
        "seed": recipe["seed"], "seconds": seconds, "accuracies": accuracies, "megabytes": memory,
        "reached": seconds[-1] if reached else None,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    able = [name for name in CONTESTANTS if "train" in CONTESTANTS[name].modes]
    rivals = [name for name in able if name not in PELLUCID]
    parser.add_argument("--rivals", default=",".join(rivals), help="'' for none: %(default)s")
    parser.add_argument("--pellucid", default="pellucid", help="engines: %(default)s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--final-rate", type=float, default=1e-5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=60_000, help="fewer only to try it out")
    parser.add_argument(
        "--output", type=Path, default=environments.FOLDER / "time_to_accuracy.json"
    )
    options = parser.parse_args()
    wanted = ",".join(part for part in (options.pellucid, options.rivals) if part)
    found, skipped = pythons(chosen(wanted, able, "contestant"))
    limits = machine.describe(options.threads)
    for name, reason in skipped.items():
        print(f"Without {name}: {reason}")
    keys = ("target", "batch", "rate", "final_rate", "epochs", "samples")
    recipe = {"work": "headline"} | {key: getattr(options, key) for key in keys}
    data = environments.FOLDER / "mnist.npz"
    write_data(data, options.samples)

    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in found}
    for seed in range(options.seeds):
        for name, python in found.items():
            try:
                one = attempt(name, python, options.threads, data, recipe | {"seed": seed})
            except (WorkerError, OSError) as error:
                print(f"{name}, seed {seed}: {error}", flush=True)
                continue
            runs[name].append(one)
            reached = f"{one['reached']:.1f} s" if one["reached"] else "not reached"
            curve = " ".join(f"{accuracy:.2%}" for accuracy in one["accuracies"])
            print(f"{name}, seed {seed}: {reached} ({curve})", flush=True)

    print(f"\n{'':20}{'median':>10}{'fastest':>10}{'slowest':>10}{'reached':>10}{'memory':>10}")
    for name, all_runs in runs.items():
        times = [one["reached"] for one in all_runs if one["reached"]]
        shown = [statistics.median(times), min(times), max(times)] if times else []
        cells = [f"{report.number(t)} s" for t in shown] or ["–"] * 3
        memory = max((one["megabytes"] for one in all_runs), default=0)
        cells += [f"{len(times)} of {len(all_runs)}", f"{memory:,.0f} MB"]
        print(f"{name:20}" + "".join(f"{cell:>10}" for cell in cells))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": limits, "recipe": recipe, "runs": runs,
    }  # fmt: skip
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Written: {options.output}")


if __name__ == "__main__":
    main()

"""Measure Pellucid and its rivals on the same work, in turns, and print one table of ratios.

    python benchmarks/run.py
    python benchmarks/run.py --work headline,lenet5 --mode train --rivals torch,jax --quick

Modes: train and infer (samples for each second), latency (one sample), start (import, first step
with empty and with filled caches, peak memory, installed size; always the headline model).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import statistics
import tempfile
import time
from math import ceil
from pathlib import Path
from typing import Any

import environments
import machine
import report
from contestants import CONTESTANTS, TRAINED, Worker, WorkerError, pythons
from works import WORKS, Work, floor, parameters

LARGE = ("mobilenet", "resnet18")
PELLUCID = ("pellucid", "pellucid-reference")


class Field:
    """The contestants of this run, their processes, and what went wrong with them."""

    def __init__(self, found: dict[str, Path], threads: int) -> None:
        self.found, self.threads = found, threads
        self.versions: dict[str, dict[str, str]] = {}
        self._workers: dict[str, Worker] = {}

    def worker(self, name: str) -> Worker:
        if name not in self._workers:
            self._workers[name] = Worker(name, self.found[name], self.threads)
        return self._workers[name]

    def drop(self, name: str) -> None:
        if name in self._workers:
            with contextlib.suppress(OSError):  # it may be dead, with a command unread
                self._workers.pop(name).close()

    def close(self) -> None:
        for name in list(self._workers):
            self.drop(name)


def prepared(field: Field, name: str, work: Work, mode: str, seconds: float) -> int:
    """Make a contestant ready; return the number of steps that take it about `seconds`."""
    worker = field.worker(name)
    answer = worker.ask("prepare", work=work.name, mode=mode)
    field.versions[name] = answer["versions"]
    if answer["parameters"] != parameters(work):
        raise WorkerError(f"{answer['parameters']} parameters, expected {parameters(work)}")
    steps = 1
    while True:
        taken = worker.ask("run", steps=steps)
        if taken["seconds"] >= seconds / 4:
            return ceil(taken["steps"] * seconds / taken["seconds"])
        steps = ceil(steps * min(16.0, 1.2 * seconds / max(taken["seconds"], 1e-6)))


def measure(
    field: Field, work: Work, mode: str, rounds: int, seconds: float, limits: dict[str, Any]
) -> dict[str, Any]:
    """Measure one row: every contestant once in each round, beginning with another each time."""
    steps: dict[str, int] = {}
    errors: dict[str, str] = {}
    times: dict[str, list[float]] = {}
    for name in field.found:
        if mode in CONTESTANTS[name].modes:
            try:
                steps[name] = prepared(field, name, work, mode, seconds)
            except (WorkerError, OSError) as error:
                errors[name] = str(error)
                field.drop(name)
    names = list(steps)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            if name in errors:
                continue
            time.sleep(0.05)  # until the threads of the one before no longer spin
            try:
                answer = field.worker(name).ask("run", steps=steps[name])
                times.setdefault(name, []).append(answer["seconds"] / answer["steps"])
            except (WorkerError, OSError) as error:
                errors[name] = str(error)
                field.drop(name)
    batch = work.batches[mode]
    flops, moved = floor(work, mode)
    bandwidth = machine.copy_bandwidth(field.threads, moved)
    least = max(flops / limits["flops"], moved / bandwidth)
    scale = (lambda t: t * 1e6) if mode == "latency" else (lambda t: batch / t)
    return {
        "name": f"{work.name}, {mode} {batch}",
        "unit": "µs" if mode == "latency" else "samples/s",
        "floor": {
            "flops": flops, "bytes": moved, "bytes_per_second": bandwidth, "value": scale(least),
        },
        "values": {name: [scale(t) for t in found] for name, found in times.items()},
        "errors": errors,
    }  # fmt: skip


def measure_start(field: Field, rounds: int) -> list[dict[str, Any]]:
    """Measure new processes: rows of import time, first steps, peak memory and installed size."""
    kinds = {
        "import": "ms", "first step, cold": "ms", "first step, warm": "ms", "peak memory": "MB",
    }  # fmt: skip
    rows = {
        kind: {"name": kind, "unit": unit, "floor": None, "values": {}, "errors": {}}
        for kind, unit in kinds.items()
    }
    names = [name for name in field.found if "start" in CONTESTANTS[name].modes]
    for _ in range(rounds):
        for name in names:
            with tempfile.TemporaryDirectory(prefix="pellucid-bench-") as cache:
                for kind in ("first step, cold", "first step, warm"):
                    try:
                        worker = Worker(name, field.found[name], field.threads, Path(cache))
                        answer = worker.ask("prepare", work="headline", mode="train")
                        worker.ask("run", steps=64)
                        memory = worker.ask("memory")["megabytes"]
                        worker.close()
                    except (WorkerError, OSError) as error:
                        rows[kind]["errors"][name] = str(error)
                        continue
                    found = {
                        kind: 1e3 * (answer["at"] - worker.started),
                        "import": 1e3 * worker.import_seconds,
                        "peak memory": memory,
                    }
                    field.versions[name] = answer["versions"]
                    for row, value in found.items():
                        rows[row]["values"].setdefault(name, []).append(value)
    size: dict[str, Any] = {
        "name": "installed size", "unit": "MB", "floor": None, "values": {}, "errors": {},
    }  # fmt: skip
    for name in field.found:
        environment = CONTESTANTS[name].environment or "pellucid"
        try:
            environments.make(environment)
            size["values"][name] = [environments.megabytes(environment)]
        except environments.EnvironmentUnavailableError as error:
            size["errors"][name] = str(error)
    return [*rows.values(), size]


def chosen(given: str, known: list[str], what: str) -> list[str]:
    names = [name for part in given.split(",") for name in (LARGE if part == "large" else (part,))]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"No {what} is called {', '.join(unknown)}. There are {', '.join(known)}.")
    return names


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    rivals = [name for name in CONTESTANTS if name not in PELLUCID]
    parser.add_argument("--work", default=",".join(WORKS), help="which models: %(default)s")
    parser.add_argument("--mode", default=",".join(TRAINED), help="which measures: %(default)s")
    parser.add_argument("--rivals", default=",".join(rivals), help="'' for none: %(default)s")
    parser.add_argument("--pellucid", default=",".join(PELLUCID), help="engines: %(default)s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="how many the median is taken of")
    parser.add_argument("--quick", action="store_true", help="short rounds, for a first look")
    parser.add_argument("--output", type=Path, default=environments.FOLDER / "results",
                        help="where .json and .png are written: %(default)s")  # fmt: skip
    options = parser.parse_args(arguments)
    works = chosen(options.work, list(WORKS), "work")
    modes = chosen(options.mode, list(TRAINED), "mode")
    wanted = ",".join(part for part in (options.pellucid, options.rivals) if part)
    names = chosen(wanted, list(CONTESTANTS), "contestant")

    limits = machine.describe(options.threads)
    found, skipped = pythons(names)
    for name, reason in skipped.items():
        print(f"Without {name}: {reason}")
    if not found:
        raise SystemExit("No contestant is left to measure.")
    field, rows = Field(found, options.threads), []
    try:
        for work in (WORKS[name] for name in works):
            for mode in (mode for mode in modes if mode in work.batches):
                seconds = 0.1 if options.quick else 1.5
                rows.append(measure(field, work, mode, options.rounds, seconds, limits))
                report.print_progress(rows[-1])
    finally:
        field.close()
    if "start" in modes:
        rows += measure_start(field, options.rounds)
    for row in rows:
        row["medians"] = {name: statistics.median(found) for name, found in row["values"].items()}
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": limits, "rounds": options.rounds, "quick": options.quick,
        "versions": field.versions, "skipped": skipped, "rows": rows,
    }  # fmt: skip
    print(report.table(result))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    json_file = options.output.with_suffix(".json")
    json_file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    report.plot(result, options.output.with_suffix(".png"))
    print(f"Written: {json_file} and {options.output.with_suffix('.png').name}")


if __name__ == "__main__":
    main()

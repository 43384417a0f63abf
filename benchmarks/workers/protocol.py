"""What every worker shares: JSON commands on standard input, answers on standard output.

    {"command": "prepare", "work": "headline", "mode": "train"} → parameters, after the first step
    {"command": "run", "steps": 100}                            → seconds, steps really taken
    {"command": "learn", "data": "mnist.npz", "recipe": {…}}    → accuracy and time of each epoch
    {"command": "memory"}                                       → peak megabytes of this process

A worker defines `versions()`, `prepare(layers, shape, mode, x, y)`, which returns the number of
trainable parameters and a function that takes a number of steps and returns how many it took, and
`learn(layers, x, y, x_test, y_test, recipe)`, which yields the test accuracy after each epoch.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from works import WORKS, Softmax, Work  # the folder above is not a package

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
if hasattr(os, "sched_setaffinity"):  # before a framework counts the processors
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def synthetic(work: Work, batch: int) -> tuple[Any, Any]:
    """Return a pool of batches, (P, B, H, W, C) and (P, B), of at most 64 batches and 64 MB."""
    import numpy as np

    rng = np.random.default_rng(0)
    size = max(2, min(64, 64_000_000 // (4 * batch * int(np.prod(work.shape)))))
    x = rng.random((size, batch, *work.shape), dtype="float32")
    return x, rng.integers(work.classes, size=(size, batch), dtype="int32")


def serve(worker: Any) -> None:
    """Answer commands until standard input ends; `worker` is the worker's module."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints is no answer
    run: Any = None

    def prepare(work: str, mode: str) -> dict[str, Any]:
        nonlocal run
        run, wanted = None, WORKS[work]
        x, y = synthetic(wanted, wanted.batches[mode])
        layers = wanted.layers if mode == "train" else (*wanted.layers, Softmax())
        parameters, run = worker.prepare(layers, wanted.shape, mode, x, y)
        run(1)
        return {"parameters": parameters, "versions": worker.versions()}

    def timed(steps: int) -> dict[str, Any]:
        start = time.perf_counter()
        taken = run(steps)
        return {"seconds": time.perf_counter() - start, "steps": taken}

    def learn(data: str, recipe: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        epochs = []
        with np.load(data) as file:
            arrays = [file[name] for name in ("x", "y", "x_test", "y_test")]
        for accuracy in worker.learn(WORKS[recipe["work"]].layers, *arrays, recipe):
            epochs.append({"accuracy": float(accuracy), "at": time.monotonic()})
            if accuracy >= recipe["target"]:
                break
        return {"epochs": epochs}

    def memory() -> dict[str, Any]:
        status = Path("/proc/self/status")
        if status.exists():  # Linux's ru_maxrss knows of the harness that started this process
            lines = status.read_text().splitlines()
            peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
            return {"megabytes": peak * 1024 / 1e6}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"megabytes": peak / 1e6 * (1 if sys.platform == "darwin" else 1024)}

    commands = {"prepare": prepare, "run": timed, "learn": learn, "memory": memory}
    print(json.dumps({"imported_at": time.monotonic()}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = commands[request.pop("command")](**request)
            answer["at"] = time.monotonic()
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is an answer too
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)

"""Who is measured, and how each is run: a process that stays alive and answers commands."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environments
from environments import HERE, PROJECT, EnvironmentUnavailableError

TRAINED = ("train", "infer", "latency", "start")


@dataclass(frozen=True)
class Contestant:
    """A framework in one configuration."""

    heading: str  # of its column
    worker: str
    environment: str | None  # None: the Python that runs the harness, with the project's source
    variables: dict[str, str] = field(default_factory=dict)
    modes: tuple[str, ...] = TRAINED


def _keras(name: str, backend: str = "", **variables: str) -> dict[str, str]:
    return {"BENCH_KERAS": name, "KERAS_BACKEND": backend} | variables


CONTESTANTS = {
    "pellucid": Contestant("pellucid", "keras", None, _keras("pellucid", PELLUCID_ENGINE="auto")),
    "pellucid-reference": Contestant(
        "ref.", "keras", None, _keras("pellucid", PELLUCID_ENGINE="reference")
    ),
    "torch": Contestant("torch", "torch", "torch"),
    "torch-compile": Contestant("compile", "torch", "torch", {"BENCH_COMPILE": "1"}),
    "keras-tensorflow": Contestant(
        "keras·tf", "keras", "keras-tensorflow", _keras("keras", "tensorflow")
    ),
    "keras-jax": Contestant("keras·jax", "keras", "keras-jax", _keras("keras", "jax")),
    "jax": Contestant("jax", "jax", "jax"),
    "onnxruntime": Contestant("onnx", "onnx", "onnxruntime", modes=("infer", "latency")),
}


def pythons(names: list[str], install: bool = True) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the Python of each contestant that can run, and for each other one why it cannot."""
    found, skipped = {}, {}
    for name in names:
        environment = CONTESTANTS[name].environment
        if environment is None:
            # Without the compiler both names would be the reference, and be measured twice.
            if name == "pellucid" and importlib.util.find_spec("pellucid.compiler") is None:
                skipped[name] = "pellucid.compiler is not there; see pellucid-reference"
            else:
                found[name] = Path(sys.executable)
        elif install or environments.installed(environment):
            try:
                found[name] = environments.make(environment)
            except EnvironmentUnavailableError as error:
                skipped[name] = f"could not be installed: {error}"
        else:
            skipped[name] = "not installed"
    return found, skipped


class WorkerError(Exception):
    """A contestant could not do what it was asked."""


class Worker:
    """A contestant's process; `started` is when it began, on the clock its answers use."""

    def __init__(self, name: str, python: Path, threads: int, cache: Path | None = None) -> None:
        contestant, folder = CONTESTANTS[name], environments.FOLDER
        cache = cache or folder / "cache" / name
        number = str(threads)
        variables = {
            "OMP_NUM_THREADS": number,
            "MKL_NUM_THREADS": number,
            "OPENBLAS_NUM_THREADS": number,
            "TF_NUM_INTRAOP_THREADS": number,
            "TF_NUM_INTEROP_THREADS": number,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "NPROC": number,  # read by XLA
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"),
            "XDG_CACHE_HOME": str(cache),  # where Pellucid keeps what it compiled
            "PYTHONDONTWRITEBYTECODE": "",  # what is installed has its bytecode
            "PELLUCID_THREADS": number,
            "BENCH_THREADS": number,
            "PYTHONPATH": str(PROJECT / "src") if contestant.environment is None else "",
        }
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        self.log = folder / "logs" / f"{name}.txt"
        with self.log.open("w") as log:
            self.started = time.monotonic()
            self._process = subprocess.Popen(
                [python, HERE / "workers" / f"{contestant.worker}_worker.py"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | variables | contestant.variables,
            )  # fmt: skip
        self.import_seconds = self._answer()["imported_at"] - self.started

    def ask(self, command: str, **settings: Any) -> dict[str, Any]:
        """Send a command and return the answer; WorkerError if it failed."""
        assert self._process.stdin is not None
        print(json.dumps({"command": command} | settings), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"the process ended with {self._process.wait()}; see {self.log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

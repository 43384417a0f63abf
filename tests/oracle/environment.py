"""Keras in an environment and a process of its own, which tests ask what the right answer is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
DEFAULT_FOLDER = HERE.parent.parent / ".oracle"


class OracleUnavailableError(Exception):
    """Keras could not be installed, for want of a network perhaps."""


def make_environment() -> Path:
    """Return the Python of the environment; make it first if it is not there and complete.

    The folder is `.oracle` beside the tests, or the environment variable `PELLUCID_ORACLE`.
    """
    folder = Path(os.environ.get("PELLUCID_ORACLE", DEFAULT_FOLDER)).resolve()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # Written last, so that an installation which was interrupted is begun again.
    stamp = folder / "complete"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest() + sys.version
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not (stamp.exists() and stamp.read_text() == wanted):
            stamp.unlink(missing_ok=True)
            venv.create(folder, clear=False, with_pip=True)
            install = [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            result = subprocess.run(
                [*install, "-r", str(REQUIREMENTS)], capture_output=True, text=True, check=False
            )
            if result.returncode != 0:
                raise OracleUnavailableError(result.stderr.strip()[-2000:])
            stamp.write_text(wanted)
    return python


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes of the same test run wait for."""
    with path.open("w") as file:
        if os.name != "nt":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Oracle:
    """A process that has imported Keras and calls the functions of this folder's `ask_*.py`."""

    def __init__(self, python: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pellucid-oracle-")
        environment = os.environ | {
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            # The models are tiny and each is compiled once: compiling takes all the time. And no
            # processor with fused multiply-adds: JAX tells where a maximum came from by comparing
            # numbers, which XLA may make twice, rounded in two ways; the gradient is lost then.
            "XLA_FLAGS": "--xla_backend_optimization_level=0 "
            "--xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false "
            "--xla_cpu_max_isa=AVX",
            "KERAS_HOME": self._folder.name,
            "PYTHONWARNINGS": "ignore",
        }
        environment.pop("PYTHONPATH", None)
        self._log = (Path(self._folder.name) / "log").open("w+")
        self._process = subprocess.Popen(
            [str(python), str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )

    def ask(
        self, function: str, /, arrays: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[dict[str, np.ndarray], Any]:
        """Call `function` ("module.name" of this folder) with arrays and JSON-able settings.

        The function gets `(arrays, settings)` and returns a pair of the same kind.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        sent, received = (str(Path(self._folder.name) / name) for name in ("in.npz", "out.npz"))
        np.savez(sent, **(arrays or {}))
        request = {"function": function, "in": sent, "out": received, "settings": settings}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"The Keras process ended:\n{self._log.read()[-4000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"Keras failed in {function}:\n{answer['error']}")
        with np.load(received) as file:
            return dict(file), answer["result"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()  # it keeps nothing, and JAX takes seconds to leave by itself
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()
        self._folder.cleanup()

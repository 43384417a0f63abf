"""A virtual environment for each contestant, in `.bench/`, made on first use.

python benchmarks/environments.py [NAME ...]
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent
FOLDER = PROJECT / ".bench"
NAMES = sorted(path.stem for path in (HERE / "requirements").glob("*.txt"))


class EnvironmentUnavailableError(Exception):
    """A contestant could not be installed, for want of a network perhaps."""


def _paths(name: str) -> tuple[Path, Path, str]:
    """Return the environment's Python, the mark of its completeness, and what the mark must say."""
    folder = FOLDER / name
    wanted = (HERE / "requirements" / f"{name}.txt").read_bytes()
    return folder / "bin/python", folder / "complete", hashlib.sha256(wanted).hexdigest()


def installed(name: str) -> bool:
    """Return whether the environment is there, complete, and as its requirements say today."""
    _, stamp, wanted = _paths(name)
    return stamp.exists() and stamp.read_text() == wanted


def make(name: str) -> Path:
    """Return the environment's Python; install what its requirements say if that is not there."""
    python, stamp, wanted = _paths(name)
    if not installed(name):
        print(f"Installing {name} in {FOLDER / name} …", file=sys.stderr, flush=True)
        venv.create(FOLDER / name, clear=True, with_pip=True)
        result = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "-r", HERE / "requirements" / f"{name}.txt"],
            capture_output=True, text=True, check=False, cwd=PROJECT,
        )  # fmt: skip
        if result.returncode != 0:
            reason = result.stderr.strip().splitlines()
            raise EnvironmentUnavailableError(reason[-1] if reason else "pip failed")
        stamp.write_text(wanted)  # written last: what was interrupted is begun again
    return python


def megabytes(name: str) -> float:
    """Return how much disk the environment takes, in MB (10⁶ bytes), without pip itself."""
    packages = next((FOLDER / name / "lib").glob("python*/site-packages"))
    found = [
        folder
        for folder in packages.iterdir()
        if not folder.name.startswith(("pip", "setuptools", "_distutils_hack", "__pycache__"))
    ]
    files = [file for folder in found for file in (folder, *folder.rglob("*")) if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files) / 1e6


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        try:
            make(wanted)
            print(f"{wanted}: {megabytes(wanted):,.0f} MB")
        except EnvironmentUnavailableError as error:
            print(f"{wanted}: not installed ({error})")

"""Running the command line inside the test's own process."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pellucid.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Outcome:
    """Run `pellucid ARGUMENTS` and return its exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def width(path: Path) -> int:
    """Return the width of a picture in pixels."""
    with Image.open(path) as image:
        return image.width

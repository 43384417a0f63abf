"""A trace as one page: a self-contained HTML file in which every number can be seen and followed.

The page needs no network, no server and no live Python. It carries the recorded tensors and, for
each, how its numbers were made (`_accounts.py`); scripts and styles are in `assets/`, a file for
each part, and are put into the page as they are. A Content-Security-Policy forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from pellucid.errors import ArgumentError
from pellucid.explain.report._book import Book

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["MAX_BYTES", "notebook_frame", "render", "write"]

MAX_BYTES = 3_000_000
"""How large a page may become unless something else is asked for."""

NOTEBOOK_BYTES = 8_000_000
"""A larger page is not put into a notebook."""

_LEAST_BYTES = 300_000
_SCRIPTS = (
    "dom",
    "book",
    "account",
    "formula",
    "layout",
    "paint",
    "figure",
    "arithmetic",
    "panel",
    "overview",
    "main",
)


def render(trace: Trace, max_bytes: int = MAX_BYTES, start: str = "") -> str:
    """Return the page as text.

    Args:
        trace: What to show.
        max_bytes: How large the page may become. What does not fit is left out, the optimiser's
            memory first, and of large tensors the planes in which least happens; the page says so
            wherever a number is missing.
        start: The address that the page opens at, unless a link into it names another.

    Raises:
        ArgumentError: `max_bytes` leaves no room for numbers.
    """
    if max_bytes < _LEAST_BYTES:
        raise ArgumentError(
            f"report: max_bytes must be at least {_LEAST_BYTES:,}, which the page's own script "
            f"and style leave room in; received {max_bytes:,}."
        )
    style, script = _asset("style.css"), _script()
    parts = {
        "title": html.escape(trace.model.name),
        "start": html.escape(start, quote=True),
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    shell = len(_asset("page.html")) + len(style) + len(script.encode())
    book = Book(trace, max_bytes - shell)
    parts |= {"book": book.data(), "numbers": book.binary.text()}
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], _asset("page.html"))


def write(
    trace: Trace, path: str | os.PathLike[str], max_bytes: int = MAX_BYTES, start: str = ""
) -> None:
    """Write the page to a file, which is never left half written.

    Raises:
        OSError: The folder does not exist or cannot be written to, or the disk is full.
    """
    from pellucid.formats import atomic_write

    atomic_write(path, render(trace, max_bytes, start).encode())


def notebook_frame(page: str, height: int = 760) -> str:
    """Return HTML that shows a page within a notebook's cell, sealed off from the notebook.

    The page is in the frame's own source, so that it also shows where no kernel runs. One that is
    too large for a notebook is replaced by a sentence that says what to do.
    """
    size = len(page.encode())
    if size > NOTEBOOK_BYTES:
        return (
            f"<p>This report has {size / 1e6:.1f} MB, and a notebook takes at most "
            f"{NOTEBOOK_BYTES / 1e6:.0f} MB here. Write it to a file instead: "
            f'<code>trace.to_html("report.html")</code>.</p>'
        )
    return (
        f'<iframe title="Every number of the model" sandbox="allow-scripts" '
        f'style="width:100%;height:{height}px;border:1px solid #8888" '
        f'srcdoc="{html.escape(page, quote=True)}"></iframe>'
    )


@cache
def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    """Return the modules as one: in the order of their imports, which then are not needed."""
    parts = [_asset(f"{name}.js") for name in _SCRIPTS]
    whole = "\n".join(re.sub(r"^import .*?;\n", "", part, flags=re.M | re.S) for part in parts)
    return re.sub(r"^export ", "", whole, flags=re.M)


def _hash(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")

"""Numbers in words: one story, written as text, Markdown, LaTeX, HTML or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import TypeMismatchError
from pellucid.explain.narration.blocks import (
    Block,
    Equation,
    Formula,
    Heading,
    Matrix,
    Note,
    Paragraph,
    Story,
    Table,
    Term,
    Terms,
)
from pellucid.explain.narration.convolution import convolution_story
from pellucid.explain.narration.render import FORMATS, render

if TYPE_CHECKING:
    from pellucid.explain.ledger import Ledger
    from pellucid.explain.paths import Path
    from pellucid.explain.trace import Trace

__all__ = [
    "FORMATS",
    "Block",
    "Equation",
    "Formula",
    "Heading",
    "Matrix",
    "Note",
    "Paragraph",
    "Story",
    "Table",
    "Term",
    "Terms",
    "convolution_story",
    "narrate",
    "render",
]


def narrate(subject: Ledger | Trace | Path) -> Story:
    """Return the story of a number (its ledger), of a whole pass (its trace), or of a path.

    Raises:
        TypeMismatchError: It is none of these.
    """
    from pellucid.explain.ledger import Ledger
    from pellucid.explain.narration.ledgers import ledger_story
    from pellucid.explain.narration.paths import path_story
    from pellucid.explain.narration.traces import trace_story
    from pellucid.explain.paths import Path
    from pellucid.explain.trace import Trace

    if isinstance(subject, Ledger):
        return ledger_story(subject)
    if isinstance(subject, Trace):
        return trace_story(subject)
    if isinstance(subject, Path):
        return path_story(subject)
    raise TypeMismatchError(
        f"Expected a Ledger, a Trace or a Path, received {type(subject).__name__}."
    )

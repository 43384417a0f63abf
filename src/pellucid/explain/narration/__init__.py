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


def narrate(subject: Ledger | Trace) -> Story:
    """Return the story of a number (its ledger) or of a whole pass (its trace).

    Raises:
        TypeMismatchError: It is neither.
    """
    from pellucid.explain.ledger import Ledger
    from pellucid.explain.narration.ledgers import ledger_story
    from pellucid.explain.narration.traces import trace_story
    from pellucid.explain.trace import Trace

    if isinstance(subject, Ledger):
        return ledger_story(subject)
    if isinstance(subject, Trace):
        return trace_story(subject)
    raise TypeMismatchError(f"Expected a Ledger or a Trace, received {type(subject).__name__}.")

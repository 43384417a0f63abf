"""Numbers in words: one story, written as text, Markdown, LaTeX, HTML or JSON."""

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
    "render",
]

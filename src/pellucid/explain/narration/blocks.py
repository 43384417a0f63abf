"""What a story is made of: headings, sentences, formulas, matrices, sums.

A story says once what there is to say about some numbers; `text`, `markdown`, `latex` and `html`
write it down. Blocks hold numbers as numbers, so that each of them rounds, and says so, by the same
rule. In sentences, `backticks` enclose addresses and code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from pellucid.explain.narration.numbers import Format

__all__ = [
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
]

Window: TypeAlias = tuple[slice, slice]

MOST = 12
"""A matrix is cut to so many rows and columns; what is left out is said."""


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is the story's own."""

    text: str
    level: int = 2

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        return {"type": "heading", "level": self.level, "text": self.text}


@dataclass(frozen=True)
class Paragraph:
    """Plain words."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        return {"type": "paragraph", "text": self.text}


@dataclass(frozen=True)
class Note:
    """A remark that one may skip: on rounding, on a convention."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        return {"type": "note", "text": self.text}


@dataclass(frozen=True)
class Formula:
    """A formula, as plain text and in LaTeX's mathematics."""

    plain: str
    latex: str

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        return {"type": "formula", "plain": self.plain, "latex": self.latex}


@dataclass(frozen=True)
class Matrix:
    """Some rows and columns of a table of numbers.

    Attributes:
        name: What it is called: "image", "conv2d.output[:,:,0]".
        values: The numbers shown, row by row.
        first: The row and column of the first of them in the whole.
        shape: The rows and columns of the whole.
        window: The part to point at, as (rows, columns) of the whole.
        padding: The cells shown, counted from the first, that are padding and not in the whole.
        caption: What to say below.
    """

    name: str
    values: tuple[tuple[float, ...], ...]
    first: tuple[int, int] = (0, 0)
    shape: tuple[int, int] = (0, 0)
    window: Window | None = None
    padding: frozenset[tuple[int, int]] = frozenset()
    caption: str = ""

    @classmethod
    def of(
        cls,
        array: Any,
        name: str,
        *,
        window: Window | None = None,
        caption: str = "",
        most: tuple[int, int] = (MOST, MOST),
    ) -> Matrix:
        """Return a block for an array (H, W), or as much of it as one can look at.

        Args:
            array: The numbers; a vector becomes one row.
            name: What it is called.
            window: The part to point at; what is left out is chosen so that it stays.
            caption: What to say below.
            most: How many rows and columns to show.
        """
        whole = np.atleast_2d(np.asarray(array))
        height, width = whole.shape
        marked = window or (slice(0, 0), slice(0, 0))
        rows = _part(height, most[0], marked[0])
        columns = _part(width, most[1], marked[1])
        values = tuple(tuple(float(v) for v in row) for row in whole[rows, columns])
        first = rows.start, columns.start
        return cls(name, values, first, (height, width), window, caption=caption)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return (len(self.values), len(self.values[0])) == self.shape

    @property
    def extent(self) -> str:
        """Which part is shown, in words; "" if all of it."""
        if self.is_whole or self.shape == (0, 0):
            return ""
        (row, column), height, width = self.first, len(self.values), len(self.values[0])
        parts = []
        if height < self.shape[0]:
            parts.append(f"rows {row}–{row + height - 1} of {self.shape[0]}")
        if width < self.shape[1]:
            parts.append(f"columns {column}–{column + width - 1} of {self.shape[1]}")
        return ", ".join(parts)

    def remark(self, marking: str) -> str:
        """Return the caption, how the window is marked, which part is shown, how it is rounded.

        Args:
            marking: How whoever writes the matrix down marks its window: "in brackets".
        """
        window = f"window {marking}" if self.window is not None else ""
        parts = (self.caption, window, self.extent, self.format.remark)
        return "; ".join(part for part in parts if part)

    @property
    def format(self) -> Format:
        """How its numbers are written."""
        return Format.for_values(v for row in self.values for v in row)

    def is_marked(self, row: int, column: int) -> bool:
        """Tell whether a cell shown, counted from the first shown, lies in the window."""
        if self.window is None:
            return False
        place = row + self.first[0], column + self.first[1]
        return all(s.start <= p < s.stop for s, p in zip(self.window, place, strict=True))

    def cell(self, row: int, column: int) -> str:
        """Return the text of a cell shown; padding stands in brackets."""
        text = self.format(self.values[row][column])
        return f"({text})" if (row, column) in self.padding else text

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        window = self.window and [[s.start, s.stop] for s in self.window]
        return {
            "type": "matrix",
            "name": self.name,
            "values": [[_json(v) for v in row] for row in self.values],
            "first": list(self.first),
            "shape": list(self.shape),
            "window": window,
            "padding": sorted(map(list, self.padding)),
            "caption": self.caption,
        }


@dataclass(frozen=True)
class Equation:
    """Matrices in a row, with signs between them."""

    parts: tuple[Matrix | str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        parts = [p if isinstance(p, str) else p.to_dict() for p in self.parts]
        return {"type": "equation", "parts": parts}


@dataclass(frozen=True)
class Term:
    """One line of a sum.

    Attributes:
        what: What it is: "input[3,4,0] · conv2d.kernel[0,0,0,2]".
        numbers: The same in numbers: "0.5 × (−1)".
        value: What it comes to.
        note: A remark: "wins", "gate shut".
    """

    what: str
    numbers: str
    value: float
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the line as JSON."""
        return {
            "what": self.what,
            "numbers": self.numbers,
            "value": _json(self.value),
            "note": self.note,
        }


@dataclass(frozen=True)
class Terms:
    """A list of numbers that make one: a sum, or candidates of which one wins.

    Attributes:
        name: What they make.
        terms: Those shown.
        total: What all of them come to.
        count: How many there are in all.
        rest: What those not shown add up to; None where they are not added.
        is_sum: Whether they are added up.
    """

    name: str
    terms: tuple[Term, ...]
    total: float
    count: int
    rest: float | None = None
    is_sum: bool = True

    @property
    def omitted(self) -> int:
        """How many are not shown."""
        return self.count - len(self.terms)

    @property
    def format(self) -> Format:
        """How its numbers are written."""
        values = [term.value for term in self.terms] + [self.total]
        return Format.for_values(values if self.rest is None else [*values, self.rest])

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The lines: what, numbers, value, note; those left out and the total at the end."""
        shown = self.format
        rows = [(t.what, t.numbers, shown(t.value), t.note) for t in self.terms]
        if self.omitted:
            kind = f"smaller term{'s' * (self.omitted > 1)}" if self.is_sum else "more"
            what = f"{self.omitted:,} {kind}"
            if self.rest is None:
                rows.append((what, "", "", ""))
            else:
                rows.append((what, "", shown(self.rest), "their sum"))
        return rows

    @property
    def remark(self) -> str:
        """How it is rounded, and that the total was not added up from rounded numbers."""
        remark = self.format.remark
        if not self.format.is_exact and self.is_sum:
            remark += "; the total is that of the full numbers"
        return remark

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        return {
            "type": "terms",
            "name": self.name,
            "terms": [term.to_dict() for term in self.terms],
            "count": self.count,
            "rest": None if self.rest is None else _json(self.rest),
            "total": _json(self.total),
            "is_sum": self.is_sum,
        }


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; columns of numbers are aligned to the right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    left: frozenset[int] = field(default_factory=lambda: frozenset({0}))

    def to_dict(self) -> dict[str, Any]:
        """Return the block as JSON."""
        return {
            "type": "table",
            "header": list(self.header),
            "rows": [list(row) for row in self.rows],
            "caption": self.caption,
        }


Block: TypeAlias = Heading | Paragraph | Note | Formula | Matrix | Equation | Terms | Table


@dataclass
class Story:
    """A title and blocks, in order. Printed, it is text for a terminal of 80 columns.

    Example:
        >>> print(Story("Sum", [Paragraph("Two numbers, `a` and `b`, are added.")]))
        Sum
        ═══
        <BLANKLINE>
        Two numbers, a and b, are added.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> Story:
        """Append blocks and return the story."""
        self.blocks.extend(blocks)
        return self

    def extend(self, blocks: Iterable[Block]) -> Story:
        """Append blocks and return the story."""
        return self.add(*blocks)

    def to_dict(self) -> dict[str, Any]:
        """Return the story as JSON."""
        return {"title": self.title, "blocks": [block.to_dict() for block in self.blocks]}

    def to_text(self, width: int = 80) -> str:
        """Return the story as plain text, no line longer than `width`."""
        from pellucid.explain.narration.text import to_text

        return to_text(self, width)

    def to_markdown(self) -> str:
        """Return the story as Markdown, with formulas in LaTeX between dollars."""
        from pellucid.explain.narration.markdown import to_markdown

        return to_markdown(self)

    def to_latex(self) -> str:
        """Return the story as a LaTeX document that pdflatex compiles."""
        from pellucid.explain.narration.latex import to_latex

        return to_latex(self)

    def to_html(self) -> str:
        """Return the story as a fragment of HTML: one section, without style or script."""
        from pellucid.explain.narration.html import to_html

        return to_html(self)

    def __str__(self) -> str:
        return self.to_text()


def _part(size: int, most: int, marked: slice) -> slice:
    """Return `most` of `size` places, with the marked ones, from the first on where possible."""
    if size <= most:
        return slice(0, size)
    length = marked.stop - marked.start
    before = max(1, (most - length) // 2) if length < most else 0
    start = 0 if marked.stop <= most else min(max(marked.start - before, 0), size - most)
    return slice(start, start + most)


def _json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def spans(text: str) -> Sequence[tuple[str, bool]]:
    """Split a sentence at its backticks: pieces, and whether each is code."""
    return [(piece, bool(i % 2)) for i, piece in enumerate(text.split("`")) if piece]

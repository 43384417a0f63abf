"""Stories as Markdown; formulas in LaTeX between dollars, matrices as aligned text."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    Terms,
    spans,
)
from pellucid.explain.narration.text import matrix_lines

__all__ = ["to_markdown"]


def to_markdown(story: Story) -> str:
    """Return the story as Markdown."""
    parts = [f"# {_escaped(story.title)}", *map(_block, story.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_sentence(text)}"
        case Paragraph(text):
            return _sentence(text)
        case Note(text):
            return f"> {_sentence(text)}"
        case Formula(_, latex):
            return f"$$\n{latex}\n$$"
        case Matrix():
            said = block.remark("in brackets")
            remark = f" ({_escaped(said)})" if said else ""
            return f"`{block.name}`{remark}\n\n{_code(matrix_lines(block))}"
        case Equation(parts):
            return "\n\n".join(
                p if isinstance(p, str) else f"`{p.name}`\n\n{_code(matrix_lines(p, False))}"
                for p in parts
            )
        case Terms():
            rows = [
                (f"`{what}`" if numbers else what, numbers, value, note)
                for what, numbers, value, note in block.rows
            ]
            rows.append((f"**{block.name}**", "", f"**{block.format(block.total)}**", ""))
            table = _table(("term", "in numbers", "value", ""), rows, {0, 1, 3})
            return f"{table}\n\n{_escaped(block.remark)}" if block.remark else table
        case Table(header, rows_of_table, caption, left):
            table = _table(header, rows_of_table, left)
            return f"{table}\n\n{_sentence(caption)}" if caption else table


def _table(
    header: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    left: set[int] | frozenset[int],
) -> str:
    rule = [":--" if index in left else "--:" for index in range(len(header))]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (header, rule, *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _code(lines: list[str]) -> str:
    return "```text\n" + "\n".join(lines) + "\n```"


def _sentence(text: str) -> str:
    return "".join(f"`{piece}`" if code else _escaped(piece) for piece, code in spans(text))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>#$])", r"\\\1", text)

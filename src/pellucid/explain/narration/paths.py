"""The way from one number to another, told step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.explain.narration.blocks import Formula, Note, Paragraph, Story, Table
from pellucid.explain.narration.latex import escaped
from pellucid.explain.narration.ledgers import NOTES
from pellucid.explain.narration.numbers import number

if TYPE_CHECKING:
    from pellucid.explain.paths import Path

__all__ = ["path_story"]


def path_story(path: Path) -> Story:
    """Return the story of the strongest way from one number to another, and of the way back."""
    story = Story(f"From {path.start} to {path.end}")
    story.add(
        Paragraph(
            f"If `{path.start}` changes by a little, so does whatever reads it, and so on up to "
            f"`{path.end}`. Each step multiplies the change by its slope. There may be many ways; "
            f"this is the strongest."
        )
    )
    rows = tuple(
        (
            str(step.target),
            number(step.value, 4),
            number(step.slope, 4),
            NOTES.get(step.note, step.note),
        )
        for step in path.steps
    )
    header = ("number", "value", "slope", "")
    story.add(Table(header, rows, "rounded to 4 digits", frozenset({0, 3})))
    slopes = [number(step.slope, 4) for step in path.steps]
    plain = " × ".join(f"({s})" if s.startswith("−") else s for s in slopes)
    line = f"{plain} = {number(path.product)}"
    story.add(Formula(line, rf"\text{{{escaped(line)}}}"))
    blocked = path.blocked
    if blocked is not None:
        why = f" ({NOTES.get(blocked.note, blocked.note)})" if blocked.note else ""
        story.add(
            Paragraph(f"Nothing gets through at `{blocked.target}`{why}: its slope there is 0.")
        )
    story.add(
        Paragraph(
            f"All ways together make the gradient of `{path.end}` with respect to "
            f"`{path.start}`: {number(path.gradient)}."
        )
    )
    back = ", ".join(f"`{address}`" for address in path.backward)
    story.add(Note(f"On the way back the gradient passes {back}."))
    return story

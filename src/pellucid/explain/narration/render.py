"""A story in the format that was asked for."""

from __future__ import annotations

import json

from pellucid.errors import unknown_name
from pellucid.explain.narration.blocks import Story

__all__ = ["FORMATS", "render"]

FORMATS = ("text", "markdown", "latex", "html", "json")


def render(story: Story, form: str, width: int = 80) -> str:
    """Return the story in one of `FORMATS`, ending with a line break.

    Raises:
        NameLookupError: There is no such format.
    """
    if form == "text":
        return story.to_text(width)
    if form == "markdown":
        return story.to_markdown()
    if form == "latex":
        return story.to_latex()
    if form == "html":
        return story.to_html()
    if form == "json":
        return json.dumps(story.to_dict(), ensure_ascii=False, indent=1) + "\n"
    raise unknown_name("format", form, FORMATS)

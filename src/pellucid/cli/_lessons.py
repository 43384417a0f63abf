"""Lessons: scripts of cells, whose comments are the text and whose code is run.

# %% [markdown]
# # A title
# Text, in Markdown.

# %%
print("code")
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError, unknown_name

__all__ = ["Cell", "Lesson", "find_lesson", "lessons"]

_MARK = re.compile(r"^# %%(?P<rest>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A part of a lesson.

    Attributes:
        source: Markdown, or Python.
        is_text: Whether it is Markdown.
        line: Where in the file it begins, for error messages.
    """

    source: str
    is_text: bool
    line: int


@dataclass(frozen=True)
class Lesson:
    """A lesson's file.

    Attributes:
        path: Where it is.
    """

    path: Path

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return int(self.path.stem.partition("_")[0])

    @property
    def name(self) -> str:
        """Its name, without the number: "photo_pipeline"."""
        return self.path.stem.partition("_")[2]

    @property
    def title(self) -> str:
        """Its first heading."""
        first = next(iter(self.cells()), None)
        return first.source.splitlines()[0].lstrip("# ") if first and first.source else self.name

    def cells(self) -> Iterator[Cell]:
        """Yield its parts, in order."""
        text = self.path.read_text(encoding="utf-8")
        marks = list(_MARK.finditer(text))
        ends = [*(mark.start() for mark in marks[1:]), len(text)]
        for mark, end in zip(marks, ends, strict=True):
            body = text[mark.end() + 1 : end].rstrip("\n")
            is_text = "[markdown]" in mark["rest"]
            if is_text:
                body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
            yield Cell(body, is_text, text.count("\n", 0, mark.end() + 1) + 1)


def lessons() -> list[Lesson]:
    """Return the lessons, in order.

    Raises:
        DataError: They were not installed.
    """
    package = Path(__file__).resolve().parent.parent
    # In an installed package they lie inside it, in a copy of the repository beside the sources.
    for folder in (package / "lessons", package.parent.parent / "examples"):
        found = [Lesson(path) for path in sorted(folder.glob("[0-9][0-9]_*.py"))]
        if found:
            return found
    raise DataError(f"The lessons were not installed: there are none in {package / 'lessons'}.")


def find_lesson(request: str) -> Lesson:
    """Return a lesson by its number, its name, or a part of its name.

    Raises:
        NameLookupError: There is no such lesson, or there are several.
    """
    found = lessons()
    wanted = request.strip().lower().replace("-", "_").replace(" ", "_").removesuffix(".py")
    for lesson in found:
        if wanted in (str(lesson.number), f"{lesson.number:02}", lesson.name, lesson.path.stem):
            return lesson
    near = [lesson for lesson in found if wanted and wanted in lesson.name]
    if len(near) != 1:
        raise unknown_name("lesson", request, [lesson.name for lesson in near or found])
    return near[0]

"""`pellucid lesson`: lessons to read and run in the terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, json_option, quiet_option, shown_path
from pellucid.cli._story import tell

if TYPE_CHECKING:
    from pellucid.cli._lessons import Cell, Lesson
    from pellucid.explain.narration import Story

__all__ = ["command"]


@click.command()
@click.argument("lesson", required=False)
@click.option("--code/--no-code", default=True, show_default=True, help="Show the code that runs.")
@click.option("--step", is_flag=True, help="Wait for Enter before each part.")
@json_option
@quiet_option
def command(lesson: str | None, code: bool, step: bool) -> None:
    """List the lessons, or run one: text, code, and what comes of it.

    LESSON is a number, a name or a part of it, such as `pellucid lesson photo`. Each lesson is a
    Python script whose cells also open as a notebook.
    """
    from pellucid.cli._lessons import find_lesson, lessons

    output = Output()
    if lesson is None:
        found = lessons()
        output.data(
            [
                {"number": x.number, "name": x.name, "title": x.title, "path": str(x.path)}
                for x in found
            ]
        )
        _list(output, found)
        return
    chosen = find_lesson(lesson)
    if output.json:
        cells = [{"text" if c.is_text else "code": c.source} for c in chosen.cells()]
        output.data({"number": chosen.number, "title": chosen.title, "cells": cells})
        return
    _run(output, chosen, code, step and output.console.is_terminal)


def _list(output: Output, found: list[Lesson]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for lesson in found:
        table.add_row(str(lesson.number), lesson.name, lesson.title)
    output.result(table)
    output.say(
        f"\n`pellucid lesson 1` runs the first. They are scripts in "
        f"{shown_path(found[0].path.parent)}; their cells open as notebooks, too."
    )


def _run(output: Output, lesson: Lesson, with_code: bool, waiting: bool) -> None:
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(lesson.path)}
    for index, cell in enumerate(lesson.cells()):
        if cell.is_text:
            if waiting and index:
                click.pause("Press any key …", err=True)
            tell(_text(cell), "text", None, output)
            continue
        if with_code:
            output.result(_code(cell, output.console.is_terminal))
        # The line numbers of the file, so that an error points to the right place.
        source = "\n" * (cell.line - 1) + cell.source
        exec(compile(source, str(lesson.path), "exec"), names)
        output.result("")


def _text(cell: Cell) -> Story:
    """Return a lesson's Markdown as a story: headings, sentences, and what stands as it is."""
    from pellucid.explain.narration import Formula, Heading, Paragraph, Story

    story = Story("")
    for part in cell.source.split("\n\n"):
        stripped = part.strip("\n")
        if stripped.startswith("# "):
            story.title = stripped[2:]
        elif stripped.startswith("#"):
            story.add(Heading(stripped.lstrip("# ")))
        elif stripped.startswith(("    ", "|")):
            plain = textwrap.dedent(stripped)
            story.add(Formula(plain, plain))
        elif stripped:
            story.add(Paragraph(" ".join(stripped.replace("*", "").split())))
    return story


def _code(cell: Cell, in_colour: bool) -> Any:
    from rich.padding import Padding
    from rich.syntax import Syntax
    from rich.text import Text

    if in_colour:
        return Padding(
            Syntax(
                cell.source, "python", theme="ansi_dark", background_color="default", word_wrap=True
            ),
            (0, 0, 1, 2),
            expand=False,
        )
    return Text("".join(f"  │ {line}\n" for line in cell.source.splitlines()))

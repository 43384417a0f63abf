"""How commands tell stories: in the terminal, or in a file of another format."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pellucid.cli._output import Output, shown_path

if TYPE_CHECKING:
    from pellucid.explain.narration import Story

__all__ = ["format_option", "pair", "tell", "tell_page"]

Command = TypeVar("Command", bound=Callable[..., Any])

_FORMATS = ("text", "markdown", "latex", "html", "json")
_WIDEST = 100


def format_option(command: Command) -> Command:
    """Add `--format` to a command."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(_FORMATS),
        default="text",
        show_default=True,
        help="How to write it.",
    )(command)


def tell(story: Story, form: str, path: str | None, output: Output) -> None:
    """Print a story, or write it into a file."""
    from pellucid.explain.narration import render
    from pellucid.explain.narration.text import renderables

    if path is None and form == "text" and output.console.is_terminal:
        width = min(output.console.width, _WIDEST)
        for renderable in renderables(story, width):
            output.console.print(renderable, width=width)
    else:
        tell_page(render(story, form), path, output)


def tell_page(text: str, path: str | None, output: Output) -> None:
    """Print a text as it is, or write it into a file."""
    from pellucid.formats import atomic_write

    if path is None:
        click.echo(text)
        return
    atomic_write(path, text.encode())
    output.line(f"Written to {shown_path(path)}")


def pair(text: str, option: str) -> tuple[int, int]:
    """Return two whole numbers from "2" or "2,1": (down, right)."""
    parts = text.replace("x", ",").replace("×", ",").split(",")
    numbers = [int(part) for part in parts if part.strip().isdecimal()]
    if len(numbers) != len(parts) or len(numbers) not in (1, 2):
        raise click.BadParameter(
            f"expected a whole number, or two with a comma between, received {text!r}.",
            param_hint=option,
        )
    return numbers[0], numbers[-1]

"""What commands say, and where: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Output", "harmless", "json_option", "quiet_option", "report_failure"]

Command = TypeVar("Command", bound=Callable[..., Any])

_INTERVAL = 0.1
"""Seconds between two updates of a line that changes."""

_QUIET, _JSON = "pellucid.quiet", "pellucid.json"


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta[key] = ctx.meta.get(key, False) or value

    return callback


def quiet_option(command: Command) -> Command:
    """Add `--quiet` to a command."""
    return click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_remember(_QUIET),
        help="Say nothing but results and errors.",
    )(command)


def json_option(command: Command) -> Command:
    """Add `--json` to a command."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_remember(_JSON),
        help="Print the result as JSON.",
    )(command)


def console(stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup in numbers, no emoji in names."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, emoji=False)


def report_failure(message: str) -> None:
    """Print one clear message, in red where there are colours."""
    from rich.text import Text

    console(stderr=True).print(Text(harmless(message), style="bold red"), soft_wrap=True)


def harmless(text: str) -> str:
    """Return a text that may come from a file without what a terminal would take for orders."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


class Output:
    """How the command that is running talks, as --quiet and --json ask."""

    def __init__(self) -> None:
        meta = click.get_current_context().meta
        self.json: bool = meta.get(_JSON, False)
        self.quiet: bool = self.json or meta.get(_QUIET, False)
        self.console = console()
        self.errors = console(stderr=True)

    def say(self, *renderables: Any) -> None:
        """Print something that is good to know; nothing if quiet."""
        if not self.quiet:
            self.console.print(*renderables)

    def line(self, text: str, style: str | None = None) -> None:
        """Print a line of plain text that is good to know; its brackets are no markup."""
        if not self.quiet:
            self.console.print(text, style=style, markup=False, soft_wrap=True)

    def result(self, shown: RenderableType) -> None:
        """Print what the command was asked for, unless that is printed as JSON.

        Lines of text are not broken: a script that reads them finds a result on one line.
        """
        from rich.text import Text

        if not self.json:
            self.console.print(shown, markup=False, soft_wrap=isinstance(shown, str | Text))

    def data(self, value: Any) -> None:
        """Print what the command was asked for as JSON, if that was wanted."""
        if self.json:
            click.echo(json.dumps(value, indent=2, ensure_ascii=False))

    def note(self, text: str) -> None:
        """Print a remark on standard error; nothing if quiet."""
        if not self.quiet:
            self.errors.print(text, style="dim", markup=False, soft_wrap=True)

    def failure(self, message: str) -> None:
        """Print an error and go on."""
        report_failure(message)

    def progress(self) -> Any:
        """Return the callback that shows training's progress."""
        from pellucid.callbacks import ProgbarLogger

        return ProgbarLogger(0 if self.quiet else "auto", console=self.console)

    def counter(self, what: str) -> Callable[[int, int], None]:
        """Return a function (done, of) that shows how far something is, in a terminal."""
        shown = not self.quiet and self.errors.is_terminal and not self.errors.is_dumb_terminal

        last = 0.0

        def count(done: int, of: int) -> None:
            nonlocal last
            now = time.monotonic()
            if shown and (done == of or now - last > _INTERVAL):
                last = now
                text = "" if done == of else f"{what} {done:,} of {of:,}"
                self.errors.print(f"{text:<60}", end="\r", markup=False)

        return count


def shown_path(path: str | os.PathLike[str]) -> str:
    """Return a path as one would type it: relative where it is below the working folder."""
    text = os.fspath(path)
    relative = os.path.relpath(text)
    return text if relative.startswith("..") else relative

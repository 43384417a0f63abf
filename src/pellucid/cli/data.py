"""`pellucid data`: looking at data."""

from __future__ import annotations

import click

from pellucid.cli._output import Output, json_option, quiet_option

__all__ = ["command"]


@click.group()
def command() -> None:
    """Look at data before a model does."""


@command.command()
@click.argument("path")
@click.option("--target", help="For a table: the column to learn; its classes are counted.")
@json_option
@quiet_option
def check(path: str, target: str | None) -> int:
    """Report what is in a data set, and what is wrong with it.

    PATH is a folder of pictures, one picture, a CSV, NPZ or IDX file, or the name of a known data
    set. The exit code is 1 if nothing can be trained on it as it is.
    """
    from pellucid import data

    out = Output()
    report = data.check(path, target=target, progress=out.counter("looked at"))
    out.data(report.to_dict())
    if not out.json:
        report.render(out.console)
    return 0 if report.ok else 1

"""The command line: one file for each command.

This package and its command files import nothing heavy at the top, so that `pellucid --help` is
quick; a command imports what it needs when it runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from pellucid import __version__
from pellucid.cli._output import quiet_option, report_failure
from pellucid.errors import PellucidError

__all__ = ["main"]

COMMANDS = (
    "tour",
    "lesson",
    "train",
    "evaluate",
    "predict",
    "explain",
    "summary",
    "inspect",
    "plan",
    "export",
    "filters",
    "features",
    "convolve",
    "data",
)

INTERRUPTED = 130


class _Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which one would use them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"pellucid.cli.{cmd_name}").command
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="`pellucid COMMAND --help` says more. Begin with `pellucid tour`.",
)
@click.version_option(__version__, message="pellucid %(version)s")
@quiet_option
def _cli() -> None:
    """Convolutional neural networks that you can see all the way through."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 failed, 2 misused, 130 interrupted.

    Args:
        arguments: What stands after `pellucid`; by default what the process was called with.
    """
    try:
        result = _cli.main(arguments, prog_name="pellucid", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        report_failure("Interrupted.")
        return INTERRUPTED
    except PellucidError as error:
        report_failure(str(error))
        return 1
    except BrokenPipeError:
        # Whoever read our output (`| head`) has left: say nothing, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        report_failure(f"{place}{error.strerror or error}.")
        return 1
    return result if isinstance(result, int) else 0

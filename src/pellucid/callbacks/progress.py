"""What is seen of training while it runs.

In a terminal one live line, and a row of a table for each epoch done; where output goes to a file
or a pipe the rows alone, without control characters; in a notebook one output that is updated.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pellucid.callbacks._callback import Callback, Logs
from pellucid.errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["ProgbarLogger"]

_INTERVAL = 0.1
"""Seconds between two updates of the live line."""


class ProgbarLogger(Callback):
    """Shows loss, metrics, samples per second and the time left. `fit` adds one by itself.

    Args:
        verbose: 0 for nothing, 1 for a live line where there is a terminal or notebook to show it,
            2 for rows only, "auto" for 1.
        console: Where to; standard output by default.

    Raises:
        ArgumentError: `verbose` is none of these.
    """

    def __init__(self, verbose: int | str = "auto", console: Console | None = None) -> None:
        if verbose not in (0, 1, 2, "auto"):
            raise ArgumentError(f"Expected verbose as 0, 1, 2 or 'auto', received {verbose!r}.")
        self.verbose = verbose
        self._console = console
        self._screen: _Screen | None = None
        self._training = False
        self._columns: list[str] | None = None

    def close(self) -> None:
        """Remove the live line, if there is one: what is printed next begins on a line of its own.

        Training that ends by itself does this; who catches an interruption may have to.
        """
        if self._screen is not None:
            self._screen.live(None)

    # Training.

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a table."""
        self._training = True
        self._columns = None
        self._screen = self._open()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._epoch = epoch
        self._done = 0
        self._begun = self._shown = self._now = time.perf_counter()
        self._trained = 0.0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Note where the epoch began: a resumed one does not begin with batch 0."""
        if not self._done:
            self._first = batch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Show how far the epoch is."""
        self._done = batch + 1 - self._first
        self._now = time.perf_counter()
        self._trained = self._now - self._begun
        self._update(f"epoch {self._label()}", batch + 1, self._steps(), logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the epoch's row."""
        known = {name: _number(value) for name, value in (logs or {}).items()}
        known |= {"time": _duration(time.perf_counter() - self._begun), self._unit(): self._rate()}
        if self._screen is None:
            return
        if self._columns is None:
            self._columns = list(known)
            self._screen.line(self._row("epoch", {name: name for name in known}), header=True)
        self._screen.line(self._row(self._label(), known))

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the live line."""
        self.close()
        self._training = False

    # Evaluating and predicting.

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start the clock, unless this is a validation in the course of training."""
        if not self._training:
            self._screen = self._open()
            self._begun = time.perf_counter()
        self._shown = time.perf_counter()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Show how far it is."""
        self._now = time.perf_counter()
        if self._training:
            self._update(f"epoch {self._label()}, validating", batch + 1, None, logs or {})
        else:
            self._done, self._first, self._trained = batch + 1, 0, self._now - self._begun
            self._update("evaluating", batch + 1, self._steps(), logs or {})

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Say what came of it."""
        if not self._training and self._screen is not None:
            results = "  ".join(f"{name} {_number(value)}" for name, value in (logs or {}).items())
            self._screen.line(f"{results}  ({_duration(time.perf_counter() - self._begun)})")

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._screen = self._open()
        self._begun = self._shown = time.perf_counter()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Show how far it is."""
        self._now = time.perf_counter()
        self._done, self._first, self._trained = batch + 1, 0, self._now - self._begun
        self._update("predicting", batch + 1, self._steps(), {})

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Remove the live line."""
        self.close()

    # Words and numbers.

    def _open(self) -> _Screen | None:
        if self.verbose == 0:
            return None
        handle = _notebook() if self._console is None and self.verbose != 2 else None
        if handle is not None:
            return _Cell(handle)
        from rich.console import Console

        console = self._console or Console(highlight=False, emoji=False)
        live = console.is_terminal and not console.is_dumb_terminal and self.verbose != 2
        return _Terminal(console, live)

    def _label(self) -> str:
        return f"{self._epoch + 1}/{(self.params or {}).get('epochs', '?')}"

    def _steps(self) -> int | None:
        steps: int | None = (self.params or {}).get("steps")
        return steps

    def _unit(self) -> str:
        return "samples/s" if self._batch_size() else "batches/s"

    def _batch_size(self) -> int | None:
        size: int | None = (self.params or {}).get("batch_size")
        return size

    def _rate(self) -> str:
        if not self._trained:
            return ""
        rate = self._done / self._trained * (self._batch_size() or 1)
        return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"

    def _row(self, label: str, values: Mapping[str, str]) -> str:
        widths = [max(8, len(name)) for name in self._columns or ()]
        cells = [
            f"{values.get(name, ''):>{width}}"
            for name, width in zip(self._columns or (), widths, strict=True)
        ]
        width = max(5, 2 * len(str((self.params or {}).get("epochs", ""))) + 1)
        return "  ".join([f"{label:<{width}}", *cells])

    def _update(self, what: str, done: int, steps: int | None, logs: Logs) -> None:
        if self._screen is None or self._now - self._shown < _INTERVAL:
            return
        self._shown = self._now
        parts = [f"{name} {_number(value)}" for name, value in logs.items()]
        if steps:
            parts.append(f"{self._rate()} {self._unit()}")
            parts.append(f"{_duration(self._trained / self._done * (steps - done))} left")
        self._screen.live(what, done / steps if steps else None, "  ".join(parts))


class _Screen(Protocol):
    """Something that shows rows, and one line that changes."""

    def line(self, text: str, header: bool = False) -> None:
        """Show a row for good."""

    def live(self, what: str | None, share: float | None = None, text: str = "") -> None:
        """Show the live line, or remove it (None)."""


class _Terminal:
    """A terminal, or a file or pipe, which gets no live line."""

    def __init__(self, console: Console, live: bool) -> None:
        self._console = console
        self._live = live
        self._length = 0

    def line(self, text: str, header: bool = False) -> None:
        self.live(None)
        self._console.print(
            text, style="bold" if header else None, markup=False, highlight=False, soft_wrap=True
        )

    def live(self, what: str | None, share: float | None = None, text: str = "") -> None:
        if not self._live:
            return
        from rich.text import Text

        # One column stays free: a full line would move the cursor to the next one.
        room = self._console.width - 1
        shown = Text() if what is None else _live_text(what, share, text, room)
        length = shown.cell_len
        shown.append(" " * max(0, min(self._length, room) - length))
        self._length = length
        if shown.plain:
            self._console.print(shown, end="\r", no_wrap=True, highlight=False, soft_wrap=True)


def _live_text(what: str, share: float | None, text: str, room: int) -> Text:
    from rich.text import Text

    shown = Text(f"{what}  ")
    bar = min(30, room - len(shown) - len(text) - 2)
    if share is not None and bar >= 5:
        filled = round(share * bar)
        shown.append("━" * filled, style="cyan")
        shown.append("─" * (bar - filled), style="dim")
        shown.append("  ")
    shown.append(text)
    shown.truncate(room, overflow="ellipsis")
    return shown


class _Cell:
    """The output of a notebook's cell."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._rows: list[str] = []
        self._shown = False

    def line(self, text: str, header: bool = False) -> None:
        self._rows.append(text)
        self._show("")

    def live(self, what: str | None, share: float | None = None, text: str = "") -> None:
        percent = "" if share is None else f"  {share:.0%}"
        self._show("" if what is None else f"{what}{percent}  {text}")

    def _show(self, live: str) -> None:
        content = {"text/plain": "\n".join([*self._rows, live]).rstrip()}
        (self._handle.update if self._shown else self._handle.display)(content, raw=True)
        self._shown = True


def _notebook() -> Any:
    """Return a display handle if this is a notebook's kernel, else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import DisplayHandle

    return DisplayHandle()


def _number(value: Any) -> str:
    """Return a loss or metric with four decimals, or in powers of ten where those say little."""
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return str(number)
    if number and not 1e-3 <= abs(number) < 1e5:
        return f"{number:.2e}"
    return f"{number:.4f}"


def _duration(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"

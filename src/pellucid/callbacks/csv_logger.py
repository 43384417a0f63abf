"""A table of the epochs, as a file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from pellucid.callbacks._callback import Callback, Logs

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Writes a line for each epoch: its number, from 0, and all that its logs say.

    The file is complete after every epoch. The first epoch's names, in alphabetical order, are
    the columns; a value that an epoch does not have is written as NA.

    Args:
        filename: The file.
        separator: What stands between two values.
        append: Whether to go on writing at the end of the file, with its columns, if it exists.
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin the file, or read the columns of the one to be gone on with."""
        self._columns = None
        if self.append and self.filename.exists():
            with self.filename.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file, delimiter=self.separator), None)
        else:
            self.filename.parent.mkdir(parents=True, exist_ok=True)
            self.filename.write_text("", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's line."""
        known = logs or {}
        rows = []
        if self._columns is None:
            names = sorted(known)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names]  # validation may come in later epochs
            self._columns = ["epoch", *names]
            rows.append(self._columns)
        rows.append([{"epoch": epoch, **known}.get(name, "NA") for name in self._columns])
        # Opened anew each time: an interrupted training leaves no file open and none unwritten.
        with self.filename.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.separator).writerows(rows)

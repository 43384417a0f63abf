"""A run: one training, in a folder of its own, from which it can be gone on with.

    model.keras     the model, its optimiser's state and its preprocessing
    history.csv     loss and metrics, epoch by epoch
    run.json        the exact command, versions, settings, and what came of it
    confusion.csv, mistakes.csv, and pictures

The model is saved after every epoch, and on an interruption after the batch. Randomness depends on
the seed and on counters alone, so a run that is resumed gives the bits it would have given.
"""

from __future__ import annotations

import csv
import json
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import __version__, random
from pellucid.callbacks import Callback
from pellucid.cli._assessment import write_csv
from pellucid.errors import ArgumentError, LoadError
from pellucid.formats import atomic_write
from pellucid.models import Model

__all__ = ["Interrupted", "Recorder", "Run", "Settings"]

Row = dict[str, float]
Counts = dict[str, list[float]]
"""Of each averaged metric, the sum and the number of what was counted."""


class Interrupted(Exception):  # noqa: N818  it is no error, and must not be caught as one
    """Training was asked to stop, and stopped after a batch."""


@dataclass
class Settings:
    """What a training run was asked for."""

    data: str
    model: str
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float | None
    seed: int
    validation: float | None
    augment: list[str]
    limit: int | None
    target: str | None
    task: str | None
    ignore: list[str]
    image_size: list[int] | None
    color_mode: str | None
    skip_unreadable: bool


class Run:
    """The folder of one training run, and what is written in it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.rows: list[Row] = []
        self.record: dict[str, Any] = {}

    @property
    def model_path(self) -> Path:
        """Where the model is saved."""
        return self.folder / "model.keras"

    @classmethod
    def create(cls, folder: str | None, settings: Settings) -> Run:
        """Begin a run in a new folder: the one named, or the next free one in runs/.

        Raises:
            ArgumentError: There is something in the folder already.
        """
        if folder is None:
            stem = Path(settings.data).stem or "data"
            numbers = (n for n in range(1, 1_000_000) if not Path("runs", f"{stem}-{n}").exists())
            place = Path("runs", f"{stem}-{next(numbers)}")
        else:
            place = Path(folder)
            if place.exists() and (not place.is_dir() or any(place.iterdir())):
                raise ArgumentError(
                    f"{folder} is there already and not empty. Choose another --out, or go on "
                    f"with that run: pellucid train --resume {shlex.quote(folder)}"
                )
        run = cls(place, settings)
        place.mkdir(parents=True, exist_ok=True)
        return run

    @classmethod
    def reopen(cls, folder: str) -> Run:
        """Return a run that was begun earlier.

        Raises:
            LoadError: The folder holds no run, or its record is broken.
        """
        place = Path(folder)
        try:
            record = json.loads((place / "run.json").read_text(encoding="utf-8"))
            known = {field.name for field in fields(Settings)}
            settings = Settings(**{k: v for k, v in record["settings"].items() if k in known})
            with (place / "history.csv").open(newline="", encoding="utf-8") as file:
                rows = [
                    {name: float(value) for name, value in row.items() if value}
                    for row in csv.DictReader(file)
                ]
        except FileNotFoundError as error:
            missing = Path(error.filename or "run.json").name
            raise LoadError(f"{folder} holds no run to go on with: no {missing}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LoadError(f"{folder}: the run's record is broken ({error}).") from error
        run = cls(place, settings)
        run.rows, run.record = rows, record
        return run

    def begin(self, model: Model, steps: int) -> None:
        """Write down how the run was started."""
        self.record |= {
            "state": "running",
            "command": _command(),
            "settings": asdict(self.settings),
            "versions": {
                "pellucid": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "platform": platform.platform(),
            },
            "started": _now(),
            "steps_per_epoch": steps,
            "parameters": model.count_params(),
            "random": random.get_state(),
            "partial": None,
        }
        self.write_record()
        if not self.rows:
            write_csv(self.folder / "history.csv", [["epoch"]])
        model.save(self.model_path)

    def resume(self, model: Model, steps: int) -> tuple[int, int]:
        """Return where to go on: the epoch, and how many of its batches are done.

        Raises:
            LoadError: The data is no longer what the run was begun with.
        """
        if steps != self.record.get("steps_per_epoch"):
            raise LoadError(
                f"{self.folder}: the run has {self.record.get('steps_per_epoch')} batches in an "
                f"epoch, the data now makes {steps}: it has changed, so the run cannot go on."
            )
        random.set_state(self.record["random"])
        done = int(model.optimizer.iterations)
        if (self.record.get("partial") or {}).get("iterations") != done:
            self.record["partial"] = None
        resumed = {"command": _command(), "at": _now()}
        self.record["resumed"] = [*self.record.get("resumed", []), resumed]
        self.record |= {"state": "running", "settings": asdict(self.settings)}
        self.write_record()
        self.rows = self.rows[: done // steps]
        return len(self.rows), done - len(self.rows) * steps

    def add_epoch(self, epoch: int, logs: Mapping[str, Any], seconds: float) -> None:
        """Write an epoch's row."""
        row = {"epoch": float(epoch + 1)} | {name: float(value) for name, value in logs.items()}
        self.rows.append(row | {"seconds": round(seconds, 3)})
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        lines = [[_cell(name, row.get(name)) for name in names] for row in self.rows]
        write_csv(self.folder / "history.csv", [names, *lines])

    def history(self) -> dict[str, list[float]]:
        """Return {name: [value, …]}, epoch by epoch."""
        names = list(self.rows[0]) if self.rows else []
        return {
            name: [row.get(name, float("nan")) for row in self.rows]
            for name in names
            if name not in ("epoch", "seconds")
        }

    def finish(self, state: str, **results: Any) -> None:
        """Write down how the run ended."""
        self.record |= {"state": state, "ended": _now(), **results}
        self.write_record()

    def write_record(self) -> None:
        """Write run.json."""
        text = json.dumps(self.record, indent=2, ensure_ascii=False)
        atomic_write(self.folder / "run.json", f"{text}\n".encode())


class Recorder(Callback):
    """Saves the run after every epoch, and stops it after a batch when that is asked for.

    Args:
        run: The run.
        resume_at: The epoch and the batches of it already done, for a run that is gone on with.
    """

    def __init__(self, run: Run, resume_at: tuple[int, int] | None = None) -> None:
        self.run = run
        self.resume_at = resume_at
        self.stop = False
        partial = run.record.get("partial") if resume_at is not None else None
        self._before: Counts = dict(partial["metrics"]) if partial else {}
        self._counted: Counts = dict(self._before)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        del epoch, logs
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Add what was counted before the interruption; stop, if that is asked for."""
        del batch, logs
        averaged = [metric for metric in self.model.metrics if hasattr(metric, "total")]
        for metric in averaged if self._before else ():
            total, count = self._before.get(metric.name, (0.0, 0.0))
            metric.total += total
            metric.count += count
        self._before = {}
        self._counted = {metric.name: [metric.total, metric.count] for metric in averaged}
        self._stop_if_asked()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop in the middle of a validation, if that is asked for."""
        del batch, logs
        self._stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the epoch's row and the model."""
        known = {} if logs is None else logs
        # Where the interruption came after the last batch, no batch has counted anything since.
        known.update({name: total / count for name, (total, count) in self._before.items()})
        self._before, self._counted = {}, {}
        self.run.add_epoch(epoch, known, time.perf_counter() - self._begun)
        self.model.save(self.run.model_path)

    def _stop_if_asked(self) -> None:
        if self.stop:
            raise Interrupted

    def save_interrupted(self) -> None:
        """Save the run as it is, in the middle of an epoch."""
        iterations = int(self.model.optimizer.iterations)
        self.run.record["partial"] = {"iterations": iterations, "metrics": self._counted}
        self.run.finish("interrupted")
        self.model.save(self.run.model_path)


def _cell(name: str, value: float | None) -> Any:
    if value is None:
        return ""
    return int(value) if name == "epoch" else repr(value)


def _command() -> str:
    return shlex.join(["pellucid", *sys.argv[1:]])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

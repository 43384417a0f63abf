"""Watching one number of the logs for whether it gets better."""

from __future__ import annotations

import math
import warnings
from typing import Any

from pellucid.callbacks._callback import Callback, Logs
from pellucid.errors import ArgumentError

__all__ = ["Monitor"]


class Monitor(Callback):
    """A callback that watches one number.

    Args:
        monitor: Its name in the logs: "val_loss", "accuracy" …
        mode: 'min' if less is better, 'max' if more is, 'auto' to tell by the name and the metric.
        min_delta: A change of no more than this is no improvement.
    """

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(
                f"{type(self).__name__}: mode must be 'auto', 'min' or 'max', received {mode!r}."
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)

    def value(self, logs: Logs | None) -> float | None:
        """Return the number watched; warn and return None if the logs do not have it."""
        known = logs or {}
        if self.monitor not in known:
            hint = " Is there validation data?" if self.monitor.startswith("val_") else ""
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not among what is "
                f"known after this epoch: {', '.join(known)}.{hint}",
                stacklevel=2,
            )
            return None
        return float(known[self.monitor])

    def improves(self, value: float, best: float | None) -> bool:
        """Return whether `value` is better than `best` by more than min_delta."""
        if math.isnan(value):
            return False
        if best is None:
            return True
        if self._more_is_better():
            return value - self.min_delta > best
        return value + self.min_delta < best

    def _more_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return False
        metrics: list[Any] = list(getattr(self.model, "metrics", ()))
        for metric in metrics:
            own = metric.name == name or name.endswith(f"_{metric.name}")
            if own and metric.direction is not None:
                return bool(metric.direction == "up")
        raise ArgumentError(
            f"{type(self).__name__}: it cannot be told whether more or less of {self.monitor!r} "
            "is better. Give mode='max' or mode='min'."
        )

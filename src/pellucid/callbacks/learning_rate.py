"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable

from pellucid.callbacks._callback import Callback, Logs
from pellucid.callbacks._monitor import Monitor
from pellucid.errors import ArgumentError, TypeMismatchError

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a number has stopped getting better.

    Args:
        monitor: The number's name in the logs.
        factor: What the rate is multiplied by, less than 1.
        patience: How many epochs without improvement are put up with.
        verbose: 1 to say when the rate is lowered.
        mode: 'min', 'max', or 'auto': told by the name.
        min_delta: A change of no more than this is no improvement.
        cooldown: How many epochs to wait after lowering the rate, before looking again.
        min_lr: The rate that is not gone below.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 0.0001,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 < factor < 1:
            raise ArgumentError(
                f"ReduceLROnPlateau: expected a factor between 0 and 1, received {factor}."
            )
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget earlier training."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the epoch with the best; put the learning rate into the logs."""
        rate = float(self.model.optimizer.learning_rate)
        if logs is not None:
            logs["learning_rate"] = rate
        current = self.value(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                lower = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = lower
                self.cooldown_counter = self.cooldown
                self.wait = 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: the learning rate is lowered to {lower:g}.")


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: A function (epoch, rate) → rate, or epoch → rate; epochs are counted from 0.
        verbose: 1 to say what the rate is set to.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate; TypeMismatchError if the function does not return a number."""
        arguments = (epoch, float(self.model.optimizer.learning_rate))
        rate = self.schedule(*arguments[: 2 if _takes_two(self.schedule) else 1])
        if not isinstance(rate, numbers.Real):
            raise TypeMismatchError(
                f"LearningRateScheduler: expected the schedule to return a number, "
                f"received {rate!r}."
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is set to {float(rate):g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Put the learning rate into the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(function: Callable[..., float]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    return True

"""Callbacks that end training."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pellucid.callbacks._callback import Callback, Logs
from pellucid.callbacks._monitor import Monitor
from pellucid.errors import NonFiniteError

__all__ = ["EarlyStopping", "TerminateOnNaN"]


class EarlyStopping(Monitor):
    """Ends training when a number has stopped getting better.

    Args:
        monitor: The number's name in the logs.
        min_delta: A change of no more than this is no improvement.
        patience: How many epochs without improvement are put up with.
        verbose: 1 to say when training ends early.
        mode: 'min', 'max', or 'auto': told by the name.
        baseline: A value that has to be improved on for waiting to begin anew.
        restore_best_weights: Whether the model has the best epoch's weights in the end, however
            training ended.
        start_from_epoch: The first epoch, counted from 0, that is looked at.

    Attributes:
        best: The best value.
        best_epoch: Its epoch, counted from 0.
        stopped_epoch: The epoch after which training was ended; 0 if it was not.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._begin()

    def _begin(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget earlier training."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the epoch with the best."""
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if self.improves(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.improves(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the model its best weights, if that was asked for."""
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Ends training quietly when the loss is NaN or infinite.

    Without it such a loss is a NonFiniteError. Either way the weights stay as they were before.

    Args:
        raise_error: Whether to raise NonFiniteError instead.
    """

    handles_non_finite: ClassVar[bool] = True

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise NonFiniteError(f"The loss became {loss} in batch {batch}.")
        print(f"Batch {batch}: the loss is {loss}; training ends")
        self.model.stop_training = True

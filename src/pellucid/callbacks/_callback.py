"""The base of all callbacks, the list that calls them, and the two simplest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pellucid.errors import ArgumentError, TypeMismatchError

__all__ = ["Callback", "CallbackList", "History", "LambdaCallback", "Logs"]

Logs = dict[str, Any]


class Callback:
    """Hooks that training calls; each does nothing unless a subclass defines it.

    `logs` holds the loss and the metrics so far, by name; after an epoch also those of the
    validation data, with "val_" before the name. What a callback adds to an epoch's logs, the
    callbacks after it and the History see.

    Attributes:
        model: The model. Setting `model.stop_training = True` ends training after the batch.
        params: How training was called: "epochs", "steps", "verbose".
        handles_non_finite: Whether the callback deals with a loss that is not finite, which
            otherwise is an error. The weights are never changed by such a loss.
        resume_at: Where training has to begin: (epoch, batches of it already done), or None.
    """

    model: Any = None
    params: Logs | None = None
    handles_non_finite: ClassVar[bool] = False
    resume_at: tuple[int, int] | None = None

    def set_params(self, params: Logs) -> None:
        """Remember how training was called."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Remember the model."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Do something before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Do something after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something before an epoch; the first is number 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something after an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a training batch: another name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a training batch: another name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a training batch; the epoch's first is number 0."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a training batch."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Do something before evaluation or validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Do something after evaluation or validation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch of evaluation or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch of evaluation or validation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Do something before prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Do something after prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch of prediction."""


class CallbackList(Callback):
    """Calls every callback of a list, in order.

    Args:
        callbacks: A callback, or an iterable of them, or None.
        add_history: Whether to add a `History`, if there is none yet.
        add_progress: What is shown of the progress: `fit`'s `verbose`. 0 adds nothing.
        model: The model.
        **params: How training was called.
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Callback] | None = None,
        add_history: bool = False,
        add_progress: Any = 0,
        model: Any = None,
        **params: Any,
    ) -> None:
        given = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        for callback in given:
            if not isinstance(callback, Callback):
                hint = " Did you leave out the parentheses?" if isinstance(callback, type) else ""
                raise TypeMismatchError(
                    f"Expected callbacks to be made of Callback, received {callback!r}.{hint}"
                )
        self.callbacks = given
        if add_history and not any(isinstance(c, History) for c in given):
            self.callbacks.append(History())
        if add_progress:
            from pellucid.callbacks.progress import ProgbarLogger

            if not any(isinstance(c, ProgbarLogger) for c in given):
                self.callbacks.append(ProgbarLogger(add_progress))
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def first_epoch(self, initial_epoch: int) -> int:
        """Return the epoch to begin with: `initial_epoch`, unless a callback resumes training."""
        return self._resumed()[0] if self._resumed() else initial_epoch

    def batches_done(self, epoch: int) -> int:
        """Return how many batches of an epoch were already trained on before it was resumed."""
        resumed = self._resumed()
        return resumed[1] if resumed and resumed[0] == epoch else 0

    def _resumed(self) -> tuple[int, ...]:
        return next((c.resume_at for c in self.callbacks if c.resume_at is not None), ())

    @property
    def handles_non_finite(self) -> bool:  # type: ignore[override]  # a list has that of its parts
        """Whether one of the callbacks deals with a loss that is not finite."""
        return any(callback.handles_non_finite for callback in self.callbacks)

    @property
    def watches_batches(self) -> bool:
        """Whether one of the callbacks does something before or after a training batch."""
        return any(True for _ in self._batch_hooks())

    @property
    def changes_between_batches(self) -> bool:
        """Whether one of the callbacks may change the model, or a seed, between two batches.

        Those of this package look, save and stop; what others do cannot be known.
        """
        homes = [str(getattr(hook, "__module__", "")) for hook in self._batch_hooks()]
        return not all(home.startswith("pellucid.") for home in homes)

    def _batch_hooks(self) -> Iterator[Any]:
        """Yield what is called before and after a training batch, and does something."""
        names = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        for callback in self.callbacks:
            for name in names:
                hook = getattr(callback, name)
                if getattr(hook, "__func__", None) is not getattr(Callback, name):
                    yield hook

    def set_params(self, params: Logs) -> None:
        """Tell every callback how training was called."""
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tell every callback the model."""
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call every callback before the first epoch."""
        self._each(lambda c, known: c.on_train_begin(known), logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call every callback after the last epoch."""
        self._each(lambda c, known: c.on_train_end(known), logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call every callback before an epoch."""
        self._each(lambda c, known: c.on_epoch_begin(epoch, known), logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call every callback after an epoch."""
        self._each(lambda c, known: c.on_epoch_end(epoch, known), logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback before a training batch."""
        self._each(lambda c, known: c.on_train_batch_begin(batch, known), logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback after a training batch."""
        self._each(lambda c, known: c.on_train_batch_end(batch, known), logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call every callback before evaluation."""
        self._each(lambda c, known: c.on_test_begin(known), logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call every callback after evaluation."""
        self._each(lambda c, known: c.on_test_end(known), logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback before a batch of evaluation."""
        self._each(lambda c, known: c.on_test_batch_begin(batch, known), logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback after a batch of evaluation."""
        self._each(lambda c, known: c.on_test_batch_end(batch, known), logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call every callback before prediction."""
        self._each(lambda c, known: c.on_predict_begin(known), logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call every callback after prediction."""
        self._each(lambda c, known: c.on_predict_end(known), logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback before a batch of prediction."""
        self._each(lambda c, known: c.on_predict_batch_begin(batch, known), logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback after a batch of prediction."""
        self._each(lambda c, known: c.on_predict_batch_end(batch, known), logs)

    def _each(self, call: Callable[[Callback, Logs], None], logs: Logs | None) -> None:
        known = {} if logs is None else logs
        for callback in self.callbacks:
            call(callback, known)


class History(Callback):
    """Keeps what every epoch's logs said; `fit` returns one.

    Attributes:
        history: For each name the values, epoch by epoch.
        epoch: The epochs' numbers.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def set_model(self, model: Any) -> None:
        """Become the model's history."""
        super().set_model(model)
        model.history = self

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a new list of epochs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback of functions, given by the hooks' names.

    Example:
        >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> callback.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for hook, function in hooks.items():
            if not (hook.startswith("on_") and hasattr(Callback, hook)):
                known = [name for name in dir(Callback) if name.startswith("on_")]
                raise ArgumentError(
                    f"LambdaCallback: there is no hook {hook!r}; there are {', '.join(known)}."
                )
            if function is not None:
                setattr(self, hook, function)

"""Callbacks that save the model as training goes on."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

from pellucid import random
from pellucid.callbacks._callback import Callback, Logs
from pellucid.callbacks._monitor import Monitor
from pellucid.errors import ArgumentError, NotBuiltError

__all__ = ["BackupAndRestore", "ModelCheckpoint"]


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, every epoch or every so many batches.

    A file is replaced only once the new one is complete.

    Args:
        filepath: Where to; `{epoch}`, counted from 1, `{batch}` and the logs' names are filled in:
            "{epoch:02d}-{val_loss:.2f}.keras". It ends in .keras, or .weights.h5 for weights.
        monitor: The number that says which epoch is best.
        verbose: 1 to say when the model is saved.
        save_best_only: Whether to save only when that number has improved.
        save_weights_only: Whether to save the weights alone.
        mode: 'min', 'max', or 'auto': told by the name.
        save_freq: 'epoch', or after how many batches.
        initial_value_threshold: The best value before the first epoch, if there is one.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = _frequency(save_freq)
        self.best = initial_value_threshold
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not self.filepath.endswith(ending):
            raise ArgumentError(
                f"ModelCheckpoint: expected a filepath that ends in {ending}, received "
                f"{self.filepath!r}."
            )
        self._epoch = 0
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        if self.save_freq == "epoch":
            self._save(logs or {})

    def _save(self, logs: Logs) -> None:
        path = self._path(logs)
        if self.save_best_only and not self._is_best(logs):
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {self._epoch + 1}: saved the model to {path}")

    def _is_best(self, logs: Logs) -> bool:
        if self.monitor not in logs:
            warnings.warn(
                f"ModelCheckpoint: the best model cannot be told without {self.monitor!r}, which "
                f"is not among {', '.join(logs)}; the model is saved all the same.",
                stacklevel=2,
            )
            return True
        current = float(logs[self.monitor])
        if not self.improves(current, self.best):
            return False
        self.best = current
        return True

    def _path(self, logs: Logs) -> str:
        try:
            return self.filepath.format(**{"epoch": self._epoch + 1, **logs})
        except (KeyError, IndexError, ValueError) as error:
            raise ArgumentError(
                f"ModelCheckpoint: {self.filepath!r} cannot be filled in ({error}); known are "
                f"epoch, {', '.join(logs)}."
            ) from error


_BACKUP = re.compile(r"epoch-(\d+)\.batch-(\d+)\.seed-(\d+)\.count-(\d+)\.weights\.h5")


class BackupAndRestore(Callback):
    """Lets training that was interrupted go on from where it was, to the bit.

    Weights, the optimiser's state and the counters are kept in one file in `backup_dir`, the
    counters in its name, so that they cannot come apart. When `fit` is called again after an
    interruption, it goes on from there; after training has ended the file is deleted. Randomness
    depends on the seed and the counters alone, so shuffling and dropout go on likewise. (Other
    callbacks begin anew.)

    Args:
        backup_dir: The folder, which belongs to this training alone.
        save_freq: 'epoch', or after how many batches.
        double_checkpoint: Accepted for Keras' sake: the last file is always kept until the next
            is complete.
        delete_checkpoint: Whether to delete the file in the end.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise ArgumentError("BackupAndRestore: expected the path of a folder, received ''.")
        self.backup_dir = Path(backup_dir)
        self.save_freq = _frequency(save_freq)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._epoch = 0
        self._batches = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore the last backup, if there is one."""
        self.resume_at = None
        self._batches = 0
        if not self.model.built:
            raise NotBuiltError("BackupAndRestore: the model has to be built before it is trained.")
        backups = self._backups()
        if not backups:
            return
        (epoch, batch), state, path = backups[-1]
        self.model.load_weights(path)
        random.set_state(state)
        self.resume_at = (epoch, batch)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if it is time."""
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save."""
        self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete the backup, and the folder if nothing else is in it."""
        self.resume_at = None
        if not self.delete_checkpoint:
            return
        for *_, path in self._backups():
            path.unlink()
        if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
            self.backup_dir.rmdir()

    def _save(self, epoch: int, batch: int) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        seed, count = (random.get_state()[key] for key in ("seed", "count"))
        name = f"epoch-{epoch}.batch-{batch}.seed-{seed}.count-{count}.weights.h5"
        earlier = [path for *_, path in self._backups() if path.name != name]
        self.model.save_weights(self.backup_dir / name)
        for path in earlier:
            path.unlink()

    def _backups(self) -> list[tuple[tuple[int, int], dict[str, int], Path]]:
        """Return where each backup was made, the state of randomness then, and its file."""
        found: list[tuple[tuple[int, int], dict[str, int], Path]] = []
        for path in self.backup_dir.glob("*.weights.h5"):
            match = _BACKUP.fullmatch(path.name)
            if match:
                epoch, batch, seed, count = map(int, match.groups())
                found.append(((epoch, batch), {"seed": seed, "count": count}, path))
        return sorted(found, key=lambda backup: backup[0])


def _frequency(save_freq: Any) -> str | int:
    whole = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
    if save_freq != "epoch" and not whole:
        raise ArgumentError(
            f"Expected save_freq to be 'epoch' or a number of batches, received {save_freq!r}."
        )
    return "epoch" if save_freq == "epoch" else int(save_freq)

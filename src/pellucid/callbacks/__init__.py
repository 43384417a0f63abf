"""Callbacks: what is done beside training, at the beginning and end of epochs and batches.

`model.fit(…, callbacks=[EarlyStopping(patience=3), CSVLogger("log.csv")])`. To write one, derive
from `Callback` and define the hooks wanted; `self.model` is the model.
"""

from pellucid.callbacks._callback import Callback, CallbackList, History, LambdaCallback
from pellucid.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
from pellucid.callbacks.csv_logger import CSVLogger
from pellucid.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from pellucid.callbacks.progress import ProgbarLogger
from pellucid.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

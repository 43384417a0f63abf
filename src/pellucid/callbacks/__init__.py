"""Callbacks: what is done beside training, at the beginning and end of epochs and batches.

`model.fit(…, callbacks=[EarlyStopping(patience=3), CSVLogger("log.csv")])`. To write one, derive
from `Callback` and define the hooks wanted; `self.model` is the model.
"""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.callbacks._callback import Callback as Callback
    from pellucid.callbacks._callback import CallbackList as CallbackList
    from pellucid.callbacks._callback import History as History
    from pellucid.callbacks._callback import LambdaCallback as LambdaCallback
    from pellucid.callbacks.checkpoints import BackupAndRestore as BackupAndRestore
    from pellucid.callbacks.checkpoints import ModelCheckpoint as ModelCheckpoint
    from pellucid.callbacks.csv_logger import CSVLogger as CSVLogger
    from pellucid.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
    from pellucid.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
    from pellucid.callbacks.progress import ProgbarLogger as ProgbarLogger
    from pellucid.callbacks.stopping import EarlyStopping as EarlyStopping
    from pellucid.callbacks.stopping import TerminateOnNaN as TerminateOnNaN

load_on_use(
    __name__,
    {
        "pellucid.callbacks._callback": "Callback CallbackList History LambdaCallback",
        "pellucid.callbacks.checkpoints": "BackupAndRestore ModelCheckpoint",
        "pellucid.callbacks.csv_logger": "CSVLogger",
        "pellucid.callbacks.learning_rate": "LearningRateScheduler ReduceLROnPlateau",
        "pellucid.callbacks.progress": "ProgbarLogger",
        "pellucid.callbacks.stopping": "EarlyStopping TerminateOnNaN",
    },
)

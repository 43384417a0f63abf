"""Pellucid: a convolutional neural network library that you can see all the way through.

The names are Keras': `import pellucid as keras` runs code written for Keras 3, and
`import pellucid as tf` code that says `tf.keras.…`. Nothing is loaded before it is used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid import activations as activations
    from pellucid import backend as backend
    from pellucid import callbacks as callbacks
    from pellucid import constraints as constraints
    from pellucid import data as data
    from pellucid import datasets as datasets
    from pellucid import errors as errors
    from pellucid import initializers as initializers
    from pellucid import layers as layers
    from pellucid import losses as losses
    from pellucid import metrics as metrics
    from pellucid import models as models
    from pellucid import ops as ops
    from pellucid import optimizers as optimizers
    from pellucid import plots as plots
    from pellucid import regularizers as regularizers
    from pellucid import saving as saving
    from pellucid import sklearn as sklearn
    from pellucid import testing as testing
    from pellucid import utils as utils
    from pellucid.explain.trace import explain as explain
    from pellucid.formats import load_model as load_model
    from pellucid.formats import load_weights as load_weights
    from pellucid.layers import Input as Input
    from pellucid.models import Model as Model
    from pellucid.models import Sequential as Sequential

__version__ = "0.1.0"

load_on_use(
    __name__,
    {
        "pellucid": """
            activations backend callbacks constraints data datasets errors explain initializers
            layers losses metrics models ops optimizers plots regularizers saving sklearn testing
            utils
        """,
        "pellucid.formats": "load_model load_weights",
        "pellucid.layers": "Input",
        "pellucid.models": "Model Sequential",
    },
    own="keras",
)

keras = sys.modules[__name__]


class _KerasAlias:
    """Makes `import pellucid.keras.layers` give `pellucid.layers` itself, not a second copy."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Claim `pellucid.keras` and everything below it."""
        del path, target
        if f"{fullname}.".startswith("pellucid.keras."):
            # The base class of loaders is in importlib.abc, which is slow to import.
            return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # has a loader's methods
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module of the same name without `keras`."""
        module = importlib.import_module(spec.name.replace(".keras", "", 1))
        self._true_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own specification back: it was executed under its own name."""
        module.__spec__ = self._true_spec


sys.meta_path.insert(0, _KerasAlias())

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

if TYPE_CHECKING:
    from pellucid import (
        activations,
        backend,
        callbacks,
        constraints,
        data,
        datasets,
        errors,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        plots,
        regularizers,
        saving,
        sklearn,
        testing,
        utils,
    )
    from pellucid.explain.trace import explain
    from pellucid.formats import load_model, load_weights
    from pellucid.layers import Input
    from pellucid.models import Model, Sequential

__version__ = "0.1.0"

_MODULES = (
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "data",
    "datasets",
    "errors",
    "explain",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plots",
    "regularizers",
    "saving",
    "sklearn",
    "testing",
    "utils",
)
_NAMES = {
    "Input": "pellucid.layers",
    "Model": "pellucid.models",
    "Sequential": "pellucid.models",
    "load_model": "pellucid.formats",
    "load_weights": "pellucid.formats",
}

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "data",
    "datasets",
    "errors",
    "explain",
    "initializers",
    "keras",
    "layers",
    "load_model",
    "load_weights",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plots",
    "regularizers",
    "saving",
    "sklearn",
    "testing",
    "utils",
]

keras = sys.modules[__name__]


class _KerasAlias:
    """Makes `import pellucid.keras.layers` give `pellucid.layers` itself, not a second copy."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Claim `pellucid.keras` and everything below it."""
        del path, target
        if f"{fullname}.".startswith("pellucid.keras."):
            # It is a loader by its methods: the base class is in importlib.abc, slow to import.
            return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # see above
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


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"pellucid.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_NAMES])

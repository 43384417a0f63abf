"""The optimisers by name: the closed list that a configuration, or `compile`, may name."""

from __future__ import annotations

from pellucid._registry import Registry
from pellucid.optimizers._optimizer import Optimizer

__all__ = ["deserialize", "get", "serialize"]

_CLASSES = ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "RMSprop", "SGD")
_REGISTRY: Registry[Optimizer] = Registry(
    "optimizer", "keras.optimizers", Optimizer, _CLASSES, {name.lower(): name for name in _CLASSES}
)


def get(identifier: object) -> Optimizer:
    """Return the optimiser meant by a name in any case ("adam"), a configuration or an instance.

    Raises:
        NameLookupError: no optimiser has that name.
        TypeMismatchError: it is none of these.
    """
    if isinstance(identifier, str) and identifier.lower() in _REGISTRY:
        identifier = identifier.lower()
    return _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize

"""Optimisers: how gradients change weights. The formulas and their details are Keras 3's."""

from pellucid._registry import Registry
from pellucid.optimizers import schedules
from pellucid.optimizers._optimizer import Optimizer
from pellucid.optimizers.adadelta import Adadelta
from pellucid.optimizers.adagrad import Adagrad
from pellucid.optimizers.adam import Adam, AdamW
from pellucid.optimizers.adamax import Adamax
from pellucid.optimizers.lion import Lion
from pellucid.optimizers.nadam import Nadam
from pellucid.optimizers.rmsprop import RMSprop
from pellucid.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

_CLASSES: list[type[Optimizer]] = [
    SGD,
    RMSprop,
    Adam,
    AdamW,
    Nadam,
    Adamax,
    Adagrad,
    Adadelta,
    Lion,
]
_REGISTRY: Registry[Optimizer] = Registry(
    "optimizer",
    "keras.optimizers",
    Optimizer,
    _CLASSES,
    {cls.__name__.lower(): cls for cls in _CLASSES},
)


def get(identifier: object) -> Optimizer:
    """Return the optimiser meant by a name in any case ("adam"), a configuration or an instance.

    Raises:
        NameLookupError: no optimiser has that name.
        TypeMismatchError: it is none of these.
    """
    if isinstance(identifier, str) and identifier.lower() in _REGISTRY.classes:
        identifier = identifier.lower()
    return _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize

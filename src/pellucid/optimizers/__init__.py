"""Optimisers: how gradients change weights. The formulas and their details are Keras 3's."""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.optimizers import schedules as schedules
    from pellucid.optimizers._optimizer import Optimizer as Optimizer
    from pellucid.optimizers._registry import deserialize as deserialize
    from pellucid.optimizers._registry import get as get
    from pellucid.optimizers._registry import serialize as serialize
    from pellucid.optimizers.adadelta import Adadelta as Adadelta
    from pellucid.optimizers.adagrad import Adagrad as Adagrad
    from pellucid.optimizers.adam import Adam as Adam
    from pellucid.optimizers.adam import AdamW as AdamW
    from pellucid.optimizers.adamax import Adamax as Adamax
    from pellucid.optimizers.lion import Lion as Lion
    from pellucid.optimizers.nadam import Nadam as Nadam
    from pellucid.optimizers.rmsprop import RMSprop as RMSprop
    from pellucid.optimizers.sgd import SGD as SGD

load_on_use(
    __name__,
    {
        "pellucid.optimizers": "schedules",
        "pellucid.optimizers._optimizer": "Optimizer",
        "pellucid.optimizers._registry": "deserialize get serialize",
        "pellucid.optimizers.adadelta": "Adadelta",
        "pellucid.optimizers.adagrad": "Adagrad",
        "pellucid.optimizers.adam": "Adam AdamW",
        "pellucid.optimizers.adamax": "Adamax",
        "pellucid.optimizers.lion": "Lion",
        "pellucid.optimizers.nadam": "Nadam",
        "pellucid.optimizers.rmsprop": "RMSprop",
        "pellucid.optimizers.sgd": "SGD",
    },
)

"""The layers by name: the closed list that a configuration may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid._registry import Registry
from pellucid.layers import (
    _operation,
    activations,
    adapted_normalization,
    convolution,
    core,
    input,
    merging,
    noise,
    normalization,
    one_dimensional,
    pooling,
    preprocessing,
    random_transforms,
    reshaping,
)
from pellucid.layers._layer import Layer

__all__ = ["deserialize", "register"]

_MODULES = (
    _operation,
    activations,
    adapted_normalization,
    convolution,
    core,
    input,
    merging,
    noise,
    normalization,
    one_dimensional,
    pooling,
    preprocessing,
    random_transforms,
    reshaping,
)
_PUBLIC = {name: getattr(module, name) for module in _MODULES for name in module.__all__}
_CLASSES = {name: value for name, value in _PUBLIC.items() if isinstance(value, type)}

_REGISTRY: Registry[Layer] = Registry(
    "layer",
    "keras.layers",
    Layer,
    [cls for name, cls in _CLASSES.items() if name == cls.__name__],
    {name: cls for name, cls in _CLASSES.items() if name != cls.__name__},
)


def register(name: str, cls: type[Layer]) -> None:
    """Add a class that is defined above the layers, as models are, under Keras' name."""
    _REGISTRY.classes[name] = cls


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, type[Layer]] | None = None
) -> Layer:
    """Return the layer, with new weights, that `serialize`, here or in Keras, wrote down.

    Nothing is imported and no code is run because of what the dictionary says.

    Args:
        config: {"class_name": "Conv2D", "config": {…}}; other keys are ignored.
        custom_objects: Layers of your own, by name.

    Raises:
        NameLookupError: No layer has that name.
        ArgumentError: The configuration is not one of such a layer.

    >>> deserialize({"class_name": "Dense", "config": {"units": 3}}).units
    3
    """
    return _REGISTRY.deserialize(config, custom_objects)

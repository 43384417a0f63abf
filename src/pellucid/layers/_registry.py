"""The layers by name: the closed list that a configuration may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid import layers
from pellucid._lazy import names_of
from pellucid._registry import Registry
from pellucid.layers._layer import Layer

__all__ = ["deserialize", "register"]

_ALIASES = {
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "SeparableConvolution2D": "SeparableConv2D",
}
_REGISTRY: Registry[Layer] = Registry(
    "layer",
    "keras.layers",
    Layer,
    {name for name in names_of(layers) if name[0].isupper()} - {"Input", "Layer", *_ALIASES},
    _ALIASES,
)


def register(name: str, cls: type[Layer]) -> None:
    """Add a class that is defined above the layers, as models are, under Keras' name."""
    _REGISTRY.add(name, cls)


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, type[Layer]] | None = None
) -> Layer:
    """Return the layer, with new weights, that `serialize`, here or in Keras, wrote down.

    The dictionary's names are looked up in a closed list of the layers here, and in
    `custom_objects`: nothing else is imported and no code is run because of what it says.

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

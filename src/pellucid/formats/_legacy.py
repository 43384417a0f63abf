"""Legacy `.h5` files: whole models and weights as Keras 2 saved them, and Keras 3 still can.

    /  model_config, training_config              JSON, in a file of a whole model
    /model_weights (or / itself)  layer_names     the layers, in order
    /model_weights/conv2d  weight_names           the arrays of a layer, in order
    /optimizer_weights  weight_names              the optimiser's state

A list that is longer than an HDF5 attribute can be is cut: layer_names0, layer_names1, …
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.errors import LoadError
from pellucid.formats._archive import parse_json
from pellucid.formats._hdf5 import Contents
from pellucid.formats._placing import Placed, fitting
from pellucid.graph import Variable
from pellucid.layers._layer import Layer
from pellucid.models import Model
from pellucid.ops._operation import Array

__all__ = ["ATTRIBUTES", "is_legacy", "json_text", "optimizer_state", "placed", "saved_layers"]

_MODEL, _OPTIMIZER = "model_weights", "optimizer_weights"

_NAMES = {
    "iter": "iteration",
    "iteration": "iteration",
    "learning_rate": "learning_rate",
    "average": "average",
    "average_gradient": "average_gradient",
    "m": "momentum",
    "mg": "average_gradient",
    "momentum": "momentum",
    "rms": "velocity",
    "v": "velocity",
    "velocity": "velocity",
    "velocity_hat": "velocity_hat",
    "vhat": "velocity_hat",
}
"""What the versions of Keras call an optimiser's variables, and what they are called here."""


class _Attributes:
    """The names of the attributes that a legacy file keeps what it knows in."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(
            re.fullmatch(r"(layer|weight)_names\d*|(model|training)_config|keras_version", name)
        )


ATTRIBUTES = _Attributes()


def is_legacy(contents: Contents) -> bool:
    """Return whether an HDF5 file is a legacy one: those of Keras 3 have no lists of names."""
    return _MODEL in contents.texts or any(
        name.startswith("layer_names") or name == "model_config"
        for name in contents.texts.get("", {})
    )


def json_text(contents: Contents, name: str, where: str) -> Any:
    """Return the value of an attribute that holds JSON; None if the file has none of that name."""
    text = contents.texts.get("", {}).get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise LoadError(f"{where}: {name} is a list of texts; expected one.")
    return parse_json(text.encode(), f"{where}: {name}")


# Weights.


def placed(
    model: Model, contents: Contents, where: str, by_name: bool, skip_mismatch: bool
) -> list[Placed]:
    """Return which array of the file goes into which weight of the model.

    Layers are paired in order; by name if `by_name`, and then those without a partner are left out.

    Raises:
        LoadError: The layers, or the weights of one, are not as many as the model's, or a weight
            has another shape; the last two are warnings if `skip_mismatch`.
    """
    saved = saved_layers(contents, where)
    if by_name:
        known = {layer.name: layer for layer in model.layers}
        pairs = [(known[name], name, paths) for name, paths in saved.items() if name in known]
    else:
        held = {name: paths for name, paths in saved.items() if paths}
        own = [layer for layer in model.layers if layer.weights]
        if len(held) != len(own):
            raise LoadError(
                f"{where} holds the weights of {len(held)} layers ({_some(held)}), but "
                f"{model.name!r} has {len(own)} layers with weights "
                f"({_some(layer.name for layer in own)}). Is it the file of another model? "
                "by_name=True loads the layers whose names agree."
            )
        pairs = [(layer, *item) for layer, item in zip(own, held.items(), strict=True)]
    made: list[Placed] = []
    for layer, name, paths in pairs:
        weights = _in_legacy_order(layer)
        if len(paths) != len(weights):
            problem = (
                f"{where}: layer {name!r} holds {len(paths)} weights; {layer.name} has "
                f"{len(weights)}."
            )
            if not skip_mismatch:
                raise LoadError(problem)
            warnings.warn(f"{problem} The layer is left as it was.", stacklevel=4)
            continue
        for path, variable in zip(paths, weights, strict=True):
            array = fitting(contents.arrays[path], variable, path, where, skip_mismatch)
            if array is not None:
                made.append(Placed(path, variable, array))
    return made


def saved_layers(contents: Contents, where: str) -> dict[str, list[str]]:
    """Return the paths of each saved layer's arrays, by the layer's name, in the file's order."""
    group = _MODEL if _MODEL in contents.texts else ""
    names = _list(contents, group, "layer_names", where)
    layers = {}
    for name in names:
        inside = f"{group}/{name}" if group else name
        layers[name] = _arrays_of(contents, inside, where)
    if len(layers) != len(names):
        raise LoadError(f"{where} lists a layer twice among its layer_names.")
    return layers


def _arrays_of(contents: Contents, group: str, where: str) -> list[str]:
    paths = [f"{group}/{name}" for name in _list(contents, group, "weight_names", where)]
    if missing := [path for path in paths if path not in contents.arrays]:
        raise LoadError(f"{where} lists weights that it does not hold: {_some(missing)}.")
    return paths


def _list(contents: Contents, group: str, name: str, where: str) -> list[str]:
    """Return a list of texts, which may be cut into several attributes."""
    texts = contents.texts.get(group, {})
    whole = texts.get(name)
    if whole is None:
        chunks = [texts[f"{name}{i}"] for i in range(len(texts)) if f"{name}{i}" in texts]
        whole = [item for chunk in chunks for item in chunk]
        if not chunks:
            raise LoadError(f"{where}: '{group or '/'}' has no list of {name}.")
    if not isinstance(whole, list):
        raise LoadError(f"{where}: {name} of '{group or '/'}' is not a list.")
    return whole


def _in_legacy_order(layer: Layer) -> list[Variable]:
    """Return the weights in the order of legacy files: also in a model, the trained ones first."""
    return layer.trainable_weights + layer.non_trainable_weights


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")


# The optimiser's state.


def optimizer_state(model: Model, contents: Contents, where: str) -> list[Array]:
    """Return the optimiser's variables in its own order; [] where the file has none.

    Warns:
        UserWarning: What the file has does not fit, as when it is of another optimiser; training
            then goes on with a fresh one, as in Keras.
    """
    if model.optimizer is None or not contents.texts.get(_OPTIMIZER):
        return []
    found: dict[str, list[Array]] = {}
    for path in _arrays_of(contents, _OPTIMIZER, where):
        found.setdefault(_kind(path), []).append(contents.arrays[path])
    state = list(_picked(model.optimizer.variables, found))
    if any(found.values()) or not all(_usable(value, own) for value, own in state):
        warnings.warn(
            f"{where}: its optimiser's state does not fit {model.optimizer.name}, which starts "
            "afresh.",
            stacklevel=4,
        )
        return []
    return [own if value is None else value for value, own in state]


def _kind(path: str) -> str:
    """Return what an optimiser's variable is for, from what a version of Keras calls it.

    Keras 3: adam/dense_kernel_velocity; 2.11 and later: Adam/v/dense/kernel:0; before:
    Adam/dense/kernel/v:0.
    """
    words = path.removesuffix(":0").split("/")[1:]
    known = [_NAMES[word] for word in (words[-1], *words[:2]) if word in _NAMES]
    return known[0] if known else _suffix(words[-1])


def _suffix(name: str) -> str:
    """Return what one of Keras 3's variables is for; its name says that at the end."""
    ends = [slot for slot in _NAMES.values() if f"_{name}".endswith(f"_{slot}")]
    return max(ends, key=len, default=name)


def _picked(
    variables: list[tuple[str, Array]], found: Mapping[str, list[Array]]
) -> Iterator[tuple[Array | None, Array]]:
    """Yield the value for each of the optimiser's variables, and its own; None to keep that."""
    for name, own in variables:
        waiting = found.get(_suffix(name), [])
        yield (waiting.pop(0) if waiting else None), own


def _usable(value: Array | None, own: Array) -> bool:
    if value is None:  # before Keras 3 the rate was no variable: it stands in the configuration
        return np.ndim(own) == 0
    return value.shape == np.shape(own) and bool(np.isfinite(value).all())

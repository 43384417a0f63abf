"""Where Keras 3 keeps each weight of a model inside an HDF5 file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.errors import LoadError
from pellucid.formats._placing import Placed, fitting
from pellucid.graph import Variable
from pellucid.layers._layer import Layer
from pellucid.layers._names import snake_case
from pellucid.models import Model, Sequential
from pellucid.ops._operation import Array

__all__ = ["by_place", "collect", "names", "placed"]

# Written by some versions of Keras beside the weights, and not needed here: the state of random
# generators (here: counters) and of metrics (which every epoch begins anew).
_IGNORED = re.compile(r"(.*/)?(seed_generator|random_generator|_metrics|metrics\w*)/(.*/)?vars/\d+")


def collect(model: Model) -> dict[str, Array]:
    """Return every weight and optimiser variable by its path in the file."""
    arrays = {
        f"{group}/vars/{index}": variable.value
        for group, layer in _groups(model)
        for index, variable in enumerate(_own_weights(layer))
    }
    if model.optimizer is not None:
        for index, (_, value) in enumerate(model.optimizer.variables):
            arrays[f"optimizer/vars/{index}"] = value
    return arrays


def by_place(model: Model) -> dict[str, Variable]:
    """Return the weights by readable names that do not depend on those of the layers."""
    return {
        f"{group.replace('layers/', '')}/{variable.name}": variable
        for group, layer in _groups(model)
        for variable in _own_weights(layer)
    }


def names(model: Model) -> dict[str, dict[str, str]]:
    """Return the name that Keras writes as an attribute beside each layer's weights."""
    named = {f"{group}/vars": {"name": layer.name} for group, layer in _groups(model)}
    named["vars"] = {"name": model.name}
    if model.optimizer is not None:
        named["optimizer/vars"] = {"name": model.optimizer.name}
    return named


def placed(
    model: Model, arrays: Mapping[str, Array], where: str, skip_mismatch: bool = False
) -> tuple[list[Placed], list[Array]]:
    """Return which array goes into which weight of a model, and its optimiser's state.

    The state is [] where there is none to restore.

    Raises:
        LoadError: A weight is missing, has another shape, or belongs to no layer of the model; if
            `skip_mismatch`, that is a warning, and the layer concerned is left out.
    """
    remaining = dict(arrays)
    made: list[Placed] = []
    for group, layer in _groups(model):
        weights = {f"{group}/vars/{i}": variable for i, variable in enumerate(_own_weights(layer))}
        try:
            made += _of_layer(weights, remaining, where)
        except LoadError as error:
            if not skip_mismatch:
                raise
            warnings.warn(f"{error} {layer.name} is left as it was.", stacklevel=4)
        for path in weights:
            remaining.pop(path, None)
    state = _optimizer_state(model, remaining, where)
    extra = sorted(path for path in remaining if not _IGNORED.fullmatch(path))
    if extra and not skip_mismatch:
        raise LoadError(
            f"{where} holds {len(extra)} weights that no layer of {model.name!r} has: "
            f"{', '.join(extra[:5])}{' …' if len(extra) > 5 else ''}. "
            "Is it the file of another model?"
        )
    return made, state


def _of_layer(
    weights: Mapping[str, Variable], arrays: Mapping[str, Array], where: str
) -> list[Placed]:
    made = []
    for path, variable in weights.items():
        if path not in arrays:
            raise LoadError(f"{where} has no weight '{path}', which is {variable.path}.")
        array = fitting(arrays[path], variable, path, where)
        if array is not None:
            made.append(Placed(path, variable, array))
    return made


def _groups(model: Model) -> Iterator[tuple[str, Layer]]:
    """Return every layer once, with its group in the file, in the order in which Keras saves.

    A group is called after the layer's class, not its name: the second convolution of a model is
    `layers/conv2d_1`, whatever it is called.
    """
    seen: set[int] = set()
    stack: list[tuple[str, Layer]] = [("", model)]
    while stack:
        group, layer = stack.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if group:
            yield group, layer
        if isinstance(layer, Model):
            inside = f"{group}/layers" if group else "layers"
            stack += reversed(list(zip(_numbered(layer, inside), layer.layers, strict=True)))
        else:
            stack += [(f"{group}/activation", inner) for inner in layer.sublayers]


def _numbered(model: Model, inside: str) -> list[str]:
    counts: dict[str, int] = {}
    groups = []
    for layer in model.layers:
        name = snake_case(_keras_class(layer))
        counts[name] = count = counts.get(name, -1) + 1
        groups.append(f"{inside}/{name}_{count}" if count else f"{inside}/{name}")
    return groups


def _keras_class(layer: Layer) -> str:
    if isinstance(layer, Model):
        return "Sequential" if isinstance(layer, Sequential) else "Functional"
    return type(layer).__name__


def _own_weights(layer: Layer) -> list[Variable]:
    """Return the weights of a layer itself, without those of layers inside."""
    inside = {id(variable) for inner in layer.sublayers for variable in inner.weights}
    return [variable for variable in layer.weights if id(variable) not in inside]


def _optimizer_state(model: Model, remaining: dict[str, Array], where: str) -> list[Array]:
    """Take the optimiser's variables out of what remains; [] where there is nothing to restore."""
    found = {path for path in remaining if re.fullmatch(r"optimizer/vars/\d+", path)}
    state = [remaining.pop(f"optimizer/vars/{index}", None) for index in range(len(found))]
    for path in found:
        remaining.pop(path, None)
    if model.optimizer is None or not found:
        return []
    expected = model.optimizer.variables
    if len(state) == len(expected) - 1 > 1 and expected[1][0] == "learning_rate":
        state.insert(1, expected[1][1])  # before Keras 3 the rate was no variable
    # A model saved before its first step may have been saved without the slots.
    if len(state) < len(expected) and all(value is not None and value.ndim == 0 for value in state):
        expected = expected[: len(state)]
    for index, (value, (name, own)) in enumerate(zip(state, expected, strict=False)):
        if value is None or value.shape != np.shape(own) or value.dtype.kind not in "fiu":
            held = "nothing" if value is None else f"{value.dtype.name} of shape {value.shape}"
            raise LoadError(
                f"{where}: 'optimizer/vars/{index}' is {held}; "
                f"the optimiser's {name} needs shape {np.shape(own)}."
            )
    if len(state) != len(expected):
        raise LoadError(
            f"{where} holds {len(found)} optimiser variables; "
            f"{model.optimizer.name} has {len(expected)}."
        )
    values: list[Any] = [value for value in state if value is not None]
    if values[0].dtype.kind not in "iu" or not all(np.isfinite(value).all() for value in values):
        raise LoadError(
            f"{where}: the optimiser's state is not usable: its step is {values[0]}, or a number "
            "in it is NaN or infinite."
        )
    return values + [own for _, own in model.optimizer.variables[len(values) :]]

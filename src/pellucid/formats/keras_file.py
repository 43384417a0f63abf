"""Keras' files: written so that Keras 3 opens them, read without trusting them.

A `.keras` file is a zip file of four members:

    metadata.json       who wrote it, and when
    config.json         the layers, how they are connected, and how the model was compiled
    model.weights.h5    the weights and the optimiser's state (HDF5)
    pellucid.json       what Keras has no place for: preprocessing, counters. Keras ignores it.

A `.weights.h5` file is the third of them alone. Legacy `.h5` files, of Keras 2 and 3, and
`.keras` files of Keras 2 are read as well (see `_legacy` and `_keras2`), and not written.

Reading a file runs no code of the file's, imports no module that it names, writes nothing and opens
nothing else. What it may name is a closed list (see `_schema`), and what it may make the reader
allocate is bounded by its own size. Whatever is wrong with it is one `LoadError`.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import ArgumentError, LoadError, NotBuiltError
from pellucid.formats import _legacy, _weights
from pellucid.formats._archive import parse_json, read_archive, read_file, write_archive
from pellucid.formats._atomic import atomic_write
from pellucid.formats._hdf5 import SIGNATURE, Contents, read_arrays, read_contents, write_arrays
from pellucid.formats._keras2 import modern_compile_config, modern_model
from pellucid.formats._kind import kind_of, require_model
from pellucid.formats._placing import WeightTable, put
from pellucid.formats._schema import checked_compile_config, checked_model, known_layers
from pellucid.layers._layer import Layer
from pellucid.layers._unfilled import unfilled
from pellucid.models import Model, Sequential
from pellucid.ops._operation import Array

__all__ = [
    "assign_weights",
    "load_model",
    "require_built",
    "save_model",
    "target",
    "weights_file",
]

Path_ = str | os.PathLike[str]

_KERAS_VERSION = "3.15.1"
"""The version of Keras whose format is written here."""

_METADATA, _CONFIG, _WEIGHTS, _OWN = (
    "metadata.json",
    "config.json",
    "model.weights.h5",
    "pellucid.json",
)
_OWN_VERSION = 1

_WITHOUT_COMPILING = " Pass compile=False to load the model without its optimiser."


def save_model(model: Model, filepath: Path_, overwrite: bool = True) -> None:
    """Save architecture, weights, optimiser state and preprocessing as a `.keras` file.

    The file opens in Keras 3. It is written whole or not at all: until the new one is safely on the
    disk, an earlier file of that name stays as it is.

    Raises:
        ArgumentError: the name does not end in `.keras`, the file is there and `overwrite` is
            False, or a layer is of a class that a file cannot name.
        OSError: the file cannot be written.
    """
    path = target(filepath, (".keras",), overwrite)
    _require_known_layers(model)
    config = _entry(model)
    config["compile_config"] = model.get_compile_config()
    metadata = {
        "keras_version": _KERAS_VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    own = {"version": _OWN_VERSION, "preprocessing": model.preprocessing}
    members = {
        _METADATA: _json(metadata, "The metadata"),
        _CONFIG: _json(config, f"The configuration of {model.name}"),
        _WEIGHTS: weights_file(model),
        _OWN: _json(own, f"The preprocessing of {model.name}"),
    }
    atomic_write(path, write_archive(members))


def load_model(
    filepath: Path_,
    compile: bool = True,
    *,
    external_data: Path_ | None = None,
    input_shape: Any = None,
) -> Model:
    """Return the model in a file: `.keras`, a legacy `.h5` of Keras, or `.onnx`.

    Legacy files of Keras 2 and of Keras 3 are known by what they hold, not by their names. An ONNX
    file becomes a model of ordinary layers with its channels last, whatever its own layout is.

    Args:
        filepath: the file.
        compile: whether to restore the optimiser, its state, the loss and the metrics, so that
            training can go on. ONNX files have none of these.
        external_data: for ONNX files whose weights lie in other files: the folder that these may
            be read from. No file outside it is opened, and without it none at all.
        input_shape: for ONNX files that leave the shape of their input open: one input's, channels
            last; a dict by name if there are several inputs.

    Raises:
        LoadError: the file is broken, is not a model, or holds a layer, an option or anything else
            that is not known here. Nothing in a file is ever executed, and no other file is opened.
        MissingPackageError: it is an ONNX file, and onnx is not installed.

    Warns:
        UserWarning: some weights are NaN or infinite; or the optimiser's state in a legacy file
            does not fit the optimiser, which then starts afresh.
    """
    where = str(filepath)
    if where.lower().endswith(".onnx"):
        from pellucid.formats.onnx import load_onnx

        return load_onnx(filepath, external_data, input_shape)
    data = read_file(filepath)
    if data.startswith(SIGNATURE):
        return _legacy_model(read_contents(data, where, _legacy.ATTRIBUTES), compile, where)
    require_model(kind_of(data), where)
    members = _members(data, where)
    for name in (_CONFIG, _WEIGHTS):
        if name not in members:
            raise LoadError(f"{where} has no {name}: it is not a .keras file, or a part of one.")
    arrays = read_arrays(members[_WEIGHTS], f"{where}: {_WEIGHTS}")
    config = parse_json(members[_CONFIG], f"{where}: {_CONFIG}")
    own = _own_part(members, where)
    with _as_load_error(where):
        if _is_of_keras_2(members, where):
            compiled = modern_compile_config(config.get("compile_config"))
            config = modern_model(config) | {"compile_config": compiled}
        model = _made(config, _size(arrays), where)
    if compile:
        _compile(model, config.get("compile_config"), where)
    with _as_load_error(where):
        placed, state = _weights.placed(model, arrays, where)
        put(placed, where)
        if state:
            model.optimizer.set_variables(state)
    model.preprocessing = own.get("preprocessing")
    return model


def _legacy_model(contents: Contents, compile: bool, where: str) -> Model:
    config = _legacy.json_text(contents, "model_config", where)
    if config is None:
        raise LoadError(
            f"{where} holds weights, but not the model that they are of. Make the model, and call "
            "its load_weights."
        )
    with _as_load_error(where):
        model = _made(modern_model(config), _size(contents.arrays), where)
        placed = _legacy.placed(model, contents, where, by_name=False, skip_mismatch=False)
    if compile:
        training = _legacy.json_text(contents, "training_config", where)
        with _as_load_error(where, _WITHOUT_COMPILING):
            arguments = modern_compile_config(training)
        _compile(model, arguments, where)
    with _as_load_error(where):
        put(placed, where)
        if state := _legacy.optimizer_state(model, contents, where):
            model.optimizer.set_variables(state)
    return model


def assign_weights(
    model: Model, data: bytes, where: str, skip_mismatch: bool, by_name: bool
) -> WeightTable:
    """Set a model's weights, and its optimiser's state, from the bytes of a file of Keras'."""
    if not data.startswith(SIGNATURE):
        members = _members(data, where)
        if _WEIGHTS not in members:
            raise LoadError(f"{where} has no {_WEIGHTS}: it is no file of weights.")
        data, where = members[_WEIGHTS], f"{where}: {_WEIGHTS}"
    contents = read_contents(data, where, _legacy.ATTRIBUTES)
    if _legacy.is_legacy(contents):
        placed = _legacy.placed(model, contents, where, by_name, skip_mismatch)
        state: list[Array] = []
    elif by_name:
        raise ArgumentError(
            f"{where} knows its layers by their places in the model, not by their names: by_name "
            "is for legacy .h5 files."
        )
    else:
        placed, state = _weights.placed(model, contents.arrays, where, skip_mismatch)
    put(placed, where)
    if state:
        model.optimizer.set_variables(state)
    return WeightTable(placed)


def weights_file(model: Model) -> bytes:
    """Return a `.weights.h5` file of a model's weights and its optimiser's state."""
    return write_arrays(_weights.collect(model), _weights.names(model))


def _compile(model: Model, config: Any, where: str) -> None:
    with _as_load_error(where, _WITHOUT_COMPILING):
        arguments = checked_compile_config(config, where)
        if arguments:
            model.compile_from_config(arguments)


def _size(arrays: dict[str, Array]) -> int:
    """Return how many numbers a file holds."""
    return sum(array.size for array in arrays.values())


@contextlib.contextmanager
def _as_load_error(where: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a hostile configuration may fail in any way
        text = str(error) or type(error).__name__
        text = text if text.startswith(where) else f"{where}: {text}"
        raise LoadError(f"{text}{hint}") from error


def _made(config: Any, numbers: int, where: str) -> Model:
    """Return the model that a configuration describes, its weights all zero."""
    checked = checked_model(config, where)
    cls = Sequential if checked["class_name"] == "Sequential" else Model
    with unfilled(numbers):
        return cls.from_config(checked["config"])


def _members(data: bytes, where: str) -> dict[str, bytes]:
    return read_archive(data, (_METADATA, _CONFIG, _WEIGHTS, _OWN), where)


def _is_of_keras_2(members: dict[str, bytes], where: str) -> bool:
    metadata = parse_json(members.get(_METADATA, b"{}"), f"{where}: {_METADATA}")
    return isinstance(metadata, dict) and str(metadata.get("keras_version")).startswith("2.")


def _own_part(members: dict[str, bytes], where: str) -> dict[str, Any]:
    own = parse_json(members.get(_OWN, b"{}"), f"{where}: {_OWN}")
    if not isinstance(own, dict) or not isinstance(own.get("preprocessing"), dict | None):
        raise LoadError(f"{where}: {_OWN} is not of the expected form.")
    if own.get("version", _OWN_VERSION) != _OWN_VERSION:
        raise LoadError(
            f"{where} was saved by a newer version of Pellucid (its {_OWN} is of version "
            f"{own['version']}, this one reads {_OWN_VERSION}). Update Pellucid to open it."
        )
    return own


def _entry(model: Model) -> dict[str, Any]:
    from pellucid.layers import serialize

    entry: dict[str, Any] = serialize(model)
    return entry


def _json(value: Any, what: str) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} cannot be written as JSON: {error}.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def target(filepath: Path_, endings: tuple[str, ...], overwrite: bool) -> Path:
    """Return the path to write to; ArgumentError if its name has none of the endings."""
    path = Path(filepath)
    if not path.name.endswith(endings):
        raise ArgumentError(
            f"Expected a file name that ends in {' or '.join(endings)}, received {filepath}."
        )
    if path.exists() and not overwrite:
        raise ArgumentError(f"{filepath} is there already. Pass overwrite=True to replace it.")
    return path


def require_built(model: Model) -> None:
    """Raise a NotBuiltError if the model has no weights yet."""
    if not model.built:
        raise NotBuiltError(
            f"{model.name} has no weights yet. Build it first: model.build(input_shape)."
        )


def _require_known_layers(model: Model) -> None:
    known = {*known_layers().values(), Model, Sequential}
    stack: list[Layer] = [model]
    while stack:
        layer = stack.pop()
        if type(layer) not in known:
            raise ArgumentError(
                f"{layer.name} is of a class of your own ({type(layer).__name__}), which no file "
                "can name. Save its weights with save_weights, and make the model in code."
            )
        stack += layer.sublayers

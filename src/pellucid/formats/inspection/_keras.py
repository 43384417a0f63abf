"""What Keras' files say of themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from pellucid.formats import _legacy
from pellucid.formats._archive import parse_json
from pellucid.formats._hdf5 import Contents, read_contents
from pellucid.formats.inspection._contents import FileContents, StoredArray

__all__ = ["inspect_hdf5", "inspect_keras"]

_WEIGHTS = {
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "conv2d": ("kernel", "bias"),
    "conv2d_transpose": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "depthwise_conv2d": ("kernel", "bias"),
    "group_normalization": ("gamma", "beta"),
    "layer_normalization": ("gamma", "beta"),
    "normalization": ("mean", "variance", "count"),
    "p_re_lu": ("alpha",),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
}
"""The weights of layers in Keras' order, where a file of weights gives numbers only."""


class _Names:
    """The attributes that are read: those of legacy files, and the names of layers."""

    def __contains__(self, name: object) -> bool:
        return name == "name" or name in _legacy.ATTRIBUTES


def inspect_keras(members: Mapping[str, bytes], where: str) -> FileContents:
    """Return what the members of a `.keras` file say."""
    found = FileContents("keras", "Keras model (.keras)")
    metadata = _object(members, "metadata.json", where)
    version = f"Keras {metadata.get('keras_version', '?')}"
    own = "pellucid.json" in members
    found.facts["written by"] = f"Pellucid, in the format of {version}" if own else version
    if "date_saved" in metadata:
        found.facts["saved"] = str(metadata["date_saved"]).replace("@", ", ")
    config = _object(members, "config.json", where)
    _describe(found, config, config.get("compile_config"))
    preprocessing = _object(members, "pellucid.json", where).get("preprocessing")
    names = preprocessing.get("class_names") if isinstance(preprocessing, dict) else None
    if isinstance(names, list):
        found.facts["classes"] = ", ".join(map(str, names[:8])) + (" …" if names[8:] else "")
    if "model.weights.h5" in members:
        contents = read_contents(members["model.weights.h5"], where, _Names())
        place = {name: number for number, (name, _) in enumerate(found.layers)}
        found.arrays = sorted(
            _arrays(contents),
            key=lambda array: (array.state, place.get(array.name.rpartition("/")[0], -1)),
        )
    return found


def _object(members: Mapping[str, bytes], name: str, where: str) -> dict[str, Any]:
    value = parse_json(members.get(name, b"{}"), f"{where}: {name}")
    return value if isinstance(value, dict) else {}


def inspect_hdf5(data: bytes, where: str) -> FileContents:
    """Return what an HDF5 file says: weights of Keras 3, or a legacy file."""
    contents = read_contents(data, where, _Names())
    if not _legacy.is_legacy(contents):
        return FileContents("hdf5", "Keras weights (.weights.h5)", arrays=_arrays(contents))
    config = _legacy.json_text(contents, "model_config", where)
    found = FileContents("hdf5", f"legacy Keras {'model' if config else 'weights'} (.h5)")
    versions = {str(t["keras_version"]) for t in contents.texts.values() if "keras_version" in t}
    if versions:
        found.facts["written by"] = "Keras " + ", ".join(sorted(versions))
    training = _legacy.json_text(contents, "training_config", where)
    if isinstance(config, dict):
        compiled = training if isinstance(training, dict) else {}
        _describe(found, config, compiled | {"optimizer": compiled.get("optimizer_config")})
    known = [
        (n, path) for n, paths in _legacy.saved_layers(contents, where).items() for path in paths
    ]
    names = {path: _legacy_name(layer, path) for layer, path in known}
    rest = [path for path in contents.arrays if path not in names]
    found.arrays = [
        StoredArray(
            names.get(path, path.rpartition("weights/")[2]),
            contents.arrays[path].shape,
            contents.arrays[path].dtype.name,
            partial(contents.arrays.__getitem__, path),
            path not in names,
        )
        for path in [*names, *rest]
    ]
    return found


def _legacy_name(layer: str, path: str) -> str:
    """Return "conv1/kernel" for "model_weights/conv1/conv1/kernel:0"."""
    words = path.removesuffix(":0").partition(f"{layer}/")[2].split("/")
    inside = words[words.index(layer) + 1 :] if layer in words else words
    return "/".join([layer, *inside])


def _arrays(contents: Contents) -> list[StoredArray]:
    counts: dict[str, int] = {}
    for path in contents.arrays:
        group = path.rpartition("/")[0]
        counts[group] = counts.get(group, 0) + 1
    return [
        StoredArray(
            _name(path, contents, counts[path.rpartition("/")[0]]),
            array.shape,
            array.dtype.name,
            partial(contents.arrays.__getitem__, path),
            path.startswith("optimizer/"),
        )
        for path, array in sorted(contents.arrays.items(), key=_in_order)
    ]


def _in_order(item: tuple[str, Any]) -> list[Any]:
    """Return a key that sorts numbers in names as numbers."""
    parts = re.split(r"(\d+)", item[0])
    return [item[0].startswith("optimizer/"), [int(p) if p.isdigit() else p for p in parts]]


def _name(path: str, contents: Contents, count: int) -> str:
    """Return "conv1/kernel" for "layers/conv2d_3/vars/0" of a layer that is called conv1."""
    group, _, number = path.rpartition("/vars/")
    kind = re.sub(r"_\d+$", "", group.rpartition("/")[2])
    roles = _WEIGHTS.get(kind, ())
    if kind == "batch_normalization" and count == 2:
        roles = roles[2:]
    whole = len(roles) >= count and (kind != "batch_normalization" or count != 3)
    name = contents.texts.get(f"{group}/vars", {}).get("name")
    inside, _, own = group.replace("layers/", "").rpartition("/")
    label = f"{inside}/{name or own}".lstrip("/")
    return f"{label}/{roles[int(number)] if whole and number.isdigit() else number}"


def _describe(found: FileContents, config: Mapping[str, Any], compiled: Any) -> None:
    """Add the model's layers, and what it was compiled with."""
    stack: list[tuple[str, Any]] = [("", config)]
    while stack:
        inside, entry = stack.pop()
        if not isinstance(entry, dict):
            continue
        kind, options = str(entry.get("class_name")), entry.get("config")
        layers = options if isinstance(options, list) else None
        if isinstance(options, dict):
            layers = options.get("layers")
        name = str(options.get("name", "")) if isinstance(options, dict) else ""
        if entry is config:
            found.facts["model"] = f"{kind} {name}".strip()
            path = ""
        else:
            path = f"{inside}{name}"
            found.layers.append((path, kind))
        if isinstance(layers, list):
            stack += [(f"{path}/" if path else "", layer) for layer in reversed(layers)]
    if isinstance(compiled, dict):
        for key in ("optimizer", "loss"):
            if said := _said(compiled.get(key)):
                found.facts[key] = said


def _said(value: Any) -> str:
    if isinstance(value, dict) and "class_name" in value:
        return str(value["class_name"])
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return ", ".join(filter(None, map(_said, value)))
    return value if isinstance(value, str) else ""

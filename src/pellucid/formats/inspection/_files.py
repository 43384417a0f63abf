"""Inspecting each kind of file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pellucid.errors import LoadError
from pellucid.formats._archive import read_archive, read_file
from pellucid.formats._kind import kind_of, require_model
from pellucid.formats._safetensors import Tensor, read_safetensors
from pellucid.formats.inspection._contents import FileContents, StoredArray
from pellucid.formats.inspection._keras import inspect_hdf5, inspect_keras
from pellucid.formats.inspection._onnx import inspect_onnx

__all__ = ["inspect_file"]

_OTHERS = {
    "npy": "one NumPy array (.npy)",
    "gzip": "a file compressed with gzip",
    "picture": "a picture",
    "tflite": "a TensorFlow Lite model",
    "zip": "a zip file, and no model",
    "text": "text",
    "unknown": "not a kind of file that is known here",
}
_MEMBERS = ("metadata.json", "config.json", "model.weights.h5", "pellucid.json")


def inspect_file(filepath: str | os.PathLike[str]) -> FileContents:
    """Return what a file holds, as it says itself: nothing in it is run, and no other is opened.

    Raises:
        LoadError: There is no such file, or it is a broken one of its kind.
    """
    where = str(filepath)
    if (Path(filepath) / "saved_model.pb").is_file():
        return FileContents(
            "savedmodel",
            "TensorFlow SavedModel (a folder)",
            advice="A SavedModel holds a graph of TensorFlow's operations, and is not read. In the "
            "TensorFlow that made it, save the Keras model again as .keras.",
        )
    data = read_file(filepath)
    kind = kind_of(data)
    if kind == "unknown" and where.lower().endswith(".onnx"):
        kind = "onnx"  # which has no signature
    if kind == "unknown" and _is_text(data):
        kind = "text"
    readers: dict[str, Callable[[], FileContents]] = {
        "keras": lambda: inspect_keras(read_archive(data, _MEMBERS, where), where),
        "hdf5": lambda: inspect_hdf5(data, where),
        "onnx": lambda: inspect_onnx(data, where),
        "safetensors": lambda: _safetensors(data, where),
        "npz": lambda: _npz(filepath, data),
    }
    if kind not in readers:
        return _not_read(kind, where)
    try:
        return readers[kind]()
    except LoadError:
        raise
    except Exception as error:  # what a hostile file says may be of any form
        raise LoadError(f"{where} is broken: {type(error).__name__}: {error}.") from error


def _not_read(kind: str, where: str) -> FileContents:
    try:
        require_model(kind, where)
        advice = ""
    except LoadError as error:
        advice = str(error)
    form = {
        "pytorch": "PyTorch checkpoint (a zip file with a pickle)",
        "pickle": "Python objects (a pickle)",
    }
    return FileContents(kind, form.get(kind) or _OTHERS[kind], advice=advice)


def _is_text(data: bytes) -> bool:
    try:
        text = data[:4096].decode("utf-8", "strict" if len(data) <= 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return bool(text) and not any(ord(letter) < 9 for letter in text)


def _safetensors(data: bytes, where: str) -> FileContents:
    tensors, notes = read_safetensors(data, where)
    facts = {key.replace("_", " "): value for key, value in notes.items()}
    if notes.get("format") == "pt":
        facts["format"] = "PyTorch"
    return FileContents("safetensors", "safetensors", facts, arrays=_stored(tensors))


def _npz(filepath: str | os.PathLike[str], data: bytes) -> FileContents:
    from pellucid.formats.weight_files import read_tensors

    tensors = read_tensors(filepath, data, "npz")
    return FileContents("npz", "NumPy arrays (.npz)", arrays=_stored(tensors))


def _stored(tensors: dict[str, Tensor]) -> list[StoredArray]:
    return [
        StoredArray(name, tensor.shape, tensor.dtype, partial(getattr, tensor, "array"))
        for name, tensor in sorted(tensors.items(), key=_by_number)
    ]


def _by_number(item: tuple[str, Tensor]) -> list[tuple[bool, int, str]]:
    """Return a key that puts layer 2 before layer 11."""
    parts = re.split(r"(\d+)", item[0])
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]

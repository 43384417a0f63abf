"""safetensors files: a list of named arrays, then their bytes.

    8 bytes    the length of the list, little-endian
    the list   JSON: {"fc.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
    the rest   the arrays, without gaps, little-endian

The arrays are views into the file's bytes: nothing is allocated that a file could lie about. (The
package `safetensors` has no NumPy type for bfloat16, and copies every array before it is checked.)

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.errors import LoadError
from pellucid.formats._archive import parse_json
from pellucid.ops._operation import Array

__all__ = ["Tensor", "read_safetensors", "write_safetensors"]

_LONGEST_LIST = 100_000_000  # the format's own limit
_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "BF16": "<u2",  # the upper half of a float32
    "F32": "<f4",
    "F64": "<f8",
}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items() if name != "BF16"}


class Tensor:
    """An array in a file, and what the file calls its type.

    Attributes:
        dtype: Such as "float32", or "bfloat16", which NumPy does not have.
        shape: Its shape.
    """

    def __init__(self, stored: Array, dtype: str) -> None:
        self._stored = stored
        self.dtype = dtype
        self.shape: tuple[int, ...] = stored.shape

    @property
    def array(self) -> Array:
        """The numbers; those of bfloat16 as float32, which is exact."""
        if self.dtype != "bfloat16":
            return self._stored
        return (self._stored.astype(np.uint32) << 16).view(np.float32)

    @property
    def bytes(self) -> int:
        """How many bytes of the file it takes."""
        return self._stored.nbytes


def read_safetensors(data: bytes, where: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the arrays of a safetensors file by name, in its order, and its notes about itself.

    Raises:
        LoadError: The file is broken: its list is no list of arrays, or they overlap, leave gaps,
            or end before or after the file does.
    """
    if len(data) < 8:
        raise LoadError(f"{where} is not a safetensors file: it has {len(data)} bytes.")
    (length,) = struct.unpack_from("<Q", data)
    if length > min(_LONGEST_LIST, len(data) - 8):
        raise LoadError(
            f"{where} is not a safetensors file, or a part of one: its list of arrays would take "
            f"{length:,} bytes, and it has {len(data):,}."
        )
    start = 8 + length
    entries = parse_json(data[8:start], f"{where}: its list of arrays")
    if not isinstance(entries, dict):
        raise LoadError(f"{where}: its list of arrays is not a JSON object.")
    notes = entries.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise LoadError(f"{where}: its __metadata__ is not text by name.")
    places = {name: _place(name, entry, where) for name, entry in entries.items()}
    end = 0
    for name, (_, _, begin, stop) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != end:
            raise LoadError(f"{where}: '{name}' begins at byte {begin:,}; expected {end:,}.")
        end = stop
    if end != len(data) - start:
        raise LoadError(
            f"{where} lists {end:,} bytes of arrays and holds {len(data) - start:,}. Is it whole?"
        )
    tensors = {}
    for name, (kind, shape, begin, _) in places.items():
        stored = np.frombuffer(data, _TYPES[kind], math.prod(shape), start + begin).reshape(shape)
        tensors[name] = Tensor(stored, "bfloat16" if kind == "BF16" else stored.dtype.name)
    return tensors, notes


def _place(name: str, entry: Any, where: str) -> tuple[str, tuple[int, ...], int, int]:
    """Return the type of an entry, its shape, and where it begins and ends."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise LoadError(f"{where}: '{name}' is not of dtype, shape and data_offsets.")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise LoadError(f"{where}: '{name}' is of type {kind!r}, which is not known: {known}.")
    if not _is_counts(shape) or not _is_counts(offsets) or len(offsets) != 2 or len(shape) > 32:
        raise LoadError(f"{where}: '{name}' has no shape, or no place in the file.")
    begin, stop = offsets
    size = math.prod(shape) * np.dtype(_TYPES[kind]).itemsize
    if stop - begin != size:
        raise LoadError(
            f"{where}: '{name}' declares {size:,} bytes, shape {tuple(shape)} of {kind}, and has "
            f"{stop - begin:,}."
        )
    return kind, tuple(shape), begin, stop


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def write_safetensors(arrays: Mapping[str, Array], notes: Mapping[str, str]) -> bytes:
    """Return a safetensors file of the given arrays and notes."""
    entries: dict[str, Any] = {"__metadata__": dict(notes)}
    parts: list[bytes] = []
    end = 0
    # Large types first, so that each array begins at a multiple of its type's size.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        entries[name] = {
            "dtype": _NAMES[little.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        parts.append(little.tobytes())
        end += array.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)

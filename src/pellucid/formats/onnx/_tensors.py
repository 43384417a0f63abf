"""Arrays in an ONNX file: read only where what is claimed and what is there agree to the byte."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.errors import LoadError
from pellucid.formats.onnx._external import ExternalData
from pellucid.ops._operation import Array

__all__ = ["array_of", "dtype_of", "kind_of"]

# TensorProto.DataType: its name, NumPy's type, and the field that holds the numbers if they do not
# lie in raw_data. The numbers are fixed by the standard.
_TYPES: dict[int, tuple[str, str, str]] = {
    1: ("float", "<f4", "float_data"),
    2: ("uint8", "|u1", "int32_data"),
    3: ("int8", "|i1", "int32_data"),
    4: ("uint16", "<u2", "int32_data"),
    5: ("int16", "<i2", "int32_data"),
    6: ("int32", "<i4", "int32_data"),
    7: ("int64", "<i8", "int64_data"),
    9: ("bool", "|b1", "int32_data"),
    10: ("float16", "<f2", "int32_data"),
    11: ("double", "<f8", "double_data"),
    12: ("uint32", "<u4", "uint64_data"),
    13: ("uint64", "<u8", "uint64_data"),
}
_OTHER_TYPES = {
    0: "undefined",
    8: "string",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
    24: "float8e8m0",
    25: "uint2",
    26: "int2",
}
_MOST_AXES = 32
_MOST_NUMBERS = 1 << 31


def kind_of(number: int) -> str:
    """Return what the standard calls a data type, for messages."""
    known = _TYPES.get(number)
    return known[0] if known else _OTHER_TYPES.get(number, f"of the unknown type {number}")


def dtype_of(number: int) -> np.dtype[Any] | None:
    """Return NumPy's type for a data type; None for one that is not known here."""
    known = _TYPES.get(number)
    return np.dtype(known[1]).newbyteorder("=") if known else None


def array_of(tensor: Any, external: ExternalData, where: str) -> Array:
    """Return the array in a TensorProto. The data in the message is not copied.

    Raises:
        LoadError: its type is not known here, its sizes cannot be, or it does not hold exactly as
            many numbers as its sizes say.
    """
    if tensor.data_type not in _TYPES:
        raise LoadError(
            f"{where} holds numbers that are {kind_of(tensor.data_type)}, which is not supported."
        )
    _, code, field = _TYPES[tensor.data_type]
    dtype = np.dtype(code)
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise LoadError(f"{where} has a shape that cannot be: {_shown(shape)}.")
    count = math.prod(shape)
    if count > _MOST_NUMBERS or max(shape, default=0) > _MOST_NUMBERS:
        raise LoadError(f"{where} claims the shape {_shown(shape)}, more than any file holds.")
    if tensor.HasField("segment"):
        raise LoadError(f"{where} is in segments, which is not supported.")
    if tensor.data_location == 1:
        data = external.read(tensor, count * dtype.itemsize, where)
        return _from_bytes(data, dtype, shape, where)
    if tensor.HasField("raw_data"):
        return _from_bytes(tensor.raw_data, dtype, shape, where)
    numbers = getattr(tensor, field)
    if len(numbers) != count:
        raise LoadError(
            f"{where} has the shape {_shown(shape)}, {count:,} numbers, but holds {len(numbers):,}."
        )
    if tensor.data_type == 10:  # float16: each number is its bits
        return np.array(numbers, np.uint16).view(np.float16).reshape(shape)
    return np.array(numbers).astype(dtype.newbyteorder("=")).reshape(shape)


def _from_bytes(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Array:
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise LoadError(
            f"{where} has the shape {_shown(shape)}, {math.prod(shape) * dtype.itemsize:,} bytes, "
            f"but holds {len(data):,}."
        )
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _shown(shape: tuple[int, ...]) -> str:
    text = ", ".join(map(str, shape[:8]))
    return f"({text}{', …' if len(shape) > 8 else ''})"

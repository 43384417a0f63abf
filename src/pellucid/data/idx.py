"""IDX, the file format of MNIST: a header of sizes, then the numbers.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from pellucid.data._files import MAX_ARRAY_BYTES, StrPath, gunzip, read_bytes
from pellucid.errors import DataError

__all__ = ["is_idx", "parse_idx", "read_idx"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


def is_idx(head: bytes) -> bool:
    """Tell whether a file that starts with `head` (4 bytes or more) looks like IDX."""
    return head[:2] == b"\0\0" and len(head) >= 4 and head[2] in _TYPES and 1 <= head[3] <= 8


def read_idx(path: StrPath) -> np.ndarray[Any, Any]:
    """Return the array in an IDX file, plain or gzip-compressed.

    Raises:
        DataError: the file cannot be read, is not IDX, or does not hold exactly as many bytes as
            its header says.
    """
    return parse_idx(read_bytes(path), str(path))


def parse_idx(data: bytes, where: str) -> np.ndarray[Any, Any]:
    """Return the array in the bytes of an IDX file; `where` names them in errors."""
    if data[:2] == _GZIP:
        data = gunzip(data, where)
    if not is_idx(data):
        raise DataError(
            f"{where}: expected an IDX file (two zero bytes, a type, a number of axes), "
            f"received {data[:4].hex(' ') or 'an empty file'}."
        )
    axes = data[3]
    start = 4 + 4 * axes
    if len(data) < start:
        raise DataError(f"{where}: the IDX header is truncated.")
    shape = struct.unpack(f">{axes}I", data[4:start])
    dtype = np.dtype(_TYPES[data[2]])
    expected = math.prod(shape) * dtype.itemsize
    if expected != len(data) - start or expected > MAX_ARRAY_BYTES:
        raise DataError(
            f"{where}: the IDX header says shape {shape} of {dtype.name}, which is {expected:,} "
            f"bytes; the file holds {len(data) - start:,}."
        )
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))

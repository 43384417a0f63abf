"""Arrays as text in a page: bytes grouped by their place in a number, deflated, then base64."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from pellucid.ops._operation import Array

__all__ = ["Binary"]

_TYPES = {"f": (np.float32, np.float64), "i": (np.int32,), "u": (np.int32,), "b": (np.int32,)}


class Binary:
    """Arrays one after another, each deflated on its own.

    The first bytes of all numbers come first, then the second ones, and so on: neighbours have
    nearly the same exponent, which so compresses to little.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, array: Array) -> dict[str, Any]:
        """Append an array; return where it is, its type and its length."""
        kinds = _TYPES.get(array.dtype.kind, (np.float64,))
        dtype = next((kind for kind in kinds if np.dtype(kind) == array.dtype), kinds[0])
        flat = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<")).reshape(-1)
        width = flat.dtype.itemsize
        grouped = flat.view(np.uint8).reshape(-1, width).T.tobytes()
        piece = zlib.compress(grouped, 9)
        entry = {"at": self.size, "bytes": len(piece), "type": flat.dtype.str[1:], "n": flat.size}
        self._pieces.append(piece)
        self.size += len(piece)
        return entry

    def text(self) -> str:
        """Return all of it as base64."""
        return base64.b64encode(b"".join(self._pieces)).decode("ascii")

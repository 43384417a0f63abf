"""The user's cache folder: what was decoded or downloaded once is kept there."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.formats._atomic import atomic_write

__all__ = ["cache_folder", "cached_bytes", "uint8_arrays"]

# What follows the payload in a cache file: a mark, the payload's length and its CRC-32.
_FOOTER = struct.Struct("<8sQI")
_MARK = b"PELLUCID"


def cache_folder() -> Path:
    """Return the folder for cached data: $PELLUCID_CACHE, else the system's usual place."""
    chosen = os.environ.get("PELLUCID_CACHE")
    if chosen:
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 never raises
    import platformdirs

    return Path(platformdirs.user_cache_dir("pellucid", appauthor=False))


def cached_bytes(name: str, size: int, make: Callable[[], bytes]) -> memoryview:
    """Return `make()`'s bytes, kept in the cache folder and memory-mapped from then on.

    The mapping is copy-on-write: whoever changes what it holds changes only a private copy. A file
    of the wrong size or checksum is made anew. Several processes may do this at once: each writes
    a file of its own and the last rename wins. Where the folder cannot be written to, or the disk
    is full, the bytes stay in memory.
    """
    path = cache_folder() / name
    mapped = _map(path, size)
    if mapped is None:
        content = make()
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, content + _FOOTER.pack(_MARK, size, zlib.crc32(content)))
            mapped = _map(path, size)
        if mapped is None:
            return memoryview(bytearray(content))
    return mapped


def _map(path: Path, size: int) -> memoryview | None:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size + _FOOTER.size:
                return None
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError):
        return None
    footer = _FOOTER.pack(_MARK, size, zlib.crc32(view[:size]))
    return view[:size] if view[size:] == footer else None


def uint8_arrays(
    content: memoryview, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays of uint8 that lie one behind the other in `content`, without copying."""
    flat = np.frombuffer(content, np.uint8)
    arrays = {}
    start = 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        arrays[name] = flat[start:stop].reshape(shape)
        start = stop
    return arrays

"""Reading files without trusting them: regular files only, never more than a stated size."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from pathlib import Path

from pellucid.errors import DataError

__all__ = ["MAX_ARRAY_BYTES", "StrPath", "gunzip", "read_bytes", "readable_size"]

StrPath = str | os.PathLike[str]

MAX_ARRAY_BYTES = 4 << 30
"""What one file of arrays may unpack to: 4 GiB."""

_CHUNK = 1 << 20


def readable_size(count: int) -> str:
    """Return a number of bytes for people: '12 bytes', '3.4 MB'."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    value = float(count)
    units = ["kB", "MB", "GB"]
    while (value := value / 1000) >= 1000 and len(units) > 1:
        del units[0]
    return f"{value:.1f} {units[0]}"


def read_bytes(path: StrPath, limit: int = MAX_ARRAY_BYTES) -> bytes:
    """Return what a regular file holds.

    Raises:
        DataError: there is no such file, it is not a regular file, it cannot be read, or it holds
            more than `limit` bytes.
    """
    try:
        status = Path(path).stat()
        # A named pipe would block in open(), so only a regular file is opened.
        data = b""
        if stat.S_ISREG(status.st_mode):
            with Path(path).open("rb") as file:
                data = file.read(min(status.st_size, limit) + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(f"{path}: cannot be read ({_reason(error)}).") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
        raise DataError(f"{path}: expected a file, received {kind}.")
    if len(data) > limit:
        raise DataError(
            f"{path}: expected at most {readable_size(limit)}, "
            f"received a file of {readable_size(status.st_size)}."
        )
    return data


def gunzip(data: bytes, where: str, limit: int = MAX_ARRAY_BYTES) -> bytes:
    """Return the content of gzip data, of which no more than `limit` bytes are ever unpacked.

    Raises:
        DataError: the data is not gzip, is damaged or truncated, or unpacks to more than `limit`.
    """
    parts: list[bytes] = []
    count = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(_CHUNK):
                parts.append(part)
                count += len(part)
                if count > limit:
                    raise DataError(f"{where}: unpacks to more than {readable_size(limit)}.")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{where}: damaged or truncated gzip file ({error}).") from error
    return b"".join(parts)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

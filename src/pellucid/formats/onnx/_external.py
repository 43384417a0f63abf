"""Weights that lie in files beside an ONNX file: read from one folder, and from nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from pellucid.errors import LoadError

__all__ = ["ExternalData"]

_FIELDS = {"location", "offset", "length", "checksum"}


class ExternalData:
    """The folder that a file's external data may come from, if the user named one.

    Args:
        folder: The folder; None if the user allowed none.
        name: What the ONNX file is called, for messages.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, name: str) -> None:
        self.folder = None if folder is None else Path(folder)
        self.name = name
        if self.folder is not None and not self.folder.is_dir():
            raise LoadError(f"{name}: external_data must be a folder, received {folder}.")

    def read(self, tensor: Any, size: int, where: str) -> bytes:
        """Return the `size` bytes that a TensorProto says lie in another file.

        Raises:
            LoadError: no folder was given, the file is not an ordinary one inside it, or it does
                not hold the bytes.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if self.folder is None:
            raise LoadError(
                f"{where} lies in another file, {location!r}. Other files are read only from a "
                f'folder that you name: load_model("{self.name}", external_data="FOLDER").'
            )
        if unknown := set(entries) - _FIELDS:
            raise LoadError(f"{where}: unknown entries {', '.join(sorted(unknown))}.")
        offset, length = (_whole(entries.get(key), key, where) for key in ("offset", "length"))
        if length is not None and length != size:
            raise LoadError(
                f"{where} needs {size:,} bytes, but its length in {location!r} is {length:,}."
            )
        return self._bytes(_inside(location, where), location, offset or 0, size, where)

    def _bytes(self, parts: list[str], location: str, offset: int, size: int, where: str) -> bytes:
        path = self.folder
        assert path is not None  # `read` has seen to it
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise LoadError(f"{where}: {location!r} is, or leads through, a symbolic link.")
        try:
            # The last part is not followed either, in case it has become a link since.
            descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _BINARY)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise LoadError(f"{where}: cannot read {path}: {reason}.") from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LoadError(f"{where}: {location!r} is not an ordinary file.")
            if status.st_nlink > 1:
                raise LoadError(
                    f"{where}: {location!r} is a hard link to a file that has other names too."
                )
            if offset + size > status.st_size:
                raise LoadError(
                    f"{where} should be {size:,} bytes at {offset:,} of {location!r}, which has "
                    f"only {status.st_size:,}."
                )
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                file.seek(offset)
                data = file.read(size)
        finally:
            os.close(descriptor)
        if len(data) != size:
            raise LoadError(f"{where}: {location!r} became shorter while it was read.")
        return data


def _inside(location: str, where: str) -> list[str]:
    """Return the names on the way to a file; LoadError if they could lead out of the folder."""
    parts = location.split("/")
    if (
        not location
        or "\0" in location
        or "\\" in location
        or ":" in location
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise LoadError(f"{where} lies in {location!r}, which could lead out of the folder.")
    return parts


def _whole(text: str | None, key: str, where: str) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise LoadError(f"{where}: the {key} of its external data is {text[:40]!r}, not a number.")
    return int(text)


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)

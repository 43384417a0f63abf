"""The zip file that a `.keras` model is: read with every size bounded, written in one piece."""

from __future__ import annotations

import io
import json
import os
import stat
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pellucid.errors import LoadError

__all__ = ["parse_json", "read_archive", "read_file", "write_archive"]

_MAX_MEMBERS = 1000
# A zip file of stored weights grows by nothing and JSON shrinks about twentyfold; no model needs
# more room than this, and a bomb does.
_MAX_EXPANSION = 50
_EXPANSION_FLOOR = 4 << 20
_ENCRYPTED = 0x1


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return the content of an ordinary file.

    Raises:
        LoadError: there is no such file, or it is a folder, a device or a pipe.
    """
    try:
        # Checked before opening, since opening a pipe would wait for its other end for ever.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise LoadError(f"Expected a model file, received something else: {path}")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, LoadError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise LoadError(f"Cannot read {path}: {reason}.") from error


def read_archive(data: bytes, wanted: Iterable[str], where: str) -> dict[str, bytes]:
    """Return the wanted members of a zip file, those that are there; no other is decompressed.

    Raises:
        LoadError: not a zip file, a broken one, or one with encrypted, duplicate or oversized
            members, or with names that lead out of it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _checked_members(archive, len(data), where)
            return {name: archive.read(members[name]) for name in wanted if name in members}
    except LoadError:
        raise
    except Exception as error:  # a parser that meets hostile bytes may fail in any way
        raise LoadError(
            f"{where} is not a readable zip file: {type(error).__name__}: {error}"
        ) from error


def _checked_members(archive: zipfile.ZipFile, size: int, where: str) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > _MAX_MEMBERS:
        raise LoadError(f"{where} has {len(entries):,} members; expected {_MAX_MEMBERS} at most.")
    limit = _EXPANSION_FLOOR + _MAX_EXPANSION * size
    total = 0
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.orig_filename
        if _leads_outside(name) or stat.S_ISLNK(entry.external_attr >> 16):
            raise LoadError(f"{where} has a member whose name leads out of it: {name!r}.")
        if name in members:
            raise LoadError(f"{where} has two members named {name!r}.")
        if entry.flag_bits & _ENCRYPTED:
            raise LoadError(f"{where}: member {name!r} is encrypted.")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise LoadError(
                f"{where}: member {name!r} uses compression method {entry.compress_type}; "
                "expected stored (0) or deflated (8)."
            )
        total += entry.file_size
        if total > limit:
            raise LoadError(
                f"{where}: its members would unpack to more than {limit:,} bytes "
                f"from a file of {size:,} bytes."
            )
        members[name] = entry
    return members


def _leads_outside(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return (
        not name
        or "\x00" in name
        or "\\" in name
        or name.startswith("/")
        or ".." in parts
        or (len(name) > 1 and name[1] == ":")
    )


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip file of the given members, stored as Keras stores them, without compression."""
    buffer = io.BytesIO()
    now = time.localtime()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, max(now, (1980, 1, 1, 0, 0, 0)))
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def parse_json(data: bytes, where: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        LoadError: not JSON, nested too deep to be read, or an object with a key twice.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=lambda pairs: _unique(pairs, where),
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        if isinstance(error, LoadError):
            raise
        raise LoadError(f"{where} is not valid JSON: {error}.") from error


def _unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise LoadError(f"{where} has the key {twice!r} twice in one object.")
    return result


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")

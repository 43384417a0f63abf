"""NPZ files: NumPy arrays in a zip, read without pickle and never beyond their declared sizes.

Source: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays".
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from typing import Any

import numpy as np

from pellucid.data._files import MAX_ARRAY_BYTES, StrPath, read_bytes, readable_size
from pellucid.errors import DataError

__all__ = ["read_npz"]

Array = np.ndarray[Any, Any]

# Deflate packs at most 1032 bytes into one, so a larger claim is a lie told to make us allocate.
_MAX_RATIO = 1032
_MAX_MEMBERS = 1000
_MAX_HEADER = 10_000
_HEADER = re.compile(
    r"\{'descr': '([<>|=]?[?biufSU]\d*)', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,18}L?, ?)*(?:\d{1,18}L?)?)\),? *\}\s*"
)


def read_npz(path: StrPath, names: Collection[str] | None = None) -> dict[str, Array]:
    """Return the arrays of an NPZ file by name; of `names` only, when given.

    Raises:
        DataError: the file cannot be read, is not an NPZ file, is damaged, holds Python objects
            (which would need pickle), or claims to unpack to more than it can.
    """
    data = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _members(archive, str(path), names)
            return {
                name: _array(archive, member, f"{path}, array {name!r}")
                for name, member in members.items()
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,  # an encrypted member
        NotImplementedError,  # a way of packing that zipfile does not know
        ValueError,
        TypeError,  # a dtype that does not exist
        IndexError,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: damaged or not an NPZ file ({error}).") from error


def _members(
    archive: zipfile.ZipFile, where: str, names: Collection[str] | None
) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MAX_MEMBERS:
        raise DataError(f"{where}: holds {len(infos)} files; expected at most {_MAX_MEMBERS}.")
    members = {
        info.filename.removesuffix(".npy"): info
        for info in infos
        if info.filename.endswith(".npy")
        and (names is None or info.filename.removesuffix(".npy") in names)
    }
    total = sum(info.file_size for info in members.values())
    if total > MAX_ARRAY_BYTES:
        raise DataError(
            f"{where}: unpacks to {readable_size(total)}; "
            f"expected at most {readable_size(MAX_ARRAY_BYTES)}."
        )
    for name, info in members.items():
        if info.file_size > _MAX_RATIO * info.compress_size + 64:
            raise DataError(f"{where}: array {name!r} claims a size its data cannot have.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{where}: array {name!r} is compressed in a way NumPy does not use.")
    return members


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> Array:
    data = archive.read(member)
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        raise DataError(f"{where}: expected an array as NumPy saves it.")
    start, size = (10, "<H") if data[6] == 1 else (12, "<I")
    (length,) = struct.unpack_from(size, data, 8)
    match = _HEADER.fullmatch(data[start : start + length].decode("latin-1"))
    if length > _MAX_HEADER or match is None:
        raise DataError(
            f"{where}: expected an array of numbers or text. Arrays of Python objects and records "
            "are not read, because that would run code from the file."
        )
    dtype = np.dtype(match[1])
    shape = tuple(int(size.rstrip("L")) for size in match[3].replace(" ", "").split(",") if size)
    content = data[start + length :]
    if math.prod(shape) * dtype.itemsize != len(content):
        raise DataError(
            f"{where}: the header says shape {shape} of {dtype}, "
            f"which is not the {len(content):,} bytes that follow it."
        )
    values = np.ndarray(shape, dtype, content, order="F" if match[2] == "True" else "C")
    return values.astype(dtype.newbyteorder("="), order="C")

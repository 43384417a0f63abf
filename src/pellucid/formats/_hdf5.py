"""HDF5 as Keras uses it: groups of small plain arrays, and nothing else.

Reading goes through pyfive (pure Python, so that a hostile file cannot corrupt memory), and only
as far as the headers: where an array lies and what it is. The numbers are then taken from the
bytes of the file by slicing, after the slice was seen to lie inside them. Whatever Keras never
writes is refused: links other than hard ones, virtual, external, chunked or compressed data, types
other than plain numbers, and objects reached by two ways.

Source: HDF5 File Format Specification 3.0, sections IV.A.2.b, d and i.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import LoadError
from pellucid.formats._hdf5_text import TextReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIGNATURE", "Contents", "read_arrays", "read_contents", "write_arrays"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

_MAX_DEPTH = 64
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS = 0x1, 0x3, 0x7, 0x8, 0xB
_CONTIGUOUS = 1
_LAYOUT_NAMES = {0: "compact", 2: "chunked", 3: "virtual"}
_NO_ADDRESS = 2**64 - 1

# (bit offset, precision, exponent location, exponent size, mantissa location, mantissa size, bias)
_IEEE_754 = {
    2: (0, 16, 10, 5, 0, 10, 15),
    4: (0, 32, 23, 8, 0, 23, 127),
    8: (0, 64, 52, 11, 0, 52, 1023),
}


@dataclass
class Contents:
    """What an HDF5 file holds.

    Attributes:
        arrays: Every array by its path, as views into the file's bytes: nothing is copied.
        texts: The wanted attributes of each group, by the group's path ("" for the root) and name.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    texts: dict[str, dict[str, str | list[str]]] = field(default_factory=dict)


def read_arrays(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    """Return every array of an HDF5 file by its path; see `read_contents`."""
    return read_contents(data, where).arrays


def read_contents(data: bytes, where: str, wanted: Container[str] = ()) -> Contents:
    """Return every array of an HDF5 file, and the text attributes with the wanted names.

    Args:
        data: the whole file.
        where: what to call the file in errors.
        wanted: the attributes to read; no other is looked at.

    Raises:
        LoadError: the file is broken, or holds anything but groups of plain numeric arrays.
    """
    if not data.startswith(SIGNATURE):
        raise LoadError(f"{where} is not an HDF5 file: its first bytes are {data[:8]!r}.")
    try:
        return _Reader(data, where, wanted).contents()
    except LoadError:
        raise
    except Exception as error:  # a parser that meets hostile bytes may fail in any way
        raise LoadError(
            f"{where} is not a readable HDF5 file: {type(error).__name__}: {error}"
        ) from error


class _MeteredBytes(io.BytesIO):
    """The bytes of a file, which may be read about once: headers that point in circles end here."""

    def __init__(self, data: bytes, where: str) -> None:
        super().__init__(data)
        self._budget = 8 * len(data) + 65536
        self._where = where

    def read(self, size: int | None = -1, /) -> bytes:
        result = super().read(size)
        self._budget -= len(result) + 16
        if self._budget < 0:
            raise LoadError(f"{self._where}: its headers point in circles.")
        return result


class _Reader:
    def __init__(self, data: bytes, where: str, wanted: Container[str]) -> None:
        self.data = data
        self.where = where
        self.wanted = wanted
        self.file = _MeteredBytes(data, where)
        self.texts = TextReader(self.file, len(data), where)
        self.seen: set[int] = set()
        self.found = Contents()

    def contents(self) -> Contents:
        from pyfive.misc_low_level import SuperBlock

        superblock = SuperBlock(self.file, 0)
        if superblock._contents["base_address"] != 0:
            raise LoadError(f"{self.where}: an HDF5 file inside another file is not accepted.")
        self._walk(superblock.offset_to_dataobjects, "")
        return self.found

    def _walk(self, address: int, path: str) -> None:
        from pyfive.dataobjects import DataObjects

        if address in self.seen:
            raise self._refused(path, "is reached by two links; each array may have one name only")
        self.seen.add(address)
        if path.count("/") > _MAX_DEPTH:
            raise self._refused(path[:80] + "…", f"is nested more than {_MAX_DEPTH} groups deep")
        header = DataObjects(self.file, address)
        kinds = {message["type"] for message in header.msgs}
        if _DATASPACE in kinds:
            self.found.arrays[path] = self._array(header, kinds, path)
            return
        if texts := self.texts.texts(header, self.wanted, path):
            self.found.texts[path] = texts
        for name, target in self._links(header, path):
            child = f"{path}/{name}" if path else name
            if not isinstance(target, int):
                raise self._refused(child, f"is a soft link to {target!r}; expected the array")
            if not name or "/" in name or name in {".", ".."}:
                raise self._refused(child, "has a name that HDF5 does not allow")
            self._walk(target, child)

    def _links(self, header: Any, path: str) -> list[tuple[str, Any]]:
        try:
            return list(header.iter_links())
        except AssertionError as error:
            reason = "holds a link into another file, or a broken one"
            raise self._refused(path or "/", reason) from error

    def _array(self, header: Any, kinds: set[int], path: str) -> NDArray[Any]:
        if _EXTERNAL in kinds:
            raise self._refused(path, "keeps its data in another file; only this file is read")
        if _FILTERS in kinds:
            raise self._refused(path, "is compressed or filtered, which Keras never does")
        shape = header.shape
        if shape is None:
            raise self._refused(path, "has no shape")
        dtype = self._dtype(header, path)
        size = math.prod(shape) * dtype.itemsize
        start, stored = self._extent(header, path)
        if stored < size:
            raise self._refused(
                path,
                f"declares {size:,} bytes, shape {tuple(shape)} of {dtype.name}, but the file "
                f"holds {stored:,} bytes of it",
            )
        return np.frombuffer(self.data, dtype, math.prod(shape), start).reshape(shape)

    def _extent(self, header: Any, path: str) -> tuple[int, int]:
        """Return where an array begins in the file and how many bytes of it the file holds."""
        message = self._message(header, _LAYOUT)
        version, layout = message[0], message[1]
        if version not in {3, 4}:
            raise self._refused(path, f"has a data layout of version {version}; expected 3 or 4")
        if layout != _CONTIGUOUS:
            kind = _LAYOUT_NAMES.get(layout, f"unknown ({layout})")
            raise self._refused(path, f"has {kind} storage; Keras writes contiguous arrays only")
        start, size = struct.unpack_from("<QQ", message, 2)
        if start == _NO_ADDRESS:
            return 0, 0
        return start, max(0, min(size, len(self.data) - start))

    def _dtype(self, header: Any, path: str) -> np.dtype[Any]:
        """Return the NumPy type for a Datatype message; the same bits mean the same numbers."""
        message = self._message(header, _DATATYPE)
        kind, (flags, high, _, size) = message[0] & 0x0F, struct.unpack_from("<BBBI", message, 1)
        order = ">" if flags & 1 else "<"
        if kind == 0 and size in {1, 2, 4, 8}:
            if struct.unpack_from("<HH", message, 8) == (0, 8 * size):
                return np.dtype(f"{order}{'i' if flags & 8 else 'u'}{size}")
        elif kind == 1 and size in _IEEE_754:
            layout = struct.unpack_from("<HHBBBBI", message, 8)
            if layout == _IEEE_754[size] and flags & 0x40 == 0 and high == 8 * size - 1:
                return np.dtype(f"{order}f{size}")
        raise self._refused(
            path,
            "does not hold plain numbers; expected IEEE floats of 16, 32 or 64 bits, or integers",
        )

    @staticmethod
    def _message(header: Any, kind: int) -> bytes:
        (message,) = header.find_msg_type(kind)
        start = message["offset_to_message"]
        return bytes(header.msg_data[start : start + message["size"]])

    def _refused(self, path: str, reason: str) -> LoadError:
        return LoadError(f"{self.where}: '{path}' {reason}.")


def write_arrays(
    arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Mapping[str, str]]
) -> bytes:
    """Return an HDF5 file with the given arrays by path, and text attributes by group path."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, entries in attributes.items():
            file.require_group(path).attrs.update(entries)
        for path, array in arrays.items():
            file.create_dataset(path, data=array)
    return buffer.getvalue()

"""The texts that HDF5 keeps beside its arrays, as attributes: single ones and lists of them.

Keras' older files say in attributes which layers there are, and which array is which weight. A text
lies either in the attribute itself, with a fixed size, or in one of the file's heaps; either way,
what is taken is bounded by the size of the file.

Source: HDF5 File Format Specification 3.0, sections III.E, IV.A.2.d, IV.A.2.m and IV.B.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Container
from typing import Any

from pellucid.errors import LoadError

__all__ = ["TextReader"]

_ATTRIBUTE = 0xC
_FIXED, _VARIABLE = 3, 9
_HEADERS = {1: (8, 8), 2: (8, 1), 3: (9, 1)}
"""For each version of the message: the size of its header, and what its parts are padded to."""


class TextReader:
    """Reads text attributes of one file; in all, no more text than the file has bytes.

    Args:
        file: The file; read only where a heap is.
        size: How many bytes it has.
        where: What to call it in errors.
    """

    def __init__(self, file: Any, size: int, where: str) -> None:
        self._file = file
        self._where = where
        self._remaining = size
        self._heaps: dict[int, Any] = {}

    def texts(self, header: Any, wanted: Container[str], path: str) -> dict[str, str | list[str]]:
        """Return those attributes of an object that are wanted: a text, or a list of texts.

        Raises:
            LoadError: A wanted one is not of text, or is too long.
        """
        found: dict[str, str | list[str]] = {}
        for message in header.find_msg_type(_ATTRIBUTE):
            start = message["offset_to_message"]
            data = bytes(header.msg_data[start : start + message["size"]])
            name, flags, parts = _parts(data)
            if name not in wanted:
                continue
            if flags:
                raise self._refused(path, name, "shares its type with others")
            found[name] = self._value(path, name, *parts)
        return found

    def _value(
        self, path: str, name: str, datatype: bytes, dataspace: bytes, content: bytes
    ) -> str | list[str]:
        from pyfive.dataobjects import determine_data_shape

        shape, _ = determine_data_shape(dataspace, 0)
        if shape is None:
            raise self._refused(path, name, "has no value")
        count = math.prod(shape)
        if not count:  # of whatever type: a list of no texts is written as one of no numbers
            return []
        kind, bits, size = (
            datatype[0] & 0x0F,
            datatype[1] & 0x0F,
            struct.unpack_from("<I", datatype, 4)[0],
        )
        if kind == _FIXED:
            items = [content[i * size : (i + 1) * size] for i in range(count)] if size else []
            if len(content) < count * size:
                raise self._refused(path, name, "is cut short")
        elif kind == _VARIABLE and bits == 1:
            if len(content) < count * 16:
                raise self._refused(path, name, "is cut short")
            items = [self._from_heap(content, 16 * i) for i in range(count)]
        else:
            raise self._refused(path, name, "is not text")
        texts = [self._decoded(path, name, item) for item in items]
        return texts if shape else texts[0]

    def _from_heap(self, content: bytes, offset: int) -> bytes:
        from pyfive.misc_low_level import GlobalHeap

        length, address, index = struct.unpack_from("<IQI", content, offset)
        if address == 0:
            return b""
        if address not in self._heaps:
            self._heaps[address] = GlobalHeap(self._file, address).objects
        data: bytes = self._heaps[address][index][:length]
        return data

    def _decoded(self, path: str, name: str, item: bytes) -> str:
        self._remaining -= len(item)
        if self._remaining < 0:
            raise self._refused(path, name, "says more than the whole file holds")
        return item.rstrip(b"\x00 ").decode("utf-8")

    def _refused(self, path: str, name: str, reason: str) -> LoadError:
        return LoadError(f"{self._where}: attribute {name!r} of '{path or '/'}' {reason}.")


def _parts(data: bytes) -> tuple[str, int, tuple[bytes, bytes, bytes]]:
    """Return an attribute's name and flags, and the bytes of its type, its shape and its value."""
    version, flags, *sizes = struct.unpack_from("<BBHHH", data)
    start, padding = _HEADERS[version]
    parts = []
    for size in sizes:
        parts.append(data[start : start + size])
        start += -(-size // padding) * padding
    name, datatype, dataspace = parts
    text = name.split(b"\x00")[0].decode("utf-8")
    return text, flags if version > 1 else 0, (datatype, dataspace, data[start:])

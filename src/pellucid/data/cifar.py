"""CIFAR-10 in its authors' binary form: one byte of label, then 3072 of red, green and blue.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data._files import StrPath, read_bytes, readable_size
from pellucid.errors import DataError

__all__ = ["BINARY_FILES", "parse_cifar", "read_cifar_archive", "read_cifar_folder"]

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]

BINARY_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_RECORD = 1 + 3 * 32 * 32
_FILE_BYTES = 10_000 * _RECORD
# The six files are 184.4 MB; with their text files and tar's padding, well under this.
_ARCHIVE_BYTES = 256 << 20


def parse_cifar(data: bytes, where: str) -> Pair:
    """Return images (N, 32, 32, 3) uint8 and labels (N,) uint8 from one binary file.

    Raises:
        DataError: the size is no whole number of records, or a label is above 9.
    """
    if not data or len(data) % _RECORD:
        raise DataError(
            f"{where}: expected a whole number of CIFAR-10 records of {_RECORD} bytes, "
            f"received {len(data):,} bytes."
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].copy()
    if labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise DataError(
            f"{where}: record {row} has label {labels[row]}; CIFAR-10's labels are 0 to 9."
        )
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels


def read_cifar_folder(folder: StrPath) -> tuple[Pair, Pair]:
    """Return the training and the test pair from a folder that holds the six .bin files."""
    return _join(
        {name: read_bytes(Path(folder) / name, _FILE_BYTES) for name in BINARY_FILES}, str(folder)
    )


def read_cifar_archive(source: StrPath | bytes, where: str = "") -> tuple[Pair, Pair]:
    """Return the training and the test pair from cifar-10-binary.tar.gz, or from its bytes.

    Nothing is unpacked to the disk, and no more than 256 MiB are unpacked at all.

    Raises:
        DataError: the archive is damaged, too large, or lacks one of the six files.
    """
    if not isinstance(source, bytes):
        where = where or str(source)
        source = read_bytes(source, _ARCHIVE_BYTES)
    import tarfile

    found: dict[str, bytes] = {}
    try:
        stream = _Bounded(gzip.GzipFile(fileobj=io.BytesIO(source)), where)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if name in BINARY_FILES and member.isreg() and member.size <= _FILE_BYTES:
                    file = archive.extractfile(member)
                    found[name] = file.read() if file else b""
        while stream.read():  # to the end, where gzip's checksum is
            pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: damaged archive ({error}).") from error
    return _join(found, where)


def _join(found: dict[str, bytes], where: str) -> tuple[Pair, Pair]:
    missing = [name for name in BINARY_FILES if name not in found]
    if missing:
        raise DataError(f"{where}: {', '.join(missing)} not found.")
    batches = [parse_cifar(found[name], f"{where}/{name}") for name in BINARY_FILES]
    train = batches[:-1]
    return (
        np.concatenate([images for images, _ in train]),
        np.concatenate([labels for _, labels in train]),
    ), batches[-1]


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than a real archive holds."""

    def __init__(self, stream: gzip.GzipFile, where: str) -> None:
        self._stream = stream
        self._left = _ARCHIVE_BYTES
        self._where = where

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self._where}: unpacks to more than {readable_size(_ARCHIVE_BYTES)}.")
        return data

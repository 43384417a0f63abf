"""Files of arrays, whatever their format, as training, validation and test parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data._files import StrPath, read_bytes
from pellucid.data.cifar import BINARY_FILES, read_cifar_archive, read_cifar_folder
from pellucid.data.idx import is_idx, read_idx
from pellucid.data.image_header import image_format
from pellucid.data.known import (
    CLASS_NAMES,
    IDX_FILES,
    load_cifar10,
    load_fashion_mnist,
    read_idx_folder,
)
from pellucid.data.mnist import load_mnist
from pellucid.data.npz import read_npz
from pellucid.errors import DataError

__all__ = ["ArraySource", "read_arrays", "source_kind"]

Array = np.ndarray[Any, Any]

_KNOWN = {"mnist": load_mnist, "fashion_mnist": load_fashion_mnist, "cifar10": load_cifar10}

# Names in use for the arrays of an NPZ file; MedMNIST's are among them.
_NAMES = {
    "training": (("x_train", "y_train"), ("train_images", "train_labels"), ("x", "y"),
                 ("X", "y"), ("images", "labels"), ("data", "target")),
    "validation": (("x_val", "y_val"), ("x_validation", "y_validation"),
                   ("val_images", "val_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}  # fmt: skip


@dataclass(frozen=True)
class ArraySource:
    """Arrays as they were found: `parts['training']` is `(x, y)`."""

    where: str
    parts: dict[str, tuple[Array, Array | None]]
    class_names: tuple[str, ...] | None = None
    others: dict[str, Array] = field(default_factory=dict)


def source_kind(path: StrPath) -> str:
    """Tell what a name or path is, by its content.

    Returns:
        'known' for a data set known by name; 'npz', 'idx', 'idx folder', 'cifar folder' or 'cifar
        archive' for arrays; 'image', 'image folder' or 'csv'.

    Raises:
        DataError: there is no such file or folder, or it is none of these.
    """
    place = Path(path)
    if str(path) in _KNOWN and not place.exists():
        return "known"
    if place.is_dir():
        names = {entry.name.removesuffix(".gz") for entry in place.iterdir()}
        if IDX_FILES[0] in names or IDX_FILES[0].replace("-idx", ".idx") in names:
            return "idx folder"
        return "cifar folder" if BINARY_FILES[0] in names else "image folder"
    if not place.exists():
        raise DataError(
            f"{path}: there is no such file or folder. The data sets known by name are "
            f"{', '.join(_KNOWN)}."
        )
    lower = place.name.lower()
    if lower.endswith((".tar.gz", ".tgz")):
        return "cifar archive"
    head = _head(place)
    if head.startswith(b"PK"):
        return "npz"
    if is_idx(head) or (head.startswith(b"\x1f\x8b") and "idx" in lower):
        return "idx"
    if image_format(head) or lower.endswith((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")):
        return "image"
    if lower.endswith((".csv", ".tsv", ".txt")):
        return "csv"
    raise DataError(
        f"{path}: expected a folder of pictures, or a CSV, NPZ, IDX or image file; this is none of "
        "them. (A table needs a name that ends in .csv or .tsv.)"
    )


def _head(path: Path) -> bytes:
    if not path.is_file():
        read_bytes(path)  # says what it is instead
    try:
        with path.open("rb") as file:
            return file.read(32)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def read_arrays(path: StrPath, kind: str) -> ArraySource:
    """Return the arrays of a data set known by name, an NPZ file, IDX files or CIFAR-10's files."""
    where = str(path)
    if kind == "known":
        return _two_parts(where, _KNOWN[where](), CLASS_NAMES[where])
    if kind == "idx folder":
        return _two_parts(where, read_idx_folder(path), None)
    if kind == "cifar folder":
        return _two_parts(where, read_cifar_folder(path), CLASS_NAMES["cifar10"])
    if kind == "cifar archive":
        return _two_parts(where, read_cifar_archive(path), CLASS_NAMES["cifar10"])
    if kind == "idx":
        return ArraySource(where, {}, others={Path(path).name: read_idx(path)})
    return _from_npz(where)


def _two_parts(where: str, split: Any, class_names: tuple[str, ...] | None) -> ArraySource:
    return ArraySource(where, dict(zip(("training", "test"), split, strict=True)), class_names)


def _from_npz(where: str) -> ArraySource:
    arrays = read_npz(where)
    parts: dict[str, tuple[Array, Array | None]] = {}
    for part, pairs in _NAMES.items():
        for x, y in pairs:
            if x in arrays and part not in parts:
                parts[part] = (arrays.pop(x), arrays.pop(y, None))
    names = arrays.pop("class_names", None)
    class_names = None if names is None else tuple(str(name) for name in names.ravel())
    return ArraySource(where, parts, class_names, arrays)

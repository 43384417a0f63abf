"""The data sets known by name: where their files may lie, and where to get them.

Sources: MNIST: see `pellucid.data.mnist`. H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel
Image Dataset for Benchmarking Machine Learning Algorithms", 2017. A. Krizhevsky, "Learning
Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data._files import StrPath
from pellucid.data.cache import cache_folder
from pellucid.data.cifar import BINARY_FILES, read_cifar_archive, read_cifar_folder
from pellucid.data.download import fetch
from pellucid.data.idx import parse_idx, read_idx
from pellucid.data.npz import read_npz
from pellucid.errors import DataError

__all__ = ["CLASS_NAMES", "IDX_FILES", "load_cifar10", "load_fashion_mnist", "read_idx_folder"]

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
Split = tuple[Pair, Pair]

CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    "cifar10": (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
}

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class _Remote:
    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


_FASHION_URLS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_FASHION = tuple(
    _Remote(f"{name}.gz", size, sha256, tuple(f"{url}{name}.gz" for url in _FASHION_URLS))
    for name, size, sha256 in (
        (
            IDX_FILES[0],
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (IDX_FILES[1], 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (
            IDX_FILES[2],
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        (IDX_FILES[3], 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    )
)
_CIFAR = _Remote(
    "cifar-10-binary.tar.gz",
    170_052_171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
)
_NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_fashion_mnist() -> Split:
    """Return `(x_train, y_train), (x_test, y_test)` of Fashion-MNIST, from disk or by download.

    Images are uint8 `(N, 28, 28)`, labels uint8 `(N,)`; 60,000 and 10,000 of them. Files are
    looked for in the cache folder, among Keras' data sets and where Debian's package
    dataset-fashion-mnist puts them; only then is anything downloaded (31 MB).

    Raises:
        DataError: files were found and are damaged.
        DownloadError: nothing was found, and there is no network.
    """
    home = cache_folder() / "fashion_mnist"
    for folder in (
        home,
        Path(os.path.expanduser("~/.keras/datasets/fashion-mnist")),  # noqa: PTH111 never raises
        Path("/usr/share/datasets/fashion-mnist"),
    ):
        if all(_idx_file(folder, name) for name in IDX_FILES):
            return _checked(read_idx_folder(folder), (28, 28), str(folder))
        if (folder / "fashion_mnist.npz").is_file():
            return _from_npz(folder / "fashion_mnist.npz", (28, 28))
    advice = (
        "Without a network, get these files elsewhere and put them, as they are, into\n"
        f"  {home}\n"
        f"  {', '.join(remote.name for remote in _FASHION)}\n"
        "or fashion_mnist.npz with x_train, y_train, x_test, y_test. "
        "On Debian and Ubuntu the package dataset-fashion-mnist is found by itself."
    )
    contents = [
        parse_idx(_fetch(remote, home, advice), str(home / remote.name)) for remote in _FASHION
    ]
    return _checked(((contents[0], contents[1]), (contents[2], contents[3])), (28, 28), str(home))


def load_cifar10() -> Split:
    """Return `(x_train, y_train), (x_test, y_test)` of CIFAR-10, from disk or by download.

    Images are uint8 `(N, 32, 32, 3)`, labels uint8 `(N,)`; 50,000 and 10,000 of them. Files are
    looked for in the cache folder first; the download is 170 MB. The form with pickled Python
    objects is not read, because reading it would run code from the file.

    Raises:
        DataError: files were found and are damaged.
        DownloadError: nothing was found, and there is no network.
    """
    home = cache_folder() / "cifar10"
    for folder in (home, home / "cifar-10-batches-bin"):
        if all((folder / name).is_file() for name in BINARY_FILES):
            return _checked(read_cifar_folder(folder), (32, 32, 3), str(folder))
    if (home / "cifar10.npz").is_file():
        return _from_npz(home / "cifar10.npz", (32, 32, 3))
    archive = home / _CIFAR.name
    advice = (
        f"Without a network, get {_CIFAR.name} elsewhere and put it into\n"
        f"  {home}\n"
        "or put the folder cifar-10-batches-bin there, or cifar10.npz with x_train, y_train, "
        "x_test, y_test."
    )
    content = _fetch(_CIFAR, home, advice)
    return _checked(read_cifar_archive(content, str(archive)), (32, 32, 3), str(archive))


def read_idx_folder(folder: StrPath) -> Split:
    """Return the training and the test pair from a folder with MNIST's four IDX files.

    Raises:
        DataError: a file is missing or damaged.
    """
    arrays = []
    for name in IDX_FILES:
        path = _idx_file(Path(folder), name)
        if path is None:
            raise DataError(f"{folder}: expected {name} (or {name}.gz), which is not there.")
        arrays.append(read_idx(path))
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def _idx_file(folder: Path, name: str) -> Path | None:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def _fetch(remote: _Remote, home: Path, advice: str) -> bytes:
    path = home / remote.name
    if path.is_file():
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == remote.sha256:
            return content
    return fetch(remote.urls, path, remote.size, remote.sha256, advice)


def _from_npz(path: Path, shape: tuple[int, ...]) -> Split:
    arrays = read_npz(path, _NPZ_ARRAYS)
    missing = [name for name in _NPZ_ARRAYS if name not in arrays]
    if missing:
        raise DataError(f"{path}: expected the array {missing[0]!r}, which is not there.")
    train, test = (
        (arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1)) for part in ("train", "test")
    )
    return _checked((train, test), shape, str(path))


def _checked(split: Split, shape: tuple[int, ...], where: str) -> Split:
    for part, (images, labels) in zip(("training", "test"), split, strict=True):
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise DataError(
                f"{where}: expected {part} images as uint8 of shape {('N', *shape)}, "
                f"received {images.dtype} of shape {images.shape}."
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise DataError(
                f"{where}: expected {len(images)} {part} labels as whole numbers, "
                f"received {labels.dtype} of shape {labels.shape}."
            )
        if labels.size and not 0 <= labels.min() <= labels.max() <= 9:
            raise DataError(f"{where}: expected {part} labels from 0 to 9.")
    (x_train, y_train), (x_test, y_test) = split
    return (x_train, y_train.astype(np.uint8)), (x_test, y_test.astype(np.uint8))

"""Fashion-MNIST: ten kinds of clothing in MNIST's format."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.data.known import load_fashion_mnist

__all__ = ["load_data"]

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def load_data() -> tuple[Pair, Pair]:
    """Return `(x_train, y_train), (x_test, y_test)`, as `keras.datasets.fashion_mnist.load_data`.

    Images are uint8 `(60000, 28, 28)` and `(10000, 28, 28)`, labels uint8 `(60000,)` and
    `(10000,)`. Files on the disk are used where there are any; else 31 MB are downloaded.

    Raises:
        DownloadError: there are no files, and no network; the message says where to put them.
    """
    return load_fashion_mnist()

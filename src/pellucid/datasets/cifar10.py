"""CIFAR-10: small colour photographs of ten kinds of things."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.data.known import load_cifar10

__all__ = ["load_data"]

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def load_data() -> tuple[Pair, Pair]:
    """Return `(x_train, y_train), (x_test, y_test)`, as `keras.datasets.cifar10.load_data`.

    Images are uint8 `(50000, 32, 32, 3)` and `(10000, 32, 32, 3)`, labels uint8 `(50000, 1)` and
    `(10000, 1)`. Files on the disk are used where there are any; else 170 MB are downloaded.

    Raises:
        DownloadError: there are no files, and no network; the message says where to put them.
    """
    (x_train, y_train), (x_test, y_test) = load_cifar10()
    return (x_train, y_train[:, None]), (x_test, y_test[:, None])

"""MNIST, which comes with Pellucid."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.data.mnist import load_mnist

__all__ = ["load_data"]

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def load_data(path: str = "mnist.npz") -> tuple[Pair, Pair]:  # noqa: ARG001 Keras' argument
    """Return `(x_train, y_train), (x_test, y_test)`, as `keras.datasets.mnist.load_data`.

    Images are uint8 `(60000, 28, 28)` and `(10000, 28, 28)`, labels uint8 `(60000,)` and
    `(10000,)`. No network is needed. `path`, Keras' name for its cached copy, has no effect.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, y_train[:5]
        ((60000, 28, 28), array([5, 0, 4, 1, 9], dtype=uint8))
    """
    return load_mnist()

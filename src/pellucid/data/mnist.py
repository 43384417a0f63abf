"""MNIST, which comes with Pellucid: 60,000 + 10,000 handwritten digits of 28 × 28 pixels.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 86 (11), 1998. The licence is in MNIST-LICENSE.txt.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pellucid.data.cache import cached_bytes, uint8_arrays
from pellucid.errors import DataError

__all__ = ["load_mnist"]

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]

_SHAPES = {
    "x_train": (60_000, 28, 28),
    "x_test": (10_000, 28, 28),
    "y_train": (60_000,),
    "y_test": (10_000,),
}
_SIZE = 70_000 * (28 * 28 + 1)
_SHA256 = "c2069063c1105f2bf96266aef1ff68c6e13bdda7a54e37bf19c16f1db24efc83"


def load_mnist() -> tuple[Pair, Pair]:
    """Return `(x_train, y_train), (x_test, y_test)` of MNIST; no network is needed.

    Images are uint8 `(N, 28, 28)`, 0 (paper) to 255 (ink); labels are uint8 `(N,)`. They are
    decoded once into the cache folder and memory-mapped from then on; changing them changes only
    your own copy.

    Raises:
        DataError: the packaged file is damaged.
    """
    arrays = uint8_arrays(cached_bytes(f"mnist-{_SHA256[:8]}.bin", _SIZE, _decode), _SHAPES)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _decode() -> bytes:
    import importlib.resources
    import lzma

    packed = importlib.resources.files("pellucid.data").joinpath("mnist.xz").read_bytes()
    name = "The packaged MNIST file"
    advice = "The installation is damaged: reinstall pellucid."
    try:
        content = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed, _SIZE + 1)
    except lzma.LZMAError as error:
        raise DataError(f"{name} cannot be unpacked ({error}). {advice}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256:
        raise DataError(f"{name} has SHA-256 {found}, expected {_SHA256}. {advice}")
    return content

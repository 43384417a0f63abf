"""A kernel slid over a picture of any size, and its answer made a picture again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data import read_image
from pellucid.errors import ArgumentError
from pellucid.explain.kernels import Kernel
from pellucid.formats._atomic import atomic_file
from pellucid.ops._window import Padding, Pair
from pellucid.ops.depthwise_conv2d import DepthwiseConv2D

__all__ = ["Shown", "as_picture", "filter_picture", "read_picture", "save_picture"]

Array = np.ndarray[Any, Any]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}


@dataclass(frozen=True)
class Shown:
    """A picture, and how numbers became its shades.

    Attributes:
        pixels: uint8, (H, W) or (H, W, 3).
        explanation: How, in one sentence.
    """

    pixels: Array
    explanation: str


def read_picture(path: str, grayscale: bool = False) -> Array:
    """Return a picture's pixels, uint8: (H, W, 1) if it has no colours, else (H, W, 3).

    Raises:
        DataError: The picture cannot be read.
    """
    pixels = np.asarray(read_image(path, "grayscale" if grayscale else "rgb"))
    if pixels.ndim == 2:
        return pixels[:, :, None]
    first = pixels[:, :, :1]
    return first if (pixels == first).all() else pixels


def filter_picture(
    pixels: Array, kernel: Kernel, strides: Pair = (1, 1), padding: Padding = "valid"
) -> Array:
    """Return the convolution of each channel by itself, float32 (OH, OW, C), white being 1.

    Args:
        pixels: The picture, uint8 (H, W, C).
        kernel: What to slide over it.
        strides: How far the window moves, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)).

    Raises:
        ShapeError: The kernel does not fit into the picture.
    """
    op = DepthwiseConv2D(strides=strides, padding=padding)
    weights = kernel.values.astype(np.float32)[:, :, None, None]
    # One channel at a time: a large photograph then takes a third of the memory.
    channels = [
        op.forward(pixels[None, :, :, c : c + 1].astype(np.float32) / 255, weights)[0]
        for c in range(pixels.shape[2])
    ]
    return np.concatenate(channels, axis=2)


def as_picture(values: Array, signed: bool) -> Shown:
    """Return numbers as shades.

    Args:
        values: (H, W, C), 0 being black and 1 white; or, if signed, of both signs.
        signed: Whether to show 0 as the middle grey, what is positive lighter and what is negative
            darker, the largest as white or black.
    """
    if signed:
        largest = float(np.abs(values).max())
        scale = 127.0 / largest if largest else 0.0
        pixels = np.rint(values * scale + 128)
        text = (
            f"Middle grey (128) is 0, lighter is positive, darker negative; "
            f"the largest number, {largest:.4g}, is 127 shades away."
        )
    else:
        outside = float(((values < 0) | (values > 1)).mean())
        pixels = np.rint(np.clip(values, 0, 1) * 255)
        text = "0 is black and 1 white"
        text += f"; {outside:.1%} of the numbers lie beyond and were cut off." if outside else "."
    shades = pixels.astype(np.uint8)
    return Shown(shades[:, :, 0] if shades.shape[2] == 1 else shades, text)


def save_picture(path: str, pixels: Array) -> None:
    """Write a picture, as PNG, JPEG, WebP or BMP as its name ends.

    Raises:
        ArgumentError: The name ends in something else.
        OSError: The file cannot be written.
    """
    from PIL import Image

    form = _FORMATS.get(Path(path).suffix.lower())
    if form is None:
        raise ArgumentError(
            f"{path}: a picture's name ends in {', '.join(_FORMATS)}; PNG loses nothing."
        )
    with atomic_file(path) as file:
        Image.fromarray(pixels).save(file, form)

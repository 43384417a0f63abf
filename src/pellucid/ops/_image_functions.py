"""Functions on images, and the normalising functions that came with them.

Names and arguments are those of `keras.ops`; `resize` is `keras.ops.image.resize`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._arguments import apply, channels_last, floats, numbers, pair
from pellucid.ops._operation import Array
from pellucid.ops._resizing import resizing
from pellucid.ops._symbolic import Symbolic, function
from pellucid.ops.depth_to_space import DepthToSpace
from pellucid.ops.pad import Pad
from pellucid.ops.rms_normalization import RMSNormalization
from pellucid.ops.space_to_depth import SpaceToDepth
from pellucid.ops.unit_normalization import UnitNormalization

__all__ = [
    "depth_to_space",
    "normalize",
    "pad",
    "resize",
    "rms_normalization",
    "space_to_depth",
]


@function
def resize(
    images: npt.ArrayLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Array:
    """Return images with another height and width (`resize.py`).

    Shapes: (N, H, W, C) → (N, size[0], size[1], C), or the same without N. The proportions change
    unless what is too much is cropped, or what lacks padded with `fill_value`.

    Example:
        >>> resize([[[0.0], [1.0]]], (1, 4)).ravel()
        array([0.  , 0.25, 0.75, 1.  ], dtype=float32)
    """
    channels_last("resize", data_format)
    (x,) = floats(images)
    single = x.ndim == 3
    if single and isinstance(x, Symbolic):
        raise ShapeError(f"resize: expected images (N, H, W, C), received shape {x.shape}.")
    y = x[np.newaxis] if single else x
    for op in resizing(
        "resize",
        y.shape,
        pair("resize", "size", size),
        interpolation,
        antialias,
        crop_to_aspect_ratio,
        pad_to_aspect_ratio,
        fill_mode,
        fill_value,
    ):
        y = apply(op, y)
    image: Array = y[0] if single else y
    return image


@function
def depth_to_space(x: npt.ArrayLike, block_size: int, data_format: str = "channels_last") -> Array:
    """Return images whose channels are laid out as blocks of pixels (`depth_to_space.py`).

    Shapes: (N, H, W, b·b·C) → (N, H·b, W·b, C) for blocks of b × b.

    Example:
        >>> depth_to_space([[[[1.0, 2.0, 3.0, 4.0]]]], 2)[0, :, :, 0]
        array([[1., 2.],
               [3., 4.]], dtype=float32)
    """
    channels_last("depth_to_space", data_format)
    y: Array = apply(DepthToSpace(block_size), *numbers(x))
    return y


@function
def space_to_depth(x: npt.ArrayLike, block_size: int, data_format: str = "channels_last") -> Array:
    """Return images whose blocks of pixels are laid out as channels (`space_to_depth.py`).

    Shapes: (N, H·b, W·b, C) → (N, H, W, b·b·C) for blocks of b × b.

    Example:
        >>> space_to_depth([[[[1.0], [2.0]], [[3.0], [4.0]]]], 2)
        array([[[[1., 2., 3., 4.]]]], dtype=float32)
    """
    channels_last("space_to_depth", data_format)
    y: Array = apply(SpaceToDepth(block_size), *numbers(x))
    return y


@function
def pad(
    x: npt.ArrayLike,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: str = "constant",
    constant_values: npt.ArrayLike | None = None,
) -> Array:
    """Return x with something before and after it along its axes (`pad.py`).

    `pad_width` is one number for all sides, one pair (before, after) for all axes, or a pair for
    each axis. Modes: "constant", "edge", "reflect", "symmetric", "wrap".

    Example:
        >>> pad([1, 2, 3], 2, "reflect")
        array([3, 2, 1, 2, 3, 2, 1])
    """
    given = constant_values is not None
    if isinstance(constant_values, Symbolic) or (given and mode != "constant"):
        raise ArgumentError(
            "pad: constant_values must be a number, and is for mode='constant' only, received "
            f"{constant_values!r} with mode={mode!r}."
        )
    (array,) = numbers(x)
    width = _pad_width(pad_width, array.ndim)
    value = float(np.asarray(constant_values)) if given else 0.0
    if width and width[0] == (0, 0):
        y: Array = apply(Pad(width[1:], mode, value), array)
    elif isinstance(array, Symbolic):
        raise ArgumentError(f"pad: the batch cannot be padded, received pad_width {pad_width}.")
    else:
        y = apply(Pad(width, mode, value), array[np.newaxis])[0]
    return y


@function
def rms_normalization(
    x: npt.ArrayLike,
    scale: npt.ArrayLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Array:
    """Return x / √(mean(x²) + epsilon) · scale (`rms_normalization.py`).

    The mean is that of each sample along `axis`; epsilon is 1e-7 unless it is given. Shapes: x of
    any rank ≥ 2; scale has its sizes along `axis`.

    Example:
        >>> rms_normalization([[1.0, 7.0]])
        array([[0.2, 1.4]], dtype=float32)
    """
    op = RMSNormalization(_axis(axis), 1e-7 if epsilon is None else epsilon)
    given = floats(x) if scale is None else floats(x, scale)
    y: Array = apply(op, *given)
    return y


@function
def normalize(
    x: npt.ArrayLike,
    axis: int | Sequence[int] = -1,
    order: int = 2,
    epsilon: float | None = None,
) -> Array:
    """Return x scaled to a length of 1 along `axis` (`unit_normalization.py`).

    What is shorter than epsilon, 1e-7 unless it is given, is divided by epsilon. Of the orders of
    Keras' norms there is 2.

    Example:
        >>> normalize([[3.0, 4.0]])
        array([[0.6, 0.8]], dtype=float32)
    """
    if order != 2:
        raise ArgumentError(f"normalize: order must be 2, received {order!r}.")
    op = UnitNormalization(_axis(axis), 1e-7 if epsilon is None else epsilon)
    y: Array = apply(op, *floats(x))
    return y


def _axis(axis: int | Sequence[int]) -> int | tuple[int, ...]:
    return axis if isinstance(axis, int) else tuple(sorted(axis))


def _pad_width(given: object, rank: int) -> tuple[tuple[int, int], ...]:
    """Return a pair for every axis."""
    array = np.asarray(given)
    if array.dtype.kind not in "iu" or array.shape not in ((), (1,), (2,), (1, 2), (rank, 2)):
        raise ArgumentError(
            f"pad: pad_width must be a whole number, a pair of them, or a pair for each of the "
            f"{rank} axes, received {given!r}."
        )
    pairs = np.broadcast_to(array, (rank, 2))
    return tuple((int(before), int(after)) for before, after in pairs)

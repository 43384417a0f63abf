"""The operations as plain functions, for two-dimensional images with their channels last.

Names, arguments and defaults are those of `keras.ops`; NumPy arrays, lists or numbers go in, NumPy
arrays come out. Whole numbers become float32 wherever an operation makes fractions. What each one
computes, with its formula and source, stands in the module named in its docstring.

What does not fit is refused: ShapeError for shapes, TypeMismatchError for what is not a number,
ArgumentError for the rest, `data_format="channels_first"` among it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from pellucid.ops._arguments import apply, channels_last, floats, pair, window_padding
from pellucid.ops._operation import Array
from pellucid.ops._symbolic import function
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.batch_normalization import BatchNormalization
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.conv2d_transpose import Conv2DTranspose
from pellucid.ops.depthwise_conv2d import DepthwiseConv2D
from pellucid.ops.layer_normalization import LayerNormalization
from pellucid.ops.max_pool2d import MaxPool2D

__all__ = [
    "average_pool",
    "batch_normalization",
    "conv",
    "conv_transpose",
    "depthwise_conv",
    "layer_normalization",
    "max_pool",
    "separable_conv",
]

Pairs = int | Sequence[int]
Paddings = str | Sequence[Sequence[int]]


@function
def conv(
    inputs: npt.ArrayLike,
    kernel: npt.ArrayLike,
    strides: Pairs = 1,
    padding: Paddings = "valid",
    data_format: str | None = None,
    dilation_rate: Pairs = 1,
) -> Array:
    """Return the convolution of images with a kernel (`conv2d.py`).

    Shapes: inputs (N, H, W, C), kernel (KH, KW, C / groups, O) → (N, OH, OW, O). There are as many
    groups as the kernel's third axis goes into C. Beside 'valid' and 'same', padding may be
    ((top, bottom), (left, right)).

    Example:
        >>> import numpy as np
        >>> image = np.arange(1.0, 26.0).reshape(1, 5, 5, 1)
        >>> prewitt = np.array([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]])
        >>> conv(image, prewitt.reshape(3, 3, 1, 1))[0, :, :, 0]
        array([[30., 30., 30.],
               [30., 30., 30.],
               [30., 30., 30.]])
    """
    channels_last("conv", data_format)
    x, weights = floats(inputs, kernel)
    groups = 1
    if x.ndim == weights.ndim == 4 and x.shape[3] and weights.shape[2]:
        groups = max(x.shape[3] // weights.shape[2], 1)
    op = Conv2D(
        pair("conv", "strides", strides),
        window_padding(padding),
        pair("conv", "dilation_rate", dilation_rate),
        groups,
    )
    return apply(op, x, weights, None)


@function
def depthwise_conv(
    inputs: npt.ArrayLike,
    kernel: npt.ArrayLike,
    strides: Pairs = 1,
    padding: Paddings = "valid",
    data_format: str | None = None,
    dilation_rate: Pairs = 1,
) -> Array:
    """Return the convolution of every channel with kernels of its own (`depthwise_conv2d.py`).

    Shapes: inputs (N, H, W, C), kernel (KH, KW, C, M) → (N, OH, OW, C · M).

    Example:
        >>> import numpy as np
        >>> depthwise_conv(np.ones((1, 3, 3, 2)), np.ones((2, 2, 2, 1))).shape
        (1, 2, 2, 2)
    """
    channels_last("depthwise_conv", data_format)
    op = DepthwiseConv2D(
        pair("depthwise_conv", "strides", strides),
        window_padding(padding),
        pair("depthwise_conv", "dilation_rate", dilation_rate),
    )
    return apply(op, *floats(inputs, kernel), None)


@function
def separable_conv(
    inputs: npt.ArrayLike,
    depthwise_kernel: npt.ArrayLike,
    pointwise_kernel: npt.ArrayLike,
    strides: Pairs = 1,
    padding: Paddings = "valid",
    data_format: str | None = None,
    dilation_rate: Pairs = 1,
) -> Array:
    """Return a depthwise convolution followed by one of 1×1 that mixes the channels.

    Shapes: inputs (N, H, W, C), depthwise_kernel (KH, KW, C, M), pointwise_kernel (1, 1, C · M, O)
    → (N, OH, OW, O).

    Example:
        >>> import numpy as np
        >>> x = np.ones((1, 3, 3, 2))
        >>> separable_conv(x, np.ones((2, 2, 2, 1)), np.ones((1, 1, 2, 5))).shape
        (1, 2, 2, 5)
    """
    depthwise = depthwise_conv(
        inputs, depthwise_kernel, strides, padding, data_format, dilation_rate
    )
    return apply(Conv2D(), *floats(depthwise, pointwise_kernel), None)


@function
def conv_transpose(
    inputs: npt.ArrayLike,
    kernel: npt.ArrayLike,
    strides: Pairs = 1,
    padding: str = "valid",
    output_padding: Pairs | None = None,
    data_format: str | None = None,
    dilation_rate: Pairs = 1,
) -> Array:
    """Return the transposed convolution of images with a kernel (`conv2d_transpose.py`).

    Shapes: inputs (N, H, W, C), kernel (KH, KW, O, C) → (N, OH, OW, O).

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0]).reshape(1, 1, 2, 1)
        >>> conv_transpose(x, np.ones((1, 2, 1, 1)), strides=(1, 2))[0, 0, :, 0]
        array([1., 1., 2., 2.])
    """
    name = "conv_transpose"
    channels_last(name, data_format)
    op = Conv2DTranspose(
        pair(name, "strides", strides),
        padding.lower(),
        None
        if output_padding is None
        else pair("conv_transpose", "output_padding", output_padding),
        pair(name, "dilation_rate", dilation_rate),
    )
    return apply(op, *floats(inputs, kernel), None)


@function
def max_pool(
    inputs: npt.ArrayLike,
    pool_size: Pairs,
    strides: Pairs | None = None,
    padding: Paddings = "valid",
    data_format: str | None = None,
) -> Array:
    """Return the largest number of every window (`max_pool2d.py`); strides: by default pool_size.

    Shapes: inputs (N, H, W, C) → (N, OH, OW, C).

    Example:
        >>> import numpy as np
        >>> x = np.array([[1, 3, 2, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]])
        >>> max_pool(x.reshape(1, 4, 4, 1), 2)[0, :, :, 0]
        array([[ 6.,  8.],
               [14., 16.]], dtype=float32)
    """
    channels_last("max_pool", data_format)
    size = pair("max_pool", "pool_size", pool_size)
    moved = size if strides is None else pair("max_pool", "strides", strides)
    return apply(MaxPool2D(size, moved, window_padding(padding)), *floats(inputs))


@function
def average_pool(
    inputs: npt.ArrayLike,
    pool_size: Pairs,
    strides: Pairs | None = None,
    padding: Paddings = "valid",
    data_format: str | None = None,
) -> Array:
    """Return the mean of every window (`average_pool2d.py`); strides: by default pool_size.

    Padding is left out of the mean. Shapes: inputs (N, H, W, C) → (N, OH, OW, C).

    Example:
        >>> import numpy as np
        >>> average_pool(np.arange(4.0).reshape(1, 2, 2, 1), 2)
        array([[[[1.5]]]])
    """
    channels_last("average_pool", data_format)
    size = pair("average_pool", "pool_size", pool_size)
    moved = size if strides is None else pair("average_pool", "strides", strides)
    return apply(AveragePool2D(size, moved, window_padding(padding)), *floats(inputs))


@function
def batch_normalization(
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    axis: int,
    offset: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
) -> Array:
    """Return (x − mean) / √(variance + epsilon) · scale + offset (`batch_normalization.py`).

    Shapes: x of any rank ≥ 2 with C channels along `axis`; the others (C,).

    Example:
        >>> batch_normalization([[1.0, 5.0]], [0.0, 5.0], [4.0, 4.0], axis=-1, epsilon=1e-9)
        array([[0.5, 0. ]], dtype=float32)
    """
    given = [t for t in (scale, offset) if t is not None]
    array, mu, var, *rest = floats(x, mean, variance, *given)
    gamma = None if scale is None else rest.pop(0)
    beta = None if offset is None else rest.pop(0)
    return apply(BatchNormalization(axis=axis, epsilon=epsilon), array, gamma, beta, mu, var)


@function
def layer_normalization(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Array:
    """Return (x − mean) / √(variance + epsilon) · gamma + beta (`layer_normalization.py`).

    Mean and variance are those of each sample along `axis`; epsilon is 1e-7 unless it is given.
    Shapes: x of any rank ≥ 2; gamma and beta have its sizes along `axis`.

    Example:
        >>> layer_normalization([[1.0, 3.0, 5.0]]).round(4)
        array([[-1.2247,  0.    ,  1.2247]], dtype=float32)
    """
    given = [t for t in (gamma, beta) if t is not None]
    array, *rest = floats(x, *given)
    axes = axis if isinstance(axis, int) else tuple(axis)
    op = LayerNormalization(axes, 1e-7 if epsilon is None else epsilon)
    scale = None if gamma is None else rest.pop(0)
    offset = None if beta is None else rest.pop(0)
    return apply(op, array, scale, offset)

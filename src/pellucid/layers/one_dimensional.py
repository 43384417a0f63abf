"""Layers for rows of vectors (N, L, C), such as series of measurements.

All but the convolution are those for images, applied to images one pixel wide: (N, L, 1, C).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import initializers, regularizers
from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, last_axis, positive
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.layers._weighted import WeightedLayer
from pellucid.layers.core import SpatialDropout2D
from pellucid.ops._operation import Operation, Shape
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.conv1d import Conv1D as Convolution
from pellucid.ops.cropping2d import Cropping2D
from pellucid.ops.global_average_pool2d import GlobalAveragePool2D
from pellucid.ops.global_max_pool2d import GlobalMaxPool2D as GlobalMaximum
from pellucid.ops.max_pool2d import MaxPool2D as WindowMaximum
from pellucid.ops.reshape import Reshape
from pellucid.ops.resize import Resize
from pellucid.ops.zero_padding2d import ZeroPadding2D

__all__ = [
    "AveragePooling1D",
    "AvgPool1D",
    "Conv1D",
    "Convolution1D",
    "Cropping1D",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "GlobalMaxPooling1D",
    "MaxPool1D",
    "MaxPooling1D",
    "SpatialDropout1D",
    "UpSampling1D",
    "ZeroPadding1D",
]


class _Rows(Layer):
    """A layer that applies one operation on images to (N, L, C)."""

    _op: Operation

    def call(self, g: Tracer, x: Value) -> Value:
        """Make an image one pixel wide, apply the operation, and make rows again."""
        made = g.apply(self._op, as_image(self.name, g, x), role="image_output")
        return g.apply(Reshape(_without_width(made.shape)), made)


class Conv1D(WeightedLayer):
    """One-dimensional convolution: (N, L, C) → (N, OL, filters).

    y = activation(kernel ⋆ x + bias), along the axis of length L.

    Args:
        filters: How many kernels, and so output channels, there are.
        kernel_size: The kernel's length.
        strides: How far the window moves.
        padding: "valid" (none), "same" (output length = ⌈L / stride⌉), or "causal" (zeros before
            the beginning, so that no output sees what comes after it).
        data_format: "channels_last", the only one.
        dilation_rate: The distance between the kernel's taps.
        groups: The number of runs that the channels are split into.
        activation: A name or function; None for none.
        use_bias: Whether a bias is added to every channel.
        kernel_initializer: What the kernel starts as; (kernel_size, C / groups, filters).
        bias_initializer: What the bias starts as; (filters,).
        kernel_regularizer: The penalty on the kernel.
        bias_regularizer: The penalty on the bias.
        **options: kernel_constraint, bias_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, L, C), the channels do not split into the groups, or the
            window does not fit.

    >>> layer = Conv1D(8, 3, activation="relu", padding="causal")
    >>> layer(np.zeros((2, 20, 4))).shape
    (2, 20, 8)
    >>> [weight.shape for weight in layer.weights]
    [(3, 4, 8), (8,)]
    """

    keras_only: ClassVar[Mapping[str, Any]] = {"activity_regularizer": None}

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int],
        strides: int | tuple[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activation, use_bias, bias_initializer, bias_regularizer, options)
        self.filters = positive(self.name, "filters", filters)
        self.kernel_size = _single(self.name, "kernel_size", kernel_size)
        self.strides = _single(self.name, "strides", strides)
        known = ("valid", "same", "causal")
        self.padding = choice(self.name, "padding", str(padding).lower(), known)
        self.data_format = require_channels_last(self.name, data_format)
        self.dilation_rate = _single(self.name, "dilation_rate", dilation_rate)
        self.groups = positive(self.name, "groups", groups)
        if self.filters % self.groups:
            raise ArgumentError(
                f"{self.name}: {filters} filters cannot be split into {groups} groups."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        dilation = self.dilation_rate[0]
        causal = (dilation * (self.kernel_size[0] - 1), 0)
        around = causal if self.padding == "causal" else self.padding
        self._op = Convolution(self.strides[0], around, dilation, self.groups)

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        _require_rows(self.name, input_shape)
        channels = last_axis(self.name, input_shape, "channels")
        if channels % self.groups:
            raise ShapeError(
                f"{self.name}: {channels} channels of an input of shape {input_shape} cannot be "
                f"split into {self.groups} groups."
            )
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.add_bias(self.filters)

    def call(self, g: Tracer, x: Value) -> Value:
        """Slide the kernels along, and apply the activation."""
        return self.finish(g, self._op, x, g.weight(self.kernel))


class _Pooling1D(_Rows):
    """A layer that makes one number of each window."""

    def __init__(
        self,
        pool_size: int | tuple[int],
        strides: int | tuple[int] | None,
        padding: str,
        data_format: str | None,
        options: LayerOptions,
    ) -> None:
        super().__init__(**options)
        self.pool_size = _single(self.name, "pool_size", pool_size)
        self.strides = _single(self.name, "strides", self.pool_size if strides is None else strides)
        self.padding = choice(self.name, "padding", str(padding).lower(), ("valid", "same"))
        self.data_format = require_channels_last(self.name, data_format)


class MaxPooling1D(_Pooling1D):
    """The largest number of each window: (N, L, C) → (N, OL, C).

    Args:
        pool_size: The window's length.
        strides: How far the window moves; by default its own length.
        padding: "valid" or "same".
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, L, C), or the window does not fit.

    >>> MaxPooling1D(2)([[[1.0], [5.0], [3.0], [2.0]]]).ravel()
    array([5., 3.], dtype=float32)
    """

    def __init__(
        self,
        pool_size: int | tuple[int] = 2,
        strides: int | tuple[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, options)
        self._op = WindowMaximum((*self.pool_size, 1), (*self.strides, 1), self.padding)


class AveragePooling1D(_Pooling1D):
    """The mean of each window: (N, L, C) → (N, OL, C); padding is left out of it.

    Args:
        pool_size: The window's length.
        strides: How far the window moves; by default its own length.
        padding: "valid" or "same".
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, L, C), or the window does not fit.

    >>> AveragePooling1D(2)([[[1.0], [5.0], [3.0], [2.0]]]).ravel()
    array([3. , 2.5], dtype=float32)
    """

    def __init__(
        self,
        pool_size: int | tuple[int],
        strides: int | tuple[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, options)
        self._op = AveragePool2D((*self.pool_size, 1), (*self.strides, 1), self.padding)


class _GlobalPooling1D(Layer):
    """A layer that makes one number of each channel."""

    _operation: ClassVar[type[GlobalMaximum] | type[GlobalAveragePool2D]]

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.data_format = require_channels_last(self.name, data_format)
        self.keepdims = bool(keepdims)

    def call(self, g: Tracer, x: Value) -> Value:
        """Make one number of each channel."""
        image = as_image(self.name, g, x)
        if not self.keepdims:
            return g.apply(self._operation(), image)
        made = g.apply(self._operation(keepdims=True), image, role="image_output")
        return g.apply(Reshape(_without_width(made.shape)), made)


class GlobalMaxPooling1D(_GlobalPooling1D):
    """The largest number of each channel: (N, L, C) → (N, C), or (N, 1, C) with `keepdims`.

    Args:
        data_format: "channels_last", the only one.
        keepdims: Whether the length stays, as an axis of size 1.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The input is not (N, L, C).

    >>> GlobalMaxPooling1D()([[[1.0], [5.0], [3.0]]])
    array([[5.]], dtype=float32)
    """

    _operation = GlobalMaximum


class GlobalAveragePooling1D(_GlobalPooling1D):
    """The mean of each channel: (N, L, C) → (N, C), or (N, 1, C) with `keepdims`.

    Args:
        data_format: "channels_last", the only one.
        keepdims: Whether the length stays, as an axis of size 1.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The input is not (N, L, C).

    >>> GlobalAveragePooling1D()([[[1.0], [5.0], [3.0]]])
    array([[3.]], dtype=float32)
    """

    _operation = GlobalAveragePool2D


class ZeroPadding1D(_Rows):
    """Zeros at both ends: (N, L, C) → (N, before + L + after, C).

    Args:
        padding: One number, or (before, after).
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, L, C).

    >>> ZeroPadding1D((0, 2))([[[1.0]]]).ravel()
    array([1., 0., 0.], dtype=float32)
    """

    def __init__(
        self,
        padding: int | tuple[int, int] = 1,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.padding = _ends(self.name, "padding", padding)
        self.data_format = require_channels_last(self.name, data_format)
        self._op = ZeroPadding2D((self.padding, (0, 0)))


class Cropping1D(_Rows):
    """The ends cut off: (N, L, C) → (N, L − before − after, C).

    Args:
        cropping: One number, or (before, after).
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, L, C), or nothing would be left of it.

    >>> Cropping1D((0, 2))([[[1.0], [2.0], [3.0]]]).ravel()
    array([1.], dtype=float32)
    """

    def __init__(
        self, cropping: int | tuple[int, int] = (1, 1), **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        self.cropping = _ends(self.name, "cropping", cropping)
        self._op = Cropping2D((self.cropping, (0, 0)))


class UpSampling1D(_Rows):
    """Every vector repeated: (N, L, C) → (N, L · size, C).

    Args:
        size: How often.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `size` is not a whole number above 0.
        ShapeError: The input is not (N, L, C).

    >>> UpSampling1D(2)([[[1.0], [2.0]]]).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    def __init__(self, size: int = 2, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.size = positive(self.name, "size", size)
        self._op = Resize(None, (float(self.size), 1.0), "nearest")


class SpatialDropout1D(SpatialDropout2D):
    """In training, whole channels are set to 0: (N, L, C), kept.

    y[n, :, c] = x[n, :, c] · mask[n, c] / (1 − rate); otherwise y = x.

    Args:
        rate: The probability to drop a channel, from 0 to 1.
        seed: A seed of its own; None for the global one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, L, C).

    Source: Tompson, Goroshin, Jain, LeCun, Bregler, "Efficient Object Localization Using
    Convolutional Networks", CVPR 2015.

    >>> SpatialDropout1D(0.5)(np.ones((1, 2, 3))).shape
    (1, 2, 3)
    """

    def __init__(
        self, rate: float, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(rate, seed=seed, **options)

    def mask_shape(self, shape: Shape) -> Shape:
        """Return (N, 1, C)."""
        _require_rows(self.name, shape)
        return (shape[0], 1, shape[2])


def as_image(layer: str, g: Tracer, x: Value) -> Value:
    """Return rows (N, L, C) as images one pixel wide, (N, L, 1, C)."""
    _require_rows(layer, x.shape)
    _, length, channels = x.shape
    if channels is None:
        raise ShapeError(f"{layer}: the number of channels must be known, received {x.shape}.")
    return g.apply(Reshape((-1 if length is None else length, 1, channels)), x, role="image")


def _without_width(shape: Shape) -> tuple[int, int]:
    """(L, C) of images (N, L, 1, C)."""
    _, length, _, channels = shape
    return -1 if length is None else length, -1 if channels is None else channels


def _require_rows(layer: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise ShapeError(f"{layer}: expected rows of vectors (N, L, C), received shape {shape}.")


def _single(layer: str, name: str, value: Any) -> tuple[int]:
    """Return (n,) from a number, or from a tuple or list of one."""
    only = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
    return (positive(layer, name, only),)


def _ends(layer: str, name: str, value: Any) -> tuple[int, int]:
    """Return (before, after) from that, or from one number for both."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n >= 0 for n in pair):
        raise ArgumentError(
            f"{layer}: {name} must be a whole number of at least 0 or a pair (before, after), "
            f"received {value!r}."
        )
    return int(pair[0]), int(pair[1])


Convolution1D = Conv1D
MaxPool1D = MaxPooling1D
AvgPool1D = AveragePooling1D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalAvgPool1D = GlobalAveragePooling1D

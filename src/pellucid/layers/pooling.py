"""Pooling layers: the largest or the mean of a window, or of the whole image."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import padding_argument, pair
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.ops._operation import Operation
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.global_average_pool2d import GlobalAveragePool2D
from pellucid.ops.global_max_pool2d import GlobalMaxPool2D as GlobalMaximum
from pellucid.ops.max_pool2d import MaxPool2D as WindowMaximum

__all__ = [
    "AveragePooling2D",
    "AvgPool2D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "MaxPool2D",
    "MaxPooling2D",
]


class _Pooling(Layer):
    """A layer that makes one number of each window."""

    _op: Operation

    def __init__(
        self,
        pool_size: int | tuple[int, int],
        strides: int | tuple[int, int] | None,
        padding: Any,
        data_format: str | None,
        options: LayerOptions,
    ) -> None:
        super().__init__(**options)
        self.pool_size = pair(self.name, "pool_size", pool_size)
        self.strides = pair(self.name, "strides", self.pool_size if strides is None else strides)
        self.padding = padding_argument(self.name, padding)
        self.data_format = require_channels_last(self.name, data_format)

    def call(self, g: Tracer, x: Value) -> Value:
        """Make one number of each window."""
        return g.apply(self._op, x)


class MaxPooling2D(_Pooling):
    """The largest number of each window: (N, H, W, C) → (N, OH, OW, C).

    Of equal numbers the first, in row-major order, wins, and alone gets the gradient.

    Args:
        pool_size: The window's height and width, or one number for both.
        strides: How far the window moves; by default its own size.
        padding: "valid", "same" or ((top, bottom), (left, right)); padding never wins.
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or the window does not fit.

    >>> MaxPooling2D(2)([[[[1.0], [5.0]], [[3.0], [2.0]]]])
    array([[[[5.]]]], dtype=float32)
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int] = (2, 2),
        strides: int | tuple[int, int] | None = None,
        padding: Any = "valid",
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, options)
        self._op = WindowMaximum(self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pooling):
    """The mean of each window: (N, H, W, C) → (N, OH, OW, C).

    Padding is left out of the mean: at the edges fewer numbers count.

    Args:
        pool_size: The window's height and width, or one number for both.
        strides: How far the window moves; by default its own size.
        padding: "valid", "same" or ((top, bottom), (left, right)).
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or the window does not fit.

    >>> AveragePooling2D(2)([[[[1.0], [5.0]], [[4.0], [2.0]]]])
    array([[[[3.]]]], dtype=float32)
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int],
        strides: int | tuple[int, int] | None = None,
        padding: Any = "valid",
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, options)
        self._op = AveragePool2D(self.pool_size, self.strides, self.padding)


class _GlobalPooling(Layer):
    """A layer that makes one number of each channel."""

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.data_format = require_channels_last(self.name, data_format)
        self.keepdims = bool(keepdims)


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest number of each channel: (N, H, W, C) → (N, C), or (N, 1, 1, C) with `keepdims`.

    Args:
        data_format: "channels_last", the only one.
        keepdims: Whether the height and width stay, as axes of size 1.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The input is not (N, H, W, C).

    >>> GlobalMaxPooling2D()([[[[1.0], [5.0]], [[3.0], [2.0]]]])
    array([[5.]], dtype=float32)
    """

    def call(self, g: Tracer, x: Value) -> Value:
        """Take the largest number of each channel."""
        return g.apply(GlobalMaximum(self.keepdims), x)


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel: (N, H, W, C) → (N, C), or (N, 1, 1, C) with `keepdims`.

    Args:
        data_format: "channels_last", the only one.
        keepdims: Whether the height and width stay, as axes of size 1.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The input is not (N, H, W, C).

    Source: Lin, Chen, Yan, "Network in Network", ICLR 2014.

    >>> GlobalAveragePooling2D()([[[[1.0], [5.0]], [[4.0], [2.0]]]])
    array([[3.]], dtype=float32)
    """

    def call(self, g: Tracer, x: Value) -> Value:
        """Take the mean of each channel."""
        return g.apply(GlobalAveragePool2D(self.keepdims), x)


MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D

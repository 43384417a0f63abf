"""Convolution layers: Conv2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from pellucid import initializers, regularizers
from pellucid.constraints import Constraint
from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, image_channels, padding_argument, pair, positive
from pellucid.layers._layer import LayerOptions, require_channels_last
from pellucid.layers._weighted import WeightedLayer
from pellucid.ops._operation import Shape
from pellucid.ops._window import Pair
from pellucid.ops.conv2d import Conv2D as Convolution
from pellucid.ops.conv2d_transpose import Conv2DTranspose as TransposedConvolution
from pellucid.ops.depthwise_conv2d import DepthwiseConv2D as DepthwiseConvolution

__all__ = [
    "Conv2D",
    "Conv2DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "SeparableConvolution2D",
]


class _Convolution(WeightedLayer):
    """The arguments that all convolutions have."""

    keras_only: ClassVar[Mapping[str, Any]] = {"activity_regularizer": None}

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int],
        padding: Any,
        data_format: str | None,
        dilation_rate: int | tuple[int, int],
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        options: LayerOptions,
    ) -> None:
        super().__init__(activation, use_bias, bias_initializer, bias_regularizer, options)
        self.kernel_size = pair(self.name, "kernel_size", kernel_size)
        self.strides = pair(self.name, "strides", strides)
        self.padding = padding_argument(self.name, padding)
        self.data_format = require_channels_last(self.name, data_format)
        self.dilation_rate = pair(self.name, "dilation_rate", dilation_rate)


class Conv2D(_Convolution):
    """Two-dimensional convolution: (N, H, W, C) → (N, OH, OW, filters).

    y = activation(kernel ⋆ x + bias), with the window arithmetic of `pellucid.ops.conv2d`.

    Args:
        filters: How many kernels, and so output channels, there are.
        kernel_size: The kernel's height and width, or one number for both.
        strides: How far the window moves, (down, right) or one number for both.
        padding: "valid" (none), "same" (output size = ⌈input size / stride⌉), or
            ((top, bottom), (left, right)).
        data_format: "channels_last", the only one.
        dilation_rate: The distance between the kernel's taps.
        groups: The number of runs that the channels are split into.
        activation: A name or function; None for none.
        use_bias: Whether a bias is added to every channel.
        kernel_initializer: What the kernel starts as; (KH, KW, C / groups, filters).
        bias_initializer: What the bias starts as; (filters,).
        kernel_regularizer: The penalty on the kernel.
        bias_regularizer: The penalty on the bias.
        **options: kernel_constraint, bias_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), the channels do not split into the groups, or
            the window does not fit.

    >>> import numpy as np
    >>> layer = Conv2D(8, 3, activation="relu", padding="same")
    >>> layer(np.zeros((2, 28, 28, 1))).shape
    (2, 28, 28, 8)
    >>> [weight.shape for weight in layer.weights]
    [(3, 3, 1, 8), (8,)]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            options,
        )
        self.filters = positive(self.name, "filters", filters)
        self.groups = positive(self.name, "groups", groups)
        if self.filters % self.groups:
            raise ArgumentError(
                f"{self.name}: {filters} filters cannot be split into {groups} groups."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self._op = Convolution(self.strides, self.padding, self.dilation_rate, self.groups)

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        channels = image_channels(self.name, input_shape)
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
        """Convolve, add the bias, apply the activation."""
        return self.finish(g, self._op, x, g.weight(self.kernel))


class DepthwiseConv2D(_Convolution):
    """Convolution of each channel alone: (N, H, W, C) → (N, OH, OW, C · depth_multiplier).

    y = activation(kernel ⋆ x + bias), where output channel c · depth_multiplier + m is made of
    input channel c by the kernel [:, :, c, m].

    Args:
        kernel_size: The kernel's height and width, or one number for both.
        strides: How far the window moves, (down, right) or one number for both.
        padding: "valid", "same" or ((top, bottom), (left, right)).
        depth_multiplier: How many output channels each input channel makes.
        data_format: "channels_last", the only one.
        dilation_rate: The distance between the kernel's taps.
        activation: A name or function; None for none.
        use_bias: Whether a bias is added to every channel.
        depthwise_initializer: What the kernel starts as; (KH, KW, C, depth_multiplier).
        bias_initializer: What the bias starts as; (C · depth_multiplier,).
        depthwise_regularizer: The penalty on the kernel.
        bias_regularizer: The penalty on the bias.
        **options: depthwise_constraint, bias_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or the window does not fit.

    >>> import numpy as np
    >>> DepthwiseConv2D(3, depth_multiplier=2)(np.zeros((1, 8, 8, 3))).shape
    (1, 6, 6, 6)
    """

    constrainable: ClassVar[tuple[str, ...]] = ("depthwise_constraint", "bias_constraint")
    depthwise_constraint: Constraint | None

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Any = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            options,
        )
        self.depth_multiplier = positive(self.name, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self._op = DepthwiseConvolution(self.strides, self.padding, self.dilation_rate)

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        channels = image_channels(self.name, input_shape)
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.add_bias(channels * self.depth_multiplier)

    def call(self, g: Tracer, x: Value) -> Value:
        """Convolve each channel, add the bias, apply the activation."""
        return self.finish(g, self._op, x, g.weight(self.kernel))


class SeparableConv2D(_Convolution):
    """Depthwise convolution, then a mixture of the channels: (N, H, W, C) → (N, OH, OW, filters).

    y = activation(pointwise_kernel ⋆ (depthwise_kernel ⋆ x) + bias); the pointwise kernel is 1×1.

    Args:
        filters: How many output channels there are.
        kernel_size: The depthwise kernel's height and width, or one number for both.
        strides: How far the window moves, (down, right) or one number for both.
        padding: "valid", "same" or ((top, bottom), (left, right)).
        data_format: "channels_last", the only one.
        dilation_rate: The distance between the kernel's taps.
        depth_multiplier: How many channels the depthwise part makes of each input channel.
        activation: A name or function; None for none.
        use_bias: Whether a bias is added to every channel.
        depthwise_initializer: What the first kernel starts as; (KH, KW, C, depth_multiplier).
        pointwise_initializer: What the second starts as; (1, 1, C · depth_multiplier, filters).
        bias_initializer: What the bias starts as; (filters,).
        depthwise_regularizer: The penalty on the first kernel.
        pointwise_regularizer: The penalty on the second kernel.
        bias_regularizer: The penalty on the bias.
        **options: depthwise_constraint, pointwise_constraint, bias_constraint; name, trainable,
            dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or the window does not fit.

    Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.

    >>> import numpy as np
    >>> SeparableConv2D(16, 3)(np.zeros((1, 8, 8, 3))).shape
    (1, 6, 6, 16)
    """

    constrainable: ClassVar[tuple[str, ...]] = (
        "depthwise_constraint",
        "pointwise_constraint",
        "bias_constraint",
    )
    depthwise_constraint: Constraint | None
    pointwise_constraint: Constraint | None

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            options,
        )
        self.filters = positive(self.name, "filters", filters)
        self.depth_multiplier = positive(self.name, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self._op = DepthwiseConvolution(self.strides, self.padding, self.dilation_rate)

    def build(self, input_shape: Shape) -> None:
        """Make both kernels and the bias."""
        channels = image_channels(self.name, input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel",
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel",
            (1, 1, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self.add_bias(self.filters)

    def call(self, g: Tracer, x: Value) -> Value:
        """Convolve each channel, mix the channels, add the bias, apply the activation."""
        each = g.apply(self._op, x, g.weight(self.depthwise_kernel), None, role="depthwise")
        return self.finish(g, Convolution(), each, g.weight(self.pointwise_kernel))


class Conv2DTranspose(_Convolution):
    """Transposed convolution, which enlarges: (N, H, W, C) → (N, OH, OW, filters).

    Every input pixel adds its number times the kernel to a window of the output: what the gradient
    of a convolution with the same arguments does. Without `output_padding`, the output's size is
    (input size − 1) · stride + extent for "valid" (at least input size · stride), and
    input size · stride for "same".

    Args:
        filters: How many output channels there are.
        kernel_size: The kernel's height and width, or one number for both.
        strides: How far the window moves over the output, (down, right) or one number for both.
        padding: "valid" or "same".
        output_padding: How many rows and columns are added at the end of the output, fewer than
            the strides; None to infer the size.
        data_format: "channels_last", the only one.
        dilation_rate: The distance between the kernel's taps.
        activation: A name or function; None for none.
        use_bias: Whether a bias is added to every channel.
        kernel_initializer: What the kernel starts as; (KH, KW, filters, C).
        bias_initializer: What the bias starts as; (filters,).
        kernel_regularizer: The penalty on the kernel.
        bias_regularizer: The penalty on the bias.
        **options: kernel_constraint, bias_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    Source: Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional Networks", CVPR 2010.

    >>> import numpy as np
    >>> Conv2DTranspose(4, 3, strides=2, padding="same")(np.zeros((1, 7, 7, 8))).shape
    (1, 14, 14, 4)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: Any = "valid",
        output_padding: int | tuple[int, int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            options,
        )
        self.filters = positive(self.name, "filters", filters)
        mode = choice(self.name, "padding", padding, ("valid", "same"))
        self.output_padding: Pair | None = None
        if output_padding is not None:
            self.output_padding = pair(self.name, "output_padding", output_padding, least=0)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self._op = TransposedConvolution(
            self.strides, mode, self.output_padding, self.dilation_rate
        )

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        channels = image_channels(self.name, input_shape)
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, self.filters, channels),
            self.kernel_initializer,
            self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.add_bias(self.filters)

    def call(self, g: Tracer, x: Value) -> Value:
        """Spread every pixel over its window, add the bias, apply the activation."""
        return self.finish(g, self._op, x, g.weight(self.kernel))


Convolution2D = Conv2D
SeparableConvolution2D = SeparableConv2D
Convolution2DTranspose = Conv2DTranspose

"""Convolution layers: Conv2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid import initializers, regularizers
from pellucid.errors import ArgumentError
from pellucid.graph import Tracer, Value
from pellucid.layers import _activation
from pellucid.layers._arguments import pair, padding_argument, positive
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last, require_none
from pellucid.ops._operation import Shape, known
from pellucid.ops.conv2d import Conv2D as Conv2DOperation

__all__ = ["Conv2D"]


class Conv2D(Layer):
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
        activity_regularizer: Not supported.
        kernel_constraint: Not supported.
        bias_constraint: Not supported.
        **options: name, trainable, dtype, input_shape.
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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        require_none(
            self.name,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )
        self.filters = positive(self.name, "filters", filters)
        self.kernel_size = pair(self.name, "kernel_size", kernel_size)
        self.strides = pair(self.name, "strides", strides)
        self.padding = padding_argument(self.name, padding)
        self.data_format = require_channels_last(self.name, data_format)
        self.dilation_rate = pair(self.name, "dilation_rate", dilation_rate)
        self.groups = positive(self.name, "groups", groups)
        if self.filters % self.groups:
            raise ArgumentError(
                f"{self.name}: {filters} filters cannot be split into {groups} groups."
            )
        self.activation = _activation.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = self.kernel_constraint = self.bias_constraint = None

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        channels = known(input_shape[-1:])[0]
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.filters,), self.bias_initializer, self.bias_regularizer
            )

    def call(self, g: Tracer, x: Value) -> Value:
        """Convolve, add the bias, apply the activation."""
        op = Conv2DOperation(self.strides, self.padding, self.dilation_rate, self.groups)
        bias = None if self.bias is None else g.weight(self.bias)
        return _activation.apply(g, self.activation, op, x, g.weight(self.kernel), bias)

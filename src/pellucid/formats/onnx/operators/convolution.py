"""Conv and ConvTranspose."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx.operators._table import operator
from pellucid.formats.onnx.operators._windows import (
    explicit_pads,
    image_size,
    pair,
    window_padding,
)
from pellucid.ops._operation import Array
from pellucid.ops._window import Pair
from pellucid.ops.conv2d_transpose import Conv2DTranspose


@operator("Conv")
def conv(call: Call) -> Value:
    """Conv2D, or DepthwiseConv2D where every channel is a group of its own.

    The kernel, (O, C / groups, KH, KW), becomes (KH, KW, C / groups, O).
    """
    x, zeros = call.unpadded()
    kernel, bias = _weights(call)
    window = _window(call, kernel)
    strides, dilation = pair(call, "strides", (1, 1)), pair(call, "dilations", (1, 1))
    groups = call.attributes.whole("group", 1)
    filters, per_group = kernel.shape[:2]
    channels = x.keras.shape[-1]
    if groups < 1 or channels != per_group * groups or filters % groups:
        raise UnsupportedError(
            f"a kernel of shape {kernel.shape} in {groups} groups does not fit {channels} channels"
        )
    options: dict[str, Any] = {
        "strides": strides,
        "padding": window_padding(call, image_size(x), window, strides, dilation, zeros),
        "dilation_rate": dilation,
        "name": call.name,
    }
    make: Any
    if groups == channels and groups > 1:
        multiplier = filters // groups
        kernel = kernel.reshape(groups, multiplier, *window).transpose(2, 3, 0, 1)
        make = partial(layers.DepthwiseConv2D, window, depth_multiplier=multiplier, **options)
    else:
        kernel = kernel.transpose(2, 3, 1, 0)
        make = partial(layers.Conv2D, filters, window, groups=groups, **options)
    keras, linear = call.build.linear(lambda use: make(use_bias=use), x.keras, kernel, bias)
    return replace(call.made_images(keras, x), origin=linear)


@operator("ConvTranspose")
def conv_transpose(call: Call) -> Value:
    """Conv2DTranspose; the kernel, (C, O / groups, KH, KW), becomes (KH, KW, O / groups, C)."""
    x = call.images()
    kernel, bias = _weights(call)
    window = _window(call, kernel)
    strides, dilation = pair(call, "strides", (1, 1)), pair(call, "dilations", (1, 1))
    groups = call.attributes.whole("group", 1)
    extra = pair(call, "output_padding", (0, 0))
    wanted = call.attributes.wholes("output_shape", None)
    way = call.attributes.text("auto_pad", "NOTSET")
    size = image_size(x)
    cut = explicit_pads(call)
    extent = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    if wanted is not None:
        wanted = wanted[-2:]
    elif way in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(size, strides, strict=True)]
    if wanted is not None:
        cut = _cut_to(wanted, size, strides, extent, extra, way)
    elif way == "VALID":
        cut = ((0, 0), (0, 0))
    elif way != "NOTSET":
        raise UnsupportedError(f"auto_pad={way!r} is not known")
    if any(n < 0 for sides in cut for n in sides):
        # Fewer than no rows cut off are rows of zeros added, which is what output_padding is for.
        if any(first < 0 for first, _ in cut):
            raise UnsupportedError(f"pads that add rows before the first, {cut}, are not supported")
        extra = (extra[0] + max(-cut[0][1], 0), extra[1] + max(-cut[1][1], 0))
        cut = ((cut[0][0], max(cut[0][1], 0)), (cut[1][0], max(cut[1][1], 0)))
    op = Conv2DTranspose(strides, cut, extra, dilation, groups)
    if x.keras.shape[-1] != kernel.shape[0]:
        raise UnsupportedError(
            f"a kernel of shape {kernel.shape} does not fit {x.keras.shape[-1]} channels"
        )
    weights: list[Array | None] = [kernel.transpose(2, 3, 1, 0), bias]
    return call.made_images(call.operation(op, [x.keras, *weights], trainable=True), x)


def _cut_to(
    wanted: list[int],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    extent: tuple[int, ...],
    extra: tuple[int, ...],
    way: str,
) -> tuple[Pair, Pair]:
    """Return how much is cut off on each side so that an output of the wanted size is left."""
    sides: list[Pair] = []
    for i in range(2):
        total = strides[i] * (size[i] - 1) + extra[i] + extent[i] - wanted[i]
        half = total // 2 if total > 0 else 0
        if total <= 0:
            sides.append((0, total))
        elif way == "SAME_UPPER":
            sides.append((half, total - half))
        else:
            sides.append((total - half, half))
    return sides[0], sides[1]


def _weights(call: Call) -> tuple[Array, Array | None]:
    kernel = call.constant(1, "kernel")
    if kernel.ndim != 4:
        raise UnsupportedError(
            f"it is a {kernel.ndim - 2}-dimensional convolution; only two-dimensional ones are "
            f"supported"
        )
    return kernel, call.constant(2, "bias") if call.has(2) else None


def _window(call: Call, kernel: Array) -> Pair:
    window = (int(kernel.shape[2]), int(kernel.shape[3]))
    if pair(call, "kernel_shape", window) != window:
        raise UnsupportedError(f"its kernel is of shape {kernel.shape}, not of its kernel_shape")
    return window

"""MaxPool, AveragePool and the global ones."""

from __future__ import annotations

from typing import Any

from pellucid import layers
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx.operators._table import operator
from pellucid.formats.onnx.operators._windows import NO_ZEROS, image_size, pair, window_padding
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.max_pool2d import MaxPool2D


@operator("MaxPool")
def max_pool(call: Call) -> Value:
    """MaxPooling2D; where a window is dilated or may hang over the end, its operation."""
    call.attributes.ignore("storage_order")  # says how the second output, which is refused, counts
    return _pool(call, include=False)


@operator("AveragePool")
def average_pool(call: Call) -> Value:
    """AveragePooling2D; where padding is counted or a window may hang over, its operation."""
    return _pool(call, include=call.attributes.flag("count_include_pad", default=False))


@operator("GlobalMaxPool")
def global_max_pool(call: Call) -> Value:
    """GlobalMaxPooling2D, the height and width of 1 kept."""
    x = call.images()
    layer = layers.GlobalMaxPooling2D(keepdims=True, name=call.name)
    return call.made_images(call.build.layer(layer, x.keras), x)


@operator("GlobalAveragePool")
def global_average_pool(call: Call) -> Value:
    """GlobalAveragePooling2D, the height and width of 1 kept."""
    x = call.images()
    layer = layers.GlobalAveragePooling2D(keepdims=True, name=call.name)
    return call.made_images(call.build.layer(layer, x.keras), x)


def _pool(call: Call, *, include: bool) -> Value:
    x = call.images()
    average = call.node.operator == "AveragePool"
    window = pair(call, "kernel_shape", None)
    strides, dilation = pair(call, "strides", (1, 1)), pair(call, "dilations", (1, 1))
    ceil = call.attributes.flag("ceil_mode", default=False)
    if call.attributes.text("auto_pad", "NOTSET") != "NOTSET":
        ceil = False  # the output's size follows from the input's alone
    padding = window_padding(call, image_size(x), window, strides, dilation, NO_ZEROS)
    plain = not ceil and dilation == (1, 1) and (not include or padding == "valid")
    if plain:
        cls: Any = layers.AveragePooling2D if average else layers.MaxPooling2D
        layer = cls(window, strides, padding, name=call.name)
        return call.made_images(call.build.layer(layer, x.keras), x)
    counted = {"count_include_padding": include} if average else {}
    kind: Any = AveragePool2D if average else MaxPool2D
    op = kind(window, strides, padding, dilation_rate=dilation, ceil_mode=ceil, **counted)
    return call.made_images(call.operation(op, [x.keras]), x)

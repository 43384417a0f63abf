"""How ONNX's operators make each of Pellucid's operations: one rule for each, in one table.

A rule gets the graph, the operation and the values that it reads; it adds nodes to the graph and
returns where it put the operation's result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from pellucid.formats.onnx.export_activations import ACTIVATIONS
from pellucid.formats.onnx.export_arrays import ARRAYS
from pellucid.formats.onnx.export_graph import (
    Axes,
    Form,
    Graph,
    channels_first,
    in_order,
    place_of,
)
from pellucid.formats.onnx.export_images import (
    average_pool2d,
    depth_to_space,
    image,
    max_pool2d,
    pad,
    resize,
    sides,
    space_to_depth,
)
from pellucid.graph import Value
from pellucid.ops._merge import Merge
from pellucid.ops._operation import Array, Shape, known
from pellucid.ops._window import Pair, Windows
from pellucid.ops.activation import Activation
from pellucid.ops.average import Average
from pellucid.ops.batch_normalization import BatchNormalization
from pellucid.ops.concatenate import Concatenate
from pellucid.ops.conv1d import Conv1D
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.conv2d_transpose import Conv2DTranspose
from pellucid.ops.cropping2d import Cropping2D
from pellucid.ops.dense import Dense
from pellucid.ops.depthwise_conv2d import DepthwiseConv2D
from pellucid.ops.flatten import Flatten
from pellucid.ops.global_average_pool2d import GlobalAveragePool2D
from pellucid.ops.global_max_pool2d import GlobalMaxPool2D
from pellucid.ops.group_normalization import GroupNormalization
from pellucid.ops.layer_normalization import LayerNormalization
from pellucid.ops.local_response_normalization import LocalResponseNormalization
from pellucid.ops.log_softmax import LogSoftmax
from pellucid.ops.pad import Pad
from pellucid.ops.prelu import PReLU
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.reshape import Reshape
from pellucid.ops.rms_normalization import RMSNormalization
from pellucid.ops.softmax import Softmax
from pellucid.ops.transpose import Transpose
from pellucid.ops.unit_normalization import UnitNormalization
from pellucid.ops.zero_padding2d import ZeroPadding2D

__all__ = ["RULES"]

Rule = Callable[..., Form | list[Form]]
"""(graph, operation, *values that it reads) → where the result is."""

_END = np.iinfo(np.int64).max
"""Where a slice ends that goes to the end."""


def _pair(sizes: Shape) -> Pair:
    height, width = known(sizes)
    return height, width


# Windows over images.


def _conv2d(g: Graph, op: Conv2D, x: Value, kernel: Value, bias: Value | None = None) -> Form:
    return _convolution(g, op, x, kernel, bias, op.groups, _oihw)


def _conv1d(g: Graph, op: Conv1D, x: Value, kernel: Value, bias: Value | None = None) -> Form:
    (length,), (taps,) = known(x.shape[1:2]), known(kernel.shape[:1])
    of_images = op.of_images
    windows = Windows.over(
        op.name, (length, 1), (taps, 1), of_images.strides, of_images.padding,
        of_images.dilation_rate,
    )  # fmt: skip
    y = g.node(
        "Conv",
        g.image(x),
        g.weight(kernel, lambda array: array.transpose(2, 1, 0)),
        g.weight(bias),
        kernel_shape=(taps,),
        strides=(op.stride,),
        dilations=(op.dilation_rate,),
        pads=windows.padding[0],
        group=op.groups,
    )
    return y, channels_first(3)


def _depthwise_conv2d(
    g: Graph, op: DepthwiseConv2D, x: Value, kernel: Value, bias: Value | None = None
) -> Form:
    def arrange(array: Array) -> Array:  # (KH, KW, C, M): each channel is a group of its own
        return _oihw(array.reshape(*array.shape[:2], 1, -1))

    return _convolution(g, op, x, kernel, bias, kernel.shape[2] or 1, arrange)


def _oihw(kernel: Array) -> Array:
    return kernel.transpose(3, 2, 0, 1)


def _convolution(
    g: Graph,
    op: Conv2D | DepthwiseConv2D,
    x: Value,
    kernel: Value,
    bias: Value | None,
    groups: int,
    arrange: Callable[[Array], Array],
) -> Form:
    taps = _pair(kernel.shape[:2])
    windows = Windows.over(
        op.name, _pair(x.shape[1:3]), taps, op.strides, op.padding, op.dilation_rate
    )
    y = g.node(
        "Conv",
        g.image(x),
        g.weight(kernel, arrange),
        g.weight(bias),
        kernel_shape=taps,
        strides=op.strides,
        dilations=op.dilation_rate,
        pads=sides(windows.padding),
        group=groups,
    )
    return image(y)


def _conv2d_transpose(
    g: Graph, op: Conv2DTranspose, x: Value, kernel: Value, bias: Value | None = None
) -> Form:
    windows = op._windows(x.shape, kernel.shape)
    pads, more = [], []
    for axis, size in zip((windows.rows, windows.columns), known(x.shape[1:3]), strict=True):
        painted = (size - 1) * axis.stride + axis.extent
        over = painted - axis.before - axis.size
        pads.append((axis.before, max(over, 0)))
        more.append(max(-over, 0))
    y = g.node(
        "ConvTranspose",
        g.image(x),
        g.weight(kernel, _oihw),  # of a kernel (KH, KW, O/g, C) this is (C, O/g, KH, KW)
        g.weight(bias),
        kernel_shape=known(kernel.shape[:2]),
        strides=op.strides,
        dilations=op.dilation_rate,
        pads=sides(pads),
        output_padding=more,
        group=op.groups,
    )
    return image(y)


def _global_pooling(operator: str) -> Rule:
    def rule(g: Graph, op: GlobalAveragePool2D | GlobalMaxPool2D, x: Value) -> Form:
        y = g.node(operator, g.image(x))
        return image(y) if op.keepdims else (g.node("Flatten", y, axis=1), in_order(2))

    return rule


def _zero_padding2d(g: Graph, op: ZeroPadding2D, x: Value) -> Form:
    return pad(g, Pad((*op.padding, (0, 0))), x)


def _cropping2d(g: Graph, op: Cropping2D, x: Value) -> Form:
    tensor, axes = g.any(x)
    starts = [before for before, _ in op.cropping]
    ends = [-after or _END for _, after in op.cropping]
    places = [place_of(axis, axes) for axis in (1, 2)]
    bounds = (g.constant(numbers, "int64") for numbers in (starts, ends, places))
    return g.node("Slice", tensor, *bounds), axes


# Weighted sums, and functions of single numbers.


def _dense(g: Graph, op: Dense, x: Value, kernel: Value, bias: Value | None = None) -> Form:
    tensor, axes = g.read(x), in_order(len(x.shape))
    if len(axes) == 2:
        return g.node("Gemm", tensor, g.weight(kernel), g.weight(bias)), axes
    y = g.node("MatMul", tensor, g.weight(kernel))
    return (y if bias is None else g.node("Add", y, g.weight(bias))), axes


def _activation(g: Graph, op: Activation, x: Value) -> Form:
    tensor, axes = g.any(x)
    return ACTIVATIONS[op.function](g, op, tensor), axes


def _prelu(g: Graph, op: PReLU, x: Value, alpha: Value) -> Form:
    tensor, axes = g.any(x)
    missing = (1,) * (len(axes) - len(alpha.shape))
    slopes = g.weight(alpha, lambda array: array.reshape(missing + array.shape).transpose(axes))
    return g.node("PRelu", tensor, slopes), axes


def _softmax(operator: str) -> Rule:
    def rule(g: Graph, op: Softmax | LogSoftmax, x: Value) -> Form:
        tensor, axes = g.any(x)
        return g.node(operator, tensor, axis=place_of(op.axis, axes)), axes

    return rule


def _rescaling(g: Graph, op: Rescaling, x: Value) -> Form:
    tensor, axes = g.any(x)

    def factor(value: float | tuple[float, ...]) -> str:
        array = np.asarray(value)
        return g.constant(_spread(array, (-1,), axes) if array.ndim else array)

    if op.scale != 1:
        tensor = g.node("Mul", tensor, factor(op.scale))
    return (tensor if op.offset == 0 else g.node("Add", tensor, factor(op.offset))), axes


# Normalisation.


def _batch_normalization(
    g: Graph,
    op: BatchNormalization,
    x: Value,
    gamma: Value | None,
    beta: Value | None,
    mean: Value,
    variance: Value,
) -> Form:
    rank = len(x.shape)
    axis = op.axis % rank
    others = tuple(other for other in range(rank) if other != axis)
    if op.training:
        return _normalised(g, x, others, (axis,), op.epsilon, gamma, beta)
    channels = known((x.shape[axis],))
    y = g.node(
        "BatchNormalization",
        g.read(x, (others[0], axis, *others[1:])),  # ONNX has the channels on the second axis
        g.constant(np.ones(channels)) if gamma is None else g.weight(gamma),
        g.constant(np.zeros(channels)) if beta is None else g.weight(beta),
        g.weight(mean),
        g.weight(variance),
        epsilon=op.epsilon,
    )
    return y, (others[0], axis, *others[1:])


def _layer_normalization(
    g: Graph,
    op: LayerNormalization,
    x: Value,
    gamma: Value | None = None,
    beta: Value | None = None,
) -> Form:
    rank = len(x.shape)
    listed = op.axis if isinstance(op.axis, tuple) else (op.axis,)
    over = tuple(axis % rank for axis in listed)
    if g.opset < 17 or over != tuple(range(over[0], rank)):
        return _normalised(g, x, over, over, op.epsilon, gamma, beta)
    ones = g.constant(np.ones(known(x.shape[over[0] :]))) if gamma is None else g.weight(gamma)
    given = g.read(x), ones, g.weight(beta)
    y = g.node("LayerNormalization", *given, axis=over[0], epsilon=op.epsilon)
    return y, in_order(rank)


def _normalised(
    g: Graph,
    x: Value,
    over: Axes,
    own: Axes,
    epsilon: float,
    gamma: Value | None,
    beta: Value | None,
) -> Form:
    """(x − mean) / √(variance + ε) over some axes, then γ and β, which have the axes `own`."""
    tensor, axes = g.any(x)
    places = sorted(place_of(axis, axes) for axis in over)
    centred = g.node("Sub", tensor, g.reduce("ReduceMean", tensor, places))
    variance = g.reduce("ReduceMean", g.node("Mul", centred, centred), places)
    y = g.node("Div", centred, g.node("Sqrt", g.node("Add", variance, g.constant(epsilon))))
    return _scaled(g, y, axes, own, gamma, beta)


def _group_normalization(
    g: Graph,
    op: GroupNormalization,
    x: Value,
    gamma: Value | None = None,
    beta: Value | None = None,
) -> Form:
    """Each run of channels as one channel of an InstanceNormalization, which has no γ and β."""
    rank = len(x.shape)
    axis = op.axis % rank
    sizes = known((1, *x.shape[1:]))
    groups = sizes[axis] if op.groups == -1 else op.groups
    axes = (0, axis, *(other for other in range(1, rank) if other != axis))
    shape = g.constant([0, groups, -1], "int64")  # 0 keeps the batch
    ones, zeros = g.constant(np.ones(groups)), g.constant(np.zeros(groups))
    runs = g.node("Reshape", g.read(x, axes), shape)
    runs = g.node("InstanceNormalization", runs, ones, zeros, epsilon=op.epsilon)
    y = g.node("Reshape", runs, g.constant([0, *(sizes[i] for i in axes[1:])], "int64"))
    return _scaled(g, y, axes, (axis,), gamma, beta)


def _rms_normalization(
    g: Graph, op: RMSNormalization, x: Value, gamma: Value | None = None
) -> Form:
    tensor, axes = g.any(x)
    over = op._axes(len(axes))
    places = sorted(place_of(axis, axes) for axis in over)
    squares = g.reduce("ReduceMean", g.node("Mul", tensor, tensor), places)
    root = g.node("Sqrt", g.node("Add", squares, g.constant(op.epsilon)))
    return _scaled(g, g.node("Div", tensor, root), axes, over, gamma, None)


def _unit_normalization(g: Graph, op: UnitNormalization, x: Value) -> Form:
    tensor, axes = g.any(x)
    places = sorted(place_of(axis, axes) for axis in op._axes(len(axes)))
    length = g.reduce("ReduceL2", tensor, places)
    return g.node("Div", tensor, g.node("Max", length, g.constant(op.epsilon))), axes


def _local_response_normalization(g: Graph, op: LocalResponseNormalization, x: Value) -> Form:
    if op.size % 2:
        y = g.node("LRN", g.image(x), size=op.size, alpha=op.alpha, beta=op.beta, bias=op.bias)
        return image(y)
    # ONNX Runtime has no even sizes: a convolution of 1×1 adds up the neighbours.
    (channels,) = known(x.shape[3:])
    away = np.arange(channels) - np.arange(channels)[:, np.newaxis]
    near = (away >= -((op.size - 1) // 2)) & (away <= op.size // 2)
    weights = g.constant((near * op.alpha / op.size)[:, :, np.newaxis, np.newaxis])
    squares = g.node("Mul", g.image(x), g.image(x))
    activity = g.node("Conv", squares, weights, g.constant(np.full(channels, op.bias)))
    return image(g.node("Mul", g.image(x), g.node("Pow", activity, g.constant(-op.beta))))


def _scaled(
    g: Graph, y: str, axes: Axes, own: Axes, gamma: Value | None, beta: Value | None
) -> Form:
    """A tensor times γ, plus β, which have the axes `own` of it."""
    for operator, value in (("Mul", gamma), ("Add", beta)):
        if value is not None:
            y = g.node(operator, y, g.weight(value, lambda array: _spread(array, own, axes)))
    return y, axes


def _spread(array: Array, own: Sequence[int], axes: Axes) -> Array:
    """An array that has the axes `own` of a tensor, as one that the tensor can be multiplied by."""
    sizes = [1] * len(axes)
    for axis, size in zip(own, array.shape, strict=True):
        sizes[axis] = size
    return array.reshape(sizes).transpose(axes)


# Several tensors.


def _merge(operator: str, of_many: str = "") -> Rule:
    """Merge tensors number by number, with an operator for two, or with one for any number."""

    def rule(g: Graph, op: Merge, *values: Value) -> Form:
        return _merged(g, values, operator, of_many)

    return rule


def _average(g: Graph, op: Average, *values: Value) -> Form:
    total, axes = _merged(g, values, "Add", "Sum")
    return g.node("Div", total, g.constant(len(values))), axes


def _merged(g: Graph, values: Sequence[Value], operator: str, of_many: str) -> Form:
    axes = _common(g, values, max(len(value.shape) for value in values))
    tensors = [_expanded(g, value, axes) for value in values]
    if len(tensors) > 2 and of_many:
        return g.node(of_many, *tensors), axes
    return reduce(lambda a, b: g.node(operator, a, b), tensors), axes


def _common(g: Graph, values: Sequence[Value], rank: int) -> Axes:
    """Return the order of axes that most of the values are in; channels first, of several."""
    whole = [v for v in values if len(v.shape) == rank and v.kind != "weight"]
    orders = [axes for value in whole for axes in g.orders(value)] or [in_order(rank)]
    return max(orders, key=lambda axes: (orders.count(axes), axes == channels_first(rank)))


def _expanded(g: Graph, value: Value, axes: Axes) -> str:
    """A value with as many axes as others have: new ones, of size 1, before its first."""
    missing = len(axes) - len(value.shape)
    if not missing:
        return g.read(value, axes)
    own = [axis for axis in axes if axis >= missing]
    order = tuple(axis - missing for axis in own)
    new = tuple(place for place, axis in enumerate(axes) if axis not in own)
    if value.kind == "weight":
        return str(g.weight(value, lambda array: np.expand_dims(array.transpose(order), new)))
    return g.node("Unsqueeze", g.read(value, order), g.constant(new, "int64"))


def _concatenate(g: Graph, op: Concatenate, *values: Value) -> Form:
    axes = _common(g, values, len(values[0].shape))
    tensors = [g.read(value, axes) for value in values]
    return g.node("Concat", *tensors, axis=place_of(op.axis, axes)), axes


# The same numbers in another shape.


def _flatten(g: Graph, op: Flatten, x: Value) -> Form:
    return g.node("Flatten", g.read(x), axis=1), in_order(2)


def _reshape(g: Graph, op: Reshape, x: Value) -> Form:
    if op.whole:
        sizes = list(op.target_shape)
    else:  # 0 keeps the batch
        sizes = [0, *(-1 if size is None else size for size in op.output_shape(x.shape)[1:])]
    axes = in_order(len(sizes))
    if not op.whole and sum(size != 1 for size in sizes) <= 2:  # in any order the same numbers
        axes = channels_first(len(sizes))
    shape = g.constant([sizes[axis] for axis in axes], "int64")
    return g.node("Reshape", g.read(x), shape), axes


def _transpose(g: Graph, op: Transpose, x: Value) -> list[Form]:
    return g.permuted(x, op.axes)


RULES: dict[str, Rule] = {
    **ARRAYS,
    "activation": _activation,
    "add": _merge("Add", "Sum"),
    "average": _average,
    "average_pool2d": average_pool2d,
    "batch_normalization": _batch_normalization,
    "concatenate": _concatenate,
    "divide": _merge("Div"),
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "conv2d_transpose": _conv2d_transpose,
    "cropping2d": _cropping2d,
    "dense": _dense,
    "depth_to_space": depth_to_space,
    "depthwise_conv2d": _depthwise_conv2d,
    "flatten": _flatten,
    "global_average_pool2d": _global_pooling("GlobalAveragePool"),
    "global_max_pool2d": _global_pooling("GlobalMaxPool"),
    "group_normalization": _group_normalization,
    "layer_normalization": _layer_normalization,
    "local_response_normalization": _local_response_normalization,
    "log_softmax": _softmax("LogSoftmax"),
    "max_pool2d": max_pool2d,
    "maximum": _merge("Max", "Max"),
    "minimum": _merge("Min", "Min"),
    "multiply": _merge("Mul"),
    "pad": pad,
    "power": _merge("Pow"),
    "prelu": _prelu,
    "rescaling": _rescaling,
    "reshape": _reshape,
    "resize": resize,
    "rms_normalization": _rms_normalization,
    "softmax": _softmax("Softmax"),
    "space_to_depth": space_to_depth,
    "subtract": _merge("Sub"),
    "transpose": _transpose,
    "unit_normalization": _unit_normalization,
    "zero_padding2d": _zero_padding2d,
}
"""By the operation's name."""

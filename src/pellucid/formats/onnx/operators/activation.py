"""The activation functions, and Dropout."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Gated, Tensor
from pellucid.formats.onnx.operators._table import operator
from pellucid.layers._layer import Layer
from pellucid.ops._operation import Array, Operation
from pellucid.ops.activation import Activation
from pellucid.ops.cast import Cast
from pellucid.ops.log_softmax import LogSoftmax
from pellucid.ops.prelu import PReLU
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.softmax import Softmax

NAMES = {
    "Sigmoid": "sigmoid",
    "HardSwish": "hard_silu",
    "Mish": "mish",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
"""The operators that have a name here and no parameters."""

SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""The standard's defaults of Selu, α and γ: those of the paper in single precision."""


@operator(*NAMES)
def named(call: Call) -> Value:
    """The activation of that name."""
    call.attributes.ignore("consumed_inputs")
    return applied(call, layers.Activation, Activation(NAMES[call.node.operator]))


@operator("Relu")
def relu(call: Call) -> Value:
    """ReLU."""
    call.attributes.ignore("consumed_inputs")
    if call.all_constant:
        return call.build.fold(Activation("relu"), [call.constant(0, "input")])
    return call.layer(layers.ReLU(name=call.name), call.tensor(0))


@operator("LeakyRelu")
def leaky_relu(call: Call) -> Value:
    """LeakyReLU, whose slope here is not negative; else its operation."""
    call.attributes.ignore("consumed_inputs")
    slope = call.attributes.number("alpha", 0.01)
    op = Activation("leaky_relu", negative_slope=slope)
    return applied(call, layers.LeakyReLU if slope >= 0 else None, op, slope)


@operator("Elu")
def elu(call: Call) -> Value:
    """ELU."""
    call.attributes.ignore("consumed_inputs")
    alpha = call.attributes.number("alpha", 1.0)
    return applied(call, layers.ELU, Activation("elu", alpha=alpha), alpha)


@operator("Celu")
def celu(call: Call) -> Value:
    """The activation "celu"."""
    op = Activation("celu", alpha=call.attributes.number("alpha", 1.0))
    return applied(call, None, op)


@operator("ThresholdedRelu")
def thresholded_relu(call: Call) -> Value:
    """The activation "threshold": x where it is above alpha, else 0."""
    alpha = call.attributes.number("alpha", 1.0)
    return applied(call, None, Activation("threshold", threshold=alpha, default_value=0.0))


@operator("Selu")
def selu(call: Call) -> Value:
    """The activation "selu"; with other constants γ times "elu"."""
    call.attributes.ignore("consumed_inputs")
    # Before version 6 the constants were given in fewer digits.
    alpha, gamma = (1.6732, 1.0507) if call.opset < 6 else SELU
    alpha = call.attributes.number("alpha", alpha)
    gamma = call.attributes.number("gamma", gamma)
    if math.isclose(alpha, SELU[0], rel_tol=1e-6) and math.isclose(gamma, SELU[1], rel_tol=1e-6):
        return applied(call, layers.Activation, Activation("selu"))
    return applied(call, None, Activation("elu", alpha=alpha), then=Rescaling(gamma))


@operator("Gelu")
def gelu(call: Call) -> Value:
    """The activation "gelu"."""
    way = call.attributes.text("approximate", "none")
    if way not in ("none", "tanh"):
        raise UnsupportedError(f"approximate={way!r} is not known")
    op = Activation("gelu", approximate=way == "tanh")
    return applied(call, None if op.approximate else layers.Activation, op)


@operator("HardSigmoid")
def hard_sigmoid(call: Call) -> Value:
    """max(0, min(1, α·x + β)); the activation "hard_sigmoid" is that of α = 1/6 and β = 1/2."""
    call.attributes.ignore("consumed_inputs")
    alpha = call.attributes.number("alpha", 0.2)
    beta = call.attributes.number("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return applied(call, layers.Activation, Activation("hard_sigmoid"))
    limit = Activation("relu", negative_slope=0.0, max_value=1.0, threshold=0.0)
    return applied(call, None, Rescaling(alpha, beta), then=limit)


@operator("PRelu")
def prelu(call: Call) -> Value:
    """PReLU, whose slopes are shared along the axes where there is only one."""
    x = call.tensor(0)
    slopes = call.constant(1, "slope")
    rank = len(x.axes)
    if call.opset < 7 and slopes.ndim == 1 and slopes.size > 1:
        slopes = slopes.reshape(-1, *(1,) * (rank - 2))  # one for each channel
    if slopes.ndim > rank:
        raise UnsupportedError(f"slopes of shape {slopes.shape} are more than its input has axes")
    sizes = (1,) * (rank - slopes.ndim) + slopes.shape
    if any(n not in (1, size) for n, size in zip(sizes, x.shape, strict=True)):
        raise UnsupportedError(f"slopes of shape {slopes.shape} do not fit its input")
    x, order = call.settled(0)
    here = slopes.reshape(sizes).transpose(order)
    if here.shape[0] != 1:
        # The operation's slopes are those of a sample, so the whole is made one.
        shape = x.keras.shape
        keras = call.build.reshape(x.keras, (1, *shape), call.base)
        keras = call.operation(PReLU(), [keras, here])
        return x.made(call.build.reshape(keras, shape, call.base))
    shared = [i for i in range(1, rank) if here.shape[i] == 1 and x.keras.shape[i] != 1]
    layer = layers.PReLU(shared_axes=shared or None, name=call.name)
    return x.made(call.build.layer(layer, x.keras, [here[0]]))


@operator("Softmax", "LogSoftmax")
def softmax(call: Call) -> Value:
    """Softmax along one axis.

    Before version 13 the axis was 1 by default, and all axes from there on were taken for one.
    """
    log = call.node.operator == "LogSoftmax"
    kind = LogSoftmax if log else Softmax
    axis = call.attributes.whole("axis", -1 if call.opset >= 13 else 1)
    value = call.value(0)
    shape = value.shape
    axis = call.axis(axis, len(shape))
    joined = call.opset < 13 and any(size != 1 for size in shape[axis + 1 :])
    if not isinstance(value, Tensor):
        if joined:
            raise UnsupportedError("it is taken of a constant along several axes")
        return call.build.fold(kind(axis), [value])
    if joined:
        return _softmax_of_rows(call, value, axis, kind(-1))
    x, order = call.settled(0)
    place = order.index(axis)
    place = -1 if place == len(order) - 1 else place
    if log:
        return x.made(call.operation(LogSoftmax(place), [x.keras]))
    return call.layer(layers.Softmax(place, name=call.name), x)


def _softmax_of_rows(call: Call, x: Tensor, axis: int, op: Operation) -> Value:
    """Softmax over all axes from one on, as one row."""
    sizes = [size for size in x.shape[axis:] if not isinstance(size, Batch)]
    if axis != 1 or len(sizes) != len(x.shape) - 1:
        raise UnsupportedError("it takes the batch and other axes for one")
    x = call.plain(0)
    shape = x.keras.shape
    rows = call.build.reshape(x.keras, (shape[0], math.prod(sizes)), call.base)
    return x.made(call.build.reshape(call.operation(op, [rows]), shape, call.base))


@operator("Dropout")
def dropout(call: Call) -> list[Value]:
    """Dropout, which does nothing in inference.

    From version 12 on the rate and whether it is training are inputs.
    """
    call.attributes.ignore("seed", "is_test")
    if call.opset >= 12:
        rate = call.scalar(1, "ratio") if call.has(1) else 0.5
        if call.has(2) and call.scalar(2, "training_mode"):
            raise UnsupportedError("training_mode=True is not supported")
    else:
        rate = call.attributes.number("ratio", 0.5)
    value = call.value(0)
    if not isinstance(value, Tensor):
        return [value]
    made: list[Value] = [call.layer(layers.Dropout(rate, name=call.name), value)]
    if call.wanted(1):  # which numbers are kept: all
        ones = call.operation(Cast("bool"), [call.operation(Rescaling(0.0, 1.0), [value.keras])])
        made.append(replace(value.made(ones), dtype=np.dtype(bool)))
    return made


def applied(
    call: Call,
    layer: type[Layer] | None,
    op: Operation,
    *arguments: float,
    then: Operation | None = None,
) -> Value:
    """Return an activation of the node's input: as a layer of its own, or as its operation.

    Args:
        call: The node.
        layer: The layer: `Activation`, which takes the name, or one that takes `arguments`.
        op: The operation.
        *arguments: The layer's.
        then: Another operation, applied to what the first made.
    """
    value = call.value(0)
    if not isinstance(value, Tensor):
        made: Array = call.build.fold(op, [np.asarray(value)])
        return made if then is None else call.build.fold(then, [made])
    if layer is layers.Activation and isinstance(op, Activation):
        made_of = call.layer(layers.Activation(op.function, name=call.name), value)
        return replace(made_of, origin=Gated(value.keras, op.function))
    if layer is not None:
        return call.layer(layer(*arguments, name=call.name), value)
    keras = call.operation(op, [value.keras])
    return value.made(keras if then is None else call.operation(then, [keras]))

"""Operators that work number by number: sums, products, powers, limits, casts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch, is_symbolic
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Product, Tensor, in_memory_order
from pellucid.formats.onnx._tensors import dtype_of, kind_of
from pellucid.formats.onnx.operators._table import operator
from pellucid.formats.onnx.operators.shaping import common_order
from pellucid.ops._operation import Array, Operation
from pellucid.ops.absolute import Absolute
from pellucid.ops.activation import Activation
from pellucid.ops.add import Add
from pellucid.ops.cast import Cast
from pellucid.ops.clip import Clip
from pellucid.ops.divide import Divide
from pellucid.ops.log import Log
from pellucid.ops.maximum import Maximum
from pellucid.ops.minimum import Minimum
from pellucid.ops.multiply import Multiply
from pellucid.ops.power import Power
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.sqrt import Sqrt
from pellucid.ops.subtract import Subtract

MERGES: dict[str, tuple[type[Operation], Any, Callable[..., Any]]] = {
    "Add": (Add, layers.Add, np.add),
    "Sum": (Add, layers.Add, np.add),
    "Sub": (Subtract, layers.Subtract, np.subtract),
    "Mul": (Multiply, layers.Multiply, np.multiply),
    "Div": (Divide, None, np.floor_divide),
    "Pow": (Power, None, np.power),
    "Max": (Maximum, layers.Maximum, np.maximum),
    "Min": (Minimum, layers.Minimum, np.minimum),
    "Mean": (Add, None, np.add),
}
"""The operation of each operator, its layer for tensors only, and its way with sizes."""

LEARNED = ("Add", "Mul")
"""Where a constant of several numbers is a weight: an offset or a scale for each channel."""


@operator(*MERGES)
def merge(call: Call) -> Value:
    """The layer or operation of that name, of tensors and constants.

    Until version 6 the second operand stood at an `axis` of the first's, and only if `broadcast`.
    """
    call.attributes.ignore("consumed_inputs", "broadcast")
    values = [call.value(i) for i in range(len(call.inputs))]
    axis = call.attributes.whole("axis", None)
    if axis is not None:
        values[1] = _placed(values[1], axis, len(values[0].shape))
    if not values:
        raise UnsupportedError("it has no inputs")
    op, layer, plain = MERGES[call.node.operator]
    kind = np.result_type(*[value.dtype for value in values])
    if kind == object:
        return _of_sizes(plain, [_array(value) for value in values])
    if call.node.operator == "Pow":
        kind = values[0].dtype
    whole = kind.kind in "iu" and call.node.operator in ("Div", "Pow")
    if call.all_constant:
        folded = call.build.fold(op(), [_array(value) for value in values])
        made: Value = np.trunc(folded).astype(kind) if whole else folded.astype(kind, copy=False)
        return made / len(values) if call.node.operator == "Mean" else made
    tensor = merged(call, op(), layer, values, kind)
    if whole:
        return tensor.made(call.operation(Cast(kind.name), [tensor.keras]))
    if call.node.operator == "Mean":
        return tensor.made(call.operation(Rescaling(1 / len(values)), [tensor.keras]))
    return tensor


def merged(
    call: Call, op: Operation, layer: Any, values: Sequence[Value], dtype: np.dtype[Any]
) -> Tensor:
    """Return what an operation makes of tensors and constants that spread to one shape."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if len(values) == 2 and len(tensors) == 1 and call.node.operator == "Add":
        (constant,) = (value for value in values if not isinstance(value, Tensor))
        place = next(i for i, value in enumerate(values) if value is tensors[0])
        dense = _with_bias(call, tensors[0], constant) if call.sole(place) else None
        if dense is not None:
            return dense
    rank = max(len(value.shape) for value in values)
    largest = max(tensors, key=lambda tensor: (len(tensor.axes), _cells(tensor)))
    constants = [_array(value) for value in values if not isinstance(value, Tensor)]
    if len(tensors) == 1 and len(largest.axes) == rank:
        # One tensor, and constants that go to where its numbers lie.
        moved = [in_memory_order(constant, largest) for constant in constants]
        if all(array is not None for array in moved):
            there = iter(moved)
            operands = [
                value.keras if isinstance(value, Tensor) else next(there) for value in values
            ]
            trainable = call.node.operator in LEARNED and constants[0].size > 1
            made = largest.made(call.operation(op, operands, trainable=trainable))
            return Tensor(made.keras, made.axes, made.order, dtype)
    order = common_order([t for t in tensors if len(t.axes) == rank], rank)
    operands = []
    for value in values:
        if isinstance(value, Tensor):
            axes = ((),) * (rank - len(value.axes)) + value.axes
            wider = Tensor(value.keras, axes, value.order, value.dtype)
            operands.append(call.build.arrange(wider, order, call.base).keras)
        else:
            sizes = (1,) * (rank - value.ndim) + value.shape
            operands.append(value.reshape(sizes).transpose(order))
    if layer is not None and len(tensors) == len(values) > 1:
        keras = call.build.layer(layer(name=call.name), operands)
    else:
        keras = call.operation(op, operands)
    _require_batch(tensors, rank)
    return call.made(keras, order, largest, dtype)


def _with_bias(call: Call, tensor: Tensor, bias: Array) -> Tensor | None:
    """Return a Dense with a bias, for a product that is read by this addition alone."""
    product = tensor.origin
    if not isinstance(product, Product) or bias.ndim > len(tensor.axes):
        return None
    units = product.kernel.shape[1]
    if bias.size not in (1, units) or bias.size != math.prod(bias.shape[-1:]):
        return None
    layer = layers.Dense(units, name=product.name)
    weights = [product.kernel, np.broadcast_to(bias.reshape(-1), (units,))]
    return tensor.made(call.build.layer(layer, product.rows.keras, weights))


def _cells(tensor: Tensor) -> int:
    return math.prod(size for size in tensor.shape if not isinstance(size, Batch))


def _require_batch(tensors: Sequence[Tensor], rank: int) -> None:
    """Refuse tensors whose batches would not meet."""
    for tensor in tensors:
        for i, size in enumerate(tensor.shape):
            if isinstance(size, Batch) and i + rank - len(tensor.axes) != 0:
                raise UnsupportedError("it pairs the batch with another axis")


def _placed(value: Value, axis: int, rank: int) -> Value:
    """Return a constant with axes of size 1 after its own, so that it begins at an axis."""
    array = _array(value)
    return array.reshape(array.shape + (1,) * (rank - axis % rank - array.ndim))


def _array(value: Value) -> Array:
    if isinstance(value, Tensor):
        raise UnsupportedError("an operand that is placed by an axis must be a constant")
    return value


def _of_sizes(function: Callable[..., Any], arrays: Sequence[Array]) -> Array:
    """Return what comes of sizes among which the batch may be."""
    result = arrays[0]
    for array in arrays[1:]:
        try:
            result = function(_objects(result), _objects(array))
        except TypeError as error:
            raise UnsupportedError("it reckons with the batch size") from error
    return result if is_symbolic(result) else result.astype(np.int64)


def _objects(array: Array) -> Array:
    return np.array([x if isinstance(x, Batch) else int(x) for x in array.flat], object).reshape(
        array.shape
    )


UNARY: dict[str, Operation] = {
    "Abs": Absolute(),
    "Exp": Activation("exponential"),
    "Log": Log(),
    "Neg": Rescaling(-1.0),
    "Sqrt": Sqrt(),
}


@operator("Abs", "Exp", "Log", "Neg", "Sqrt")
def unary(call: Call) -> Value:
    """The operation of that name."""
    call.attributes.ignore("consumed_inputs")
    value = call.value(0)
    op = UNARY[call.node.operator]
    if isinstance(value, Tensor):
        return value.made(call.operation(op, [value.keras]))
    if is_symbolic(value):
        raise UnsupportedError("it reckons with the batch size")
    return call.build.fold(op, [value]).astype(value.dtype, copy=False)


@operator("Reciprocal")
def reciprocal(call: Call) -> Value:
    """1 / x."""
    value = call.value(0)
    one = np.ones((), value.dtype)
    if isinstance(value, Tensor):
        return value.made(call.operation(Divide(), [one, value.keras]))
    return call.build.fold(Divide(), [one, value])


@operator("Clip")
def clip(call: Call) -> Value:
    """ReLU where the lower limit is 0, else the operation `clip`.

    From version 11 on the limits are inputs.
    """
    call.attributes.ignore("consumed_inputs")
    if call.opset >= 11:
        low = call.scalar(1, "min") if call.has(1) else None
        high = call.scalar(2, "max") if call.has(2) else None
    else:
        low = call.attributes.number("min", None)
        high = call.attributes.number("max", None)
        low = None if low is not None and low <= -3.4e38 else low
        high = None if high is not None and high >= 3.4e38 else high
    value = call.value(0)
    if low is not None and high is not None:
        low = min(low, high)  # the upper limit wins, as the standard has it
    if not isinstance(value, Tensor):
        return np.clip(value, low, high).astype(value.dtype, copy=False)
    if low is None and high is None:
        return value
    if low == 0 and value.dtype.kind == "f" and (high is None or high > 0):
        return call.layer(layers.ReLU(high, name=call.name), value)
    return value.made(call.operation(Clip(low, high), [value.keras]))


@operator("Cast")
def cast(call: Call) -> Value:
    """The operation `cast`; nothing where floating-point numbers stay such."""
    call.attributes.ignore("saturate", "round_mode")
    value = call.value(0)
    number = call.attributes.whole("to", 0)
    dtype = dtype_of(number)
    if dtype is not None and dtype.kind == "f" and not call.build.exact:
        dtype = np.dtype(np.float32)
    if dtype is None or dtype == np.float16:
        raise UnsupportedError(f"numbers that are {kind_of(number)} are not supported")
    if not isinstance(value, Tensor):
        if is_symbolic(value):
            if dtype.kind not in "iuf":
                raise UnsupportedError("it casts the batch size to truth values")
            return value
        with np.errstate(all="ignore"):
            return value.astype(dtype)
    if dtype == value.dtype:
        return value
    keras = call.operation(Cast(dtype.name), [value.keras])
    return Tensor(keras, value.axes, value.order, dtype)

"""Operators that work number by number: sums, products, powers, limits, casts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch, is_symbolic
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Gated, Linear, Tensor, in_memory_order
from pellucid.formats.onnx._tensors import dtype_of, kind_of
from pellucid.formats.onnx.operators._table import operator
from pellucid.formats.onnx.operators.shaping import common_order, reshaped
from pellucid.ops._operation import Array, Operation
from pellucid.ops.activation import Activation
from pellucid.ops.add import Add
from pellucid.ops.cast import Cast
from pellucid.ops.clip import Clip
from pellucid.ops.compare import Compare
from pellucid.ops.divide import Divide
from pellucid.ops.elementwise import Elementwise
from pellucid.ops.maximum import Maximum
from pellucid.ops.minimum import Minimum
from pellucid.ops.multiply import Multiply
from pellucid.ops.power import Power
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.subtract import Subtract
from pellucid.ops.where import Where

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
        sizes = values[1].shape
        after = len(values[0].shape) - axis % len(values[0].shape) - len(sizes)
        values[1] = reshaped(call, values[1], [*sizes, *[1] * after])
    if not values:
        raise UnsupportedError("it has no inputs")
    op, layer, plain = MERGES[call.node.operator]
    kind = np.result_type(*[value.dtype for value in values])
    if kind.kind == "O":
        return _of_sizes(plain, [_array(value) for value in values])
    if call.node.operator == "Pow":
        kind = values[0].dtype
    whole = kind.kind in "iu" and call.node.operator in ("Div", "Pow")
    if call.all_constant:
        folded = call.build.fold(op(), [_array(value) for value in values])
        if call.node.operator == "Mean":
            folded = folded / len(values)
        return (np.trunc(folded) if whole else folded).astype(kind, copy=False)
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
    if len(values) == 2 and (joined := _in_one(call, values)) is not None:
        return joined
    tensors = [value for value in values if isinstance(value, Tensor)]
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


def _in_one(call: Call, values: Sequence[Value]) -> Tensor | None:
    """Return what this node and the one before it make together, if one layer can do both.

    A scale or an offset of channels goes into the layer that makes them; x · sigmoid(x) is silu.
    """
    first, second = values
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return _gated(call, first, second)
    place = 0 if isinstance(first, Tensor) else 1
    tensor, constant = values[place], values[1 - place]
    if not isinstance(tensor, Tensor) or isinstance(constant, Tensor):
        return None
    linear = tensor.origin
    if not isinstance(linear, Linear) or not call.sole(place):
        return None
    there = in_memory_order(constant, tensor)
    if there is None or there.size != there.shape[-1] or tensor.dtype.kind != "f":
        return None
    number = there.reshape(-1)
    one, zero = np.ones(1, number.dtype), np.zeros(1, number.dtype)
    match call.node.operator:
        case "Add" | "Sum":
            change = one, number
        case "Sub":
            change = (one, -number) if place == 0 else (-one, number)
        case "Mul":
            change = number, zero
        case "Div" if place == 0 and number.all():
            change = 1 / number, zero
        case _:
            return None
    keras, again = linear.rescaled(*change)
    return replace(tensor, keras=keras, origin=again)


def _gated(call: Call, first: Tensor, second: Tensor) -> Tensor | None:
    """Return x · sigmoid(x), or x · hard_sigmoid(x), as the one activation that it is."""
    for x, gate in ((first, second), (second, first)):
        gated = gate.origin
        if call.node.operator == "Mul" and isinstance(gated, Gated) and gated.gate is x.keras:
            name = {"sigmoid": "silu", "hard_sigmoid": "hard_silu"}.get(gated.function)
            if name is not None and x.axes == gate.axes:
                return call.layer(layers.Activation(name, name=call.name), x)
    return None


def _cells(tensor: Tensor) -> int:
    return math.prod(size for size in tensor.shape if not isinstance(size, Batch))


def _require_batch(tensors: Sequence[Tensor], rank: int) -> None:
    """Refuse tensors whose batches would not meet."""
    for tensor in tensors:
        for i, size in enumerate(tensor.shape):
            if isinstance(size, Batch) and i + rank - len(tensor.axes) != 0:
                raise UnsupportedError("it pairs the batch with another axis")


def _array(value: Value) -> Array:
    assert not isinstance(value, Tensor)  # those who call have seen to it
    return value


def _of_sizes(function: Callable[..., Any], arrays: Sequence[Array]) -> Array:
    """Return what comes of sizes among which the batch may be."""
    result = arrays[0]
    for array in arrays[1:]:
        try:
            result = function(_objects(result), _objects(array))
        except TypeError as error:
            raise UnsupportedError("it reckons with the batch size") from error
    made = np.asarray(result, object)
    return made if is_symbolic(made) else made.astype(np.int64)


def _objects(array: Array) -> Array:
    made = np.empty(array.shape, object)
    for place, entry in np.ndenumerate(array):
        made[place] = entry if isinstance(entry, Batch) else int(entry)
    return made


ELEMENTARY = {
    **{"Abs": "absolute", "Acos": "arccos", "Acosh": "arccosh", "Asin": "arcsin"},
    **{"Asinh": "arcsinh", "Atan": "arctan", "Atanh": "arctanh", "Ceil": "ceil", "Cos": "cos"},
    **{"Cosh": "cosh", "Erf": "erf", "Floor": "floor", "Log": "log", "Neg": "negative"},
    **{"Reciprocal": "reciprocal", "Round": "round", "Sign": "sign", "Sin": "sin"},
    **{"Sinh": "sinh", "Sqrt": "sqrt", "Tan": "tan"},
}
"""The operators that are elementary functions, with their names here."""

RELATIONS = {
    **{"And": "logical_and", "Equal": "equal", "Greater": "greater"},
    **{"GreaterOrEqual": "greater_equal", "Less": "less", "LessOrEqual": "less_equal"},
    **{"Or": "logical_or", "Xor": "logical_xor"},
}


@operator("Exp", *ELEMENTARY)
def elementary(call: Call) -> Value:
    """The function of that name."""
    call.attributes.ignore("consumed_inputs")
    value = call.value(0)
    name = call.node.operator
    op = Activation("exponential") if name == "Exp" else Elementwise(ELEMENTARY[name])
    if isinstance(value, Tensor):
        return value.made(call.operation(op, [value.keras]))
    if is_symbolic(value):
        raise UnsupportedError("it reckons with the batch size")
    return call.build.fold(op, [value]).astype(value.dtype, copy=False)


@operator(*RELATIONS)
def compare(call: Call) -> Value:
    """The operation `compare`."""
    values = [call.value(0), call.value(1)]
    op = Compare(RELATIONS[call.node.operator])
    if call.all_constant:
        arrays = [_array(value) for value in values]
        if any(array.dtype.kind == "O" for array in arrays):
            return _equal_sizes(call, arrays)
        return call.build.fold(op, arrays)
    return merged(call, op, None, values, np.dtype(bool))


@operator("Not")
def not_(call: Call) -> Value:
    """Whether a truth value is 0."""
    value = call.value(0)
    op, zero = Compare("equal"), np.zeros((), bool)
    if not isinstance(value, Tensor):
        return call.build.fold(op, [value, zero])
    return value.made(call.operation(op, [value.keras, zero]))


@operator("Where")
def where(call: Call) -> Value:
    """The operation `where`."""
    values = [call.value(i) for i in range(3)]
    if call.all_constant:
        arrays = [_array(value) for value in values]
        if any(array.dtype.kind == "O" for array in arrays):
            return np.where(*np.broadcast_arrays(*arrays))
        return call.build.fold(Where(), arrays).astype(arrays[1].dtype, copy=False)
    return merged(call, Where(), None, values, np.result_type(values[1].dtype, values[2].dtype))


def _equal_sizes(call: Call, arrays: Sequence[Array]) -> Array:
    """Return where sizes are equal; the batch size is no number that a file could name."""
    if call.node.operator != "Equal":
        raise UnsupportedError("it compares the batch size")
    return np.asarray(arrays[0] == arrays[1], bool)


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
    if low is None and high is None:
        return value
    if not isinstance(value, Tensor):
        return call.build.fold(Clip(low, high), [value])
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

"""Operators that make or ask for what is known when the model is put together."""

from __future__ import annotations

import numpy as np

from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import sizes_array
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx.operators._table import operator
from pellucid.formats.onnx.operators.shaping import product
from pellucid.ops._operation import Array


@operator("Constant")
def constant(call: Call) -> Value:
    """The array in one of its attributes."""
    read = call.attributes
    found: list[Value] = []
    if (array := read.array("value", None)) is not None:
        found.append(array)
    if (number := read.number("value_float", None)) is not None:
        found.append(np.array(number, np.float32))
    if (numbers := read.numbers("value_floats", None)) is not None:
        found.append(np.array(numbers, np.float32))
    if (whole := read.whole("value_int", None)) is not None:
        found.append(np.array(whole, np.int64))
    if (wholes := read.wholes("value_ints", None)) is not None:
        found.append(np.array(wholes, np.int64))
    if len(found) != 1:
        raise UnsupportedError("it does not have exactly one value that is a number or an array")
    return found[0]


@operator("ConstantOfShape")
def constant_of_shape(call: Call) -> Value:
    """One number, repeated."""
    shape = call.wholes(0, "shape")
    value = call.attributes.array("value", np.zeros(1, np.float32))
    if value.size != 1 or any(size < 0 for size in shape):
        raise UnsupportedError(f"it repeats {value.size} numbers to the shape {shape}")
    return call.build.spread(value.reshape(()), shape)


@operator("Shape")
def shape(call: Call) -> Value:
    """The sizes of its input, the batch among them; from version 15 on of some axes only."""
    sizes = call.value(0).shape
    start = call.attributes.whole("start", 0)
    end = call.attributes.whole("end", len(sizes))
    return sizes_array(sizes[start:end])


@operator("Size")
def size(call: Call) -> Value:
    """How many numbers its input has."""
    return sizes_array([product(call.value(0).shape)]).reshape(())


@operator("Range")
def range_(call: Call) -> Value:
    """Numbers at equal distances."""
    start, limit, step = (
        call.constant(i, what) for i, what in enumerate(("start", "limit", "delta"))
    )
    if not all(array.size == 1 and array.dtype.kind in "if" for array in (start, limit, step)):
        raise UnsupportedError("its bounds are not single numbers")
    first, last, by = (array.reshape(()).item() for array in (start, limit, step))
    if not by or not np.isfinite([first, last, by]).all():
        raise UnsupportedError(f"it counts from {first} to {last} by {by}")
    count = max(int(np.ceil((last - first) / by)), 0)
    call.build.make_room([count])
    made: Array = (first + np.arange(count) * by).astype(start.dtype)
    return made

"""Sums, means and largest numbers along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Tensor
from pellucid.formats.onnx.operators._table import operator
from pellucid.ops._operation import Operation
from pellucid.ops.argmax import ArgMax
from pellucid.ops.elementwise import Elementwise
from pellucid.ops.reduce import Reduce

KINDS: dict[str, tuple[Operation | None, str, Operation | None]] = {
    "ReduceL1": (Elementwise("absolute"), "sum", None),
    "ReduceL2": (Elementwise("square"), "sum", Elementwise("sqrt")),
    "ReduceLogSum": (None, "sum", Elementwise("log")),
    "ReduceLogSumExp": (None, "logsumexp", None),
    "ReduceMax": (None, "max", None),
    "ReduceMean": (None, "mean", None),
    "ReduceMin": (None, "min", None),
    "ReduceProd": (None, "prod", None),
    "ReduceSum": (None, "sum", None),
    "ReduceSumSquare": (Elementwise("square"), "sum", None),
}
"""What is done to each number before, how they are made one, and what is done to that."""

AXES_ARE_INPUT_FROM = 18
"""The version from which on the axes are an input, save those of ReduceSum: from 13 on."""

IMAGE_LAYERS: dict[str, Any] = {
    "ReduceMax": layers.GlobalMaxPooling2D,
    "ReduceMean": layers.GlobalAveragePooling2D,
}
"""The layers of a reduction along height and width."""


@operator(*KINDS)
def reduce(call: Call) -> Value:
    """Global pooling where an image is reduced along height and width, else the operation."""
    value = call.value(0)
    rank = len(value.shape)
    keep = call.attributes.flag("keepdims", default=True)
    axes = _axes(call, rank)
    if axes is None:
        return value
    before, function, after = KINDS[call.node.operator]
    if not isinstance(value, Tensor):
        steps = [before, Reduce(function, tuple(axes), keep), after]
        folded = value
        for step in steps:
            folded = folded if step is None else call.build.fold(step, [folded])
        return folded.astype(value.dtype, copy=False)
    if any(isinstance(value.shape[axis], Batch) for axis in axes):
        raise UnsupportedError("it works along the axis of the batch")
    x, order = call.settled(0)
    layer = IMAGE_LAYERS.get(call.node.operator)
    kept = [axis for axis in order if axis not in axes]
    places = tuple(sorted(order.index(axis) for axis in axes))
    if layer is not None and rank == 4 and places == (1, 2):
        keras = call.build.layer(layer(keepdims=keep, name=call.name), x.keras)
    else:
        keras = x.keras if before is None else call.operation(before, [x.keras])
        keras = call.operation(Reduce(function, places, keep), [keras])
        keras = keras if after is None else call.operation(after, [keras])
    if keep:
        return call.made(keras, order, x)
    return call.made(keras, _renumbered(kept), x)


@operator("ArgMax", "ArgMin")
def arg_max(call: Call) -> Value:
    """The place of the largest number along an axis."""
    value = call.value(0)
    last = call.attributes.flag("select_last_index", default=False)
    least = call.node.operator == "ArgMin"
    keep = call.attributes.flag("keepdims", default=True)
    axis = call.axis(call.attributes.whole("axis", 0), len(value.shape))
    if not isinstance(value, Tensor):
        return call.build.fold(ArgMax(axis, keep, least, last), [value]).astype(np.int64)
    if isinstance(value.shape[axis], Batch):
        raise UnsupportedError("it works along the axis of the batch")
    x, order = call.settled(0)
    keras = call.operation(ArgMax(order.index(axis), keep, least, last), [x.keras])
    whole = np.dtype(np.int64)
    if keep:
        return call.made(keras, order, x, whole)
    return call.made(keras, _renumbered([n for n in order if n != axis]), x, whole)


def _axes(call: Call, rank: int) -> list[int] | None:
    """Return the axes to reduce; None if nothing is to be done."""
    operator_ = call.node.operator
    if call.opset < (13 if operator_ == "ReduceSum" else AXES_ARE_INPUT_FROM):
        given = call.attributes.wholes("axes", None)
    else:
        given = call.wholes(1, "axes") if call.has(1) else None
    if not given:
        if call.attributes.flag("noop_with_empty_axes", default=False):
            return None
        return list(range(rank))
    call.attributes.ignore("noop_with_empty_axes")
    axes = [call.axis(axis, rank) for axis in given]
    if len(set(axes)) != len(axes):
        raise UnsupportedError(f"axes {given} are named twice")
    return axes


def _renumbered(kept: Sequence[int]) -> list[int]:
    """Return the order of the axes that are left, counted among themselves."""
    names = sorted(kept)
    return [names.index(axis) for axis in kept]

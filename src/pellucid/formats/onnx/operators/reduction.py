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
from pellucid.formats.onnx.operators._reductions import ArgMax, Max, Mean, Min, Sum

KINDS: dict[str, Any] = {
    "ReduceMax": Max,
    "ReduceMean": Mean,
    "ReduceMin": Min,
    "ReduceSum": Sum,
}
AXES_ARE_INPUT_FROM = {"ReduceMax": 18, "ReduceMean": 18, "ReduceMin": 18, "ReduceSum": 13}
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
    kind = KINDS[call.node.operator]
    if not isinstance(value, Tensor):
        folded = call.build.fold(kind(tuple(axes), keep), [value])
        return folded.astype(value.dtype, copy=False)
    if any(isinstance(value.shape[axis], Batch) for axis in axes):
        raise UnsupportedError("it works along the axis of the batch")
    x, order = call.settled(0)
    layer = IMAGE_LAYERS.get(call.node.operator)
    kept = [axis for axis in order if axis not in axes]
    if layer is not None and order == (0, 2, 3, 1) and sorted(axes) == [2, 3]:
        keras = call.build.layer(layer(keepdims=keep, name=call.name), x.keras)
    else:
        places = tuple(sorted(order.index(axis) for axis in axes))
        keras = call.operation(kind(places, keep), [x.keras])
    if keep:
        return call.made(keras, order, x)
    return call.made(keras, _renumbered(kept), x)


@operator("ArgMax", "ArgMin")
def arg_max(call: Call) -> Value:
    """The place of the largest number along an axis."""
    value = call.value(0)
    call.attributes.only("select_last_index", 0)
    keep = call.attributes.flag("keepdims", default=True)
    axis = call.axis(call.attributes.whole("axis", 0), len(value.shape))
    if not isinstance(value, Tensor):
        return np.asarray(np.argmax(value, axis, keepdims=keep))
    if isinstance(value.shape[axis], Batch):
        raise UnsupportedError("it works along the axis of the batch")
    x, order = call.settled(0)
    keras = call.operation(ArgMax(order.index(axis), keep), [x.keras])
    whole = np.dtype(np.int64)
    if keep:
        return call.made(keras, order, x, whole)
    return call.made(keras, _renumbered([n for n in order if n != axis]), x, whole)


def _axes(call: Call, rank: int) -> list[int] | None:
    """Return the axes to reduce; None if nothing is to be done."""
    operator_ = call.node.operator
    if call.opset < AXES_ARE_INPUT_FROM[operator_]:
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

"""BatchNormalization, and the normalisations of single samples."""

from __future__ import annotations

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Tensor, in_memory_order
from pellucid.formats.onnx.operators._table import operator
from pellucid.ops._operation import Array


@operator("BatchNormalization")
def batch_normalization(call: Call) -> Value:
    """BatchNormalization; ONNX's momentum is Keras'.

    Until version 7 the node says that it is not training (`is_test`), until 8 that the statistics
    are those of channels (`spatial`), from 14 on that it is training (`training_mode`).
    """
    x = call.tensor(0)
    if call.opset < 7 and not call.attributes.flag("is_test", default=False):
        raise UnsupportedError("training mode (is_test=0) is not supported")
    call.attributes.only("spatial", 1)
    call.attributes.only("training_mode", 0)
    call.attributes.ignore("consumed_inputs")
    call.outputs_wanted(1)
    parameters = [
        call.constant(i, what).reshape(-1)
        for i, what in ((1, "scale"), (2, "offset"), (3, "mean"), (4, "variance"))
    ]
    if len(x.axes) < 2 or any(p.shape != (x.shape[1],) for p in parameters):
        raise UnsupportedError(
            f"its parameters, of shapes {[p.shape for p in parameters]}, do not fit an input of "
            f"shape {tuple(map(str, x.shape))}"
        )
    if len(x.axes) == 2:
        x = call.build.rows(x, call.base)
        parameters = [_for_rows(p, x) for p in parameters]
        axis = -1
    else:
        x, order = call.settled(0)
        axis = order.index(1)
        axis = -1 if axis == len(order) - 1 else axis
    layer = layers.BatchNormalization(
        axis=axis,
        momentum=call.attributes.number("momentum", 0.9),
        epsilon=call.attributes.number("epsilon", 1e-5),
        name=call.name,
    )
    return x.made(call.build.layer(layer, x.keras, parameters))


def _for_rows(parameter: Array, rows: Tensor) -> Array:
    moved = in_memory_order(parameter.reshape(1, -1), rows)
    assert moved is not None  # its size was compared before
    return moved.reshape(-1)


@operator("InstanceNormalization")
def instance_normalization(call: Call) -> Value:
    """Group normalisation with a group for each channel."""
    call.attributes.ignore("consumed_inputs")
    return _by_groups(call, -1)


@operator("GroupNormalization")
def group_normalization(call: Call) -> Value:
    """Group normalisation; until version 20 scale and offset were those of groups."""
    call.attributes.ignore("stash_type")
    groups = call.attributes.whole("num_groups", 0)
    return _by_groups(call, groups)


def _by_groups(call: Call, groups: int) -> Value:
    x = call.tensor(0)
    scale, offset = (call.constant(i, what).reshape(-1) for i, what in ((1, "scale"), (2, "bias")))
    if len(x.axes) < 3:
        raise UnsupportedError(f"it normalises a tensor of {len(x.axes)} axes")
    channels = x.shape[1]
    if call.opset < 21 and groups > 0 and scale.size == groups != channels:
        assert isinstance(channels, int)
        scale, offset = (np.repeat(p, channels // groups) for p in (scale, offset))
    x, order = call.settled(0)
    axis = order.index(1)
    layer = layers.GroupNormalization(
        groups,
        axis=-1 if axis == len(order) - 1 else axis,
        epsilon=call.attributes.number("epsilon", 1e-5),
        name=call.name,
    )
    return x.made(call.build.layer(layer, x.keras, [scale, offset]))


@operator("LayerNormalization")
def layer_normalization(call: Call) -> Value:
    """LayerNormalization along all axes from one on."""
    call.attributes.ignore("stash_type")
    call.outputs_wanted(1)
    x = call.tensor(0)
    rank = len(x.axes)
    first = call.axis(call.attributes.whole("axis", -1), rank)
    x, order = call.settled(0)
    scale = call.constant(1, "scale")
    offset = call.constant(2, "bias") if call.has(2) else None
    parameters = [scale] if offset is None else [scale, offset]
    wanted = tuple(x.shape[first:])
    if first == 0 and isinstance(x.shape[0], Batch):
        raise UnsupportedError("it normalises along the batch")
    here = [axis for axis in order if axis >= first]
    moved = [
        np.broadcast_to(p, wanted).transpose([axis - first for axis in here]) for p in parameters
    ]
    places = [order.index(axis) for axis in here]
    layer = layers.LayerNormalization(
        axis=-1 if places == [rank - 1] else places,
        epsilon=call.attributes.number("epsilon", 1e-5),
        center=offset is not None,
        name=call.name,
    )
    return x.made(call.build.layer(layer, x.keras, moved))


@operator("LRN")
def local_response_normalization(call: Call) -> Value:
    """Local response normalisation over neighbouring channels."""
    from pellucid.ops.local_response_normalization import LocalResponseNormalization

    size = call.attributes.whole("size", None)
    if size is None:
        raise UnsupportedError("its attribute size is missing")
    op = LocalResponseNormalization(
        size,
        call.attributes.number("alpha", 1e-4),
        call.attributes.number("beta", 0.75),
        call.attributes.number("bias", 1.0),
    )
    x = call.images()
    return x.made(call.operation(op, [x.keras]))

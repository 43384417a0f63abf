"""BatchNormalization, and the normalisations of single samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Linear, Tensor, in_memory_order
from pellucid.formats.onnx.operators._table import operator
from pellucid.layers._layer import Layer
from pellucid.layers._symbolic import KerasTensor
from pellucid.ops._operation import Array, known
from pellucid.ops.elementwise import Elementwise
from pellucid.ops.local_response_normalization import LocalResponseNormalization
from pellucid.ops.reduce import Reduce
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.subtract import Subtract


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
    make = partial(
        layers.BatchNormalization,
        axis=axis,
        momentum=call.attributes.number("momentum", 0.9),
        epsilon=call.attributes.number("epsilon", 1e-5),
        name=call.name,
    )
    keras, linear = _normalised(call, make, x.keras, parameters)
    return replace(x.made(keras), origin=linear if axis == -1 else None)


def _normalised(
    call: Call, make: Callable[[], Layer], inputs: KerasTensor, parameters: Sequence[Array]
) -> tuple[KerasTensor, Linear]:
    """Return what a batch normalisation makes; a scale or an offset after it becomes its own."""
    gamma, beta, *statistics = parameters

    def rescaled(factor: Array, offset: Array) -> tuple[KerasTensor, Linear]:
        call.build.room += sum(parameter.size for parameter in parameters)
        new = [gamma * factor, beta * factor + offset, *statistics]
        return _normalised(call, make, inputs, new)

    return call.build.layer(make(), inputs, parameters), Linear(rescaled)


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
def layer_normalization(call: Call) -> list[Value]:
    """LayerNormalization along all axes from one on; its mean and 1 / deviation if wanted."""
    call.attributes.ignore("stash_type")
    x = call.tensor(0)
    rank = len(x.axes)
    first = call.axis(call.attributes.whole("axis", -1), rank)
    x, order = call.settled(0)
    scale = call.constant(1, "scale")
    offset = call.constant(2, "bias") if call.has(2) else None
    parameters = [scale] if offset is None else [scale, offset]
    wanted = known(x.sizes(range(first, rank)))
    if first == 0 and isinstance(x.shape[0], Batch):
        raise UnsupportedError("it normalises along the batch")
    here = [axis for axis in order if axis >= first]
    moved = [
        np.broadcast_to(p, wanted).transpose([axis - first for axis in here]) for p in parameters
    ]
    places = [order.index(axis) for axis in here]
    epsilon = call.attributes.number("epsilon", 1e-5)
    whole = 0 in places  # then the layer, which leaves the first axis alone, gets another one
    shape = x.keras.shape
    inputs = call.build.reshape(x.keras, (1, *shape), call.base) if whole else x.keras
    along = [place + whole for place in places]
    layer = layers.LayerNormalization(
        axis=-1 if along == [len(inputs.shape) - 1] else along,
        epsilon=epsilon,
        center=offset is not None,
        name=call.name,
    )
    normal = call.build.reshape(call.build.layer(layer, inputs, moved), shape, call.base)
    made: list[Value] = [x.made(normal)]
    if call.wanted(1) or call.wanted(2):
        average = Reduce("mean", tuple(sorted(places)), keepdims=True)
        mean = call.operation(average, [x.keras])
        away = call.operation(Subtract(), [x.keras, mean])
        variance = call.operation(average, [call.operation(Elementwise("square"), [away])])
        above = call.operation(Rescaling(1.0, epsilon), [variance])
        inverse = call.operation(Elementwise("rsqrt"), [above])
        made += [call.made(keras, order, x) for keras in (mean, inverse)]
    return made


@operator("LRN")
def local_response_normalization(call: Call) -> Value:
    """Local response normalisation over neighbouring channels."""
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

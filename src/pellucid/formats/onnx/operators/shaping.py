"""Operators that move numbers without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch, Size
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Tensor, arranged, quotient, split_axes
from pellucid.formats.onnx.operators._table import operator
from pellucid.ops.broadcast_to import BroadcastTo
from pellucid.ops.concatenate import Concatenate
from pellucid.ops.slice import Slice
from pellucid.ops.take import Take


@operator("Identity")
def identity(call: Call) -> Value:
    """Nothing."""
    return call.value(0)


@operator("Transpose")
def transpose(call: Call) -> Value:
    """Nothing yet: only the order of the axes changes, not where the numbers lie."""
    value = call.value(0)
    rank = len(value.shape)
    order = call.attributes.wholes("perm", list(range(rank))[::-1])
    if sorted(order) != list(range(rank)):
        raise UnsupportedError(f"perm={order} is no order of {rank} axes")
    if not isinstance(value, Tensor):
        return value.transpose(order)
    return replace(value, axes=tuple(value.axes[i] for i in order))


@operator("Flatten")
def flatten(call: Call) -> Value:
    """Flatten; the rows of a Gemm after it are moved to where the numbers lie."""
    value = call.value(0)
    axis = call.attributes.whole("axis", 1)
    rank = len(value.shape)
    axis = rank if axis == rank else call.axis(axis, rank)
    shape = value.shape
    return reshaped(call, value, [product(shape[:axis]), product(shape[axis:])])


@operator("Reshape")
def reshape(call: Call) -> Value:
    """Reshape; where it only splits and joins axes, the numbers stay where they are.

    Until version 4 the shape was an attribute.
    """
    call.attributes.ignore("consumed_inputs")
    value = call.value(0)
    if call.opset < 5:
        wanted: list[Size] = list(call.attributes.wholes("shape", []))
    else:
        wanted = call.sizes(1, "shape")
    if not call.attributes.flag("allowzero", default=False):
        if any(size == 0 and i >= len(value.shape) for i, size in enumerate(wanted)):
            raise UnsupportedError(f"shape {wanted} keeps an axis that its input does not have")
        wanted = [value.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return reshaped(call, value, _worked_out(call, value.shape, wanted))


@operator("Squeeze")
def squeeze(call: Call) -> Value:
    """Axes of size 1 taken away; from version 13 on they are an input."""
    value = call.value(0)
    axes = _axes(call, len(value.shape))
    if axes is None:
        axes = [i for i, size in enumerate(value.shape) if size == 1]
    if any(value.shape[axis] != 1 for axis in axes):
        raise UnsupportedError(f"it takes away axes {axes} that are not of size 1")
    return reshaped(call, value, [n for i, n in enumerate(value.shape) if i not in axes])


@operator("Unsqueeze")
def unsqueeze(call: Call) -> Value:
    """Axes of size 1 put in; from version 13 on they are an input."""
    value = call.value(0)
    given = call.wholes(1, "axes") if call.opset >= 13 else call.attributes.wholes("axes", None)
    if given is None:
        raise UnsupportedError("its attribute axes is missing")
    rank = len(value.shape) + len(given)
    axes = [call.axis(axis, rank) for axis in given]
    if len(set(axes)) != len(axes):
        raise UnsupportedError(f"axes {given} are named twice")
    rest = iter(value.shape)
    return reshaped(call, value, [1 if i in axes else next(rest) for i in range(rank)])


@operator("Expand")
def expand(call: Call) -> Value:
    """The operation `broadcast_to`."""
    value = call.value(0)
    wanted = call.sizes(1, "shape")
    rank = max(len(wanted), len(value.shape))
    ours: list[Size] = [*[1] * (rank - len(value.shape)), *value.shape]
    theirs: list[Size] = [*[1] * (rank - len(wanted)), *wanted]
    sizes = [a if b == 1 else b for a, b in zip(ours, theirs, strict=True)]
    if any(a not in (1, b) for a, b in zip(ours, sizes, strict=True)):
        raise UnsupportedError(f"its input does not spread to the shape {wanted}")
    if isinstance(value, Tensor) and sizes == ours:
        return reshaped(call, value, sizes)
    if any(isinstance(size, Batch) for size in sizes):
        raise UnsupportedError("it spreads a tensor to the batch size")
    known = [int(size) for size in sizes if not isinstance(size, Batch)]
    if not isinstance(value, Tensor):
        return call.build.spread(value, known)
    keras = call.operation(BroadcastTo(tuple(known)), [call.plain(0).keras])
    return call.made(keras, range(rank), value)


@operator("Concat")
def concat(call: Call) -> Value:
    """Concatenate."""
    values = [call.value(i) for i in range(len(call.inputs))]
    default = 1 if call.opset < 4 else None
    axis = call.attributes.whole("axis", default)
    if axis is None:
        raise UnsupportedError("its attribute axis is missing")
    rank = len(values[0].shape)
    if any(len(value.shape) != rank for value in values):
        raise UnsupportedError("it joins tensors of different numbers of axes")
    axis = call.axis(axis, rank)
    if call.all_constant:
        arrays = [value for value in values if not isinstance(value, Tensor)]
        call.build.make_room([sum(array.size for array in arrays)])
        return np.concatenate(arrays, axis)
    if len(values) == 1:
        return values[0]
    tensors = [value for value in values if isinstance(value, Tensor)]
    if isinstance(tensors[0].shape[axis], Batch):
        raise UnsupportedError("it joins batches")
    order = common_order(tensors, rank)
    operands = [
        call.build.arrange(value, order, call.base).keras
        if isinstance(value, Tensor)
        else value.transpose(order)
        for value in values
    ]
    place = order.index(axis)
    place = -1 if place == rank - 1 and rank > 1 else place
    if len(tensors) == len(values) and place != 0:
        keras = call.build.layer(layers.Concatenate(place, name=call.name), operands)
    else:
        keras = call.operation(Concatenate(place), operands)
    return call.made(keras, order, tensors[0])


@operator("Slice")
def slice_(call: Call) -> Value:
    """The operation `slice`; from version 10 on its bounds are inputs."""
    value = call.value(0)
    rank = len(value.shape)
    if call.opset >= 10:
        starts, stops = call.wholes(1, "starts"), call.wholes(2, "ends")
        axes = call.wholes(3, "axes") if call.has(3) else None
        steps = call.wholes(4, "steps") if call.has(4) else None
    else:
        starts = call.attributes.wholes("starts", [])
        stops = call.attributes.wholes("ends", [])
        axes, steps = call.attributes.wholes("axes", None), None
    axes = list(range(len(starts))) if axes is None else [call.axis(n, rank) for n in axes]
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise UnsupportedError("its starts, ends, axes and steps do not belong together")
    slices = [slice(None)] * rank
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        slices[axis] = _bounds(value.shape[axis], start, stop, step)
    return sliced(call, value, slices)


@operator("Split")
def split(call: Call) -> list[Value]:
    """Slices, one after the other; from version 13 on their sizes are an input."""
    value = call.value(0)
    rank = len(value.shape)
    axis = call.axis(call.attributes.whole("axis", 0), rank)
    size = value.shape[axis]
    if isinstance(size, Batch):
        raise UnsupportedError("it splits the batch")
    parts = call.attributes.whole("num_outputs", len(call.node.outputs))
    sizes = call.attributes.wholes("split", None)
    if call.has(1):
        sizes = call.wholes(1, "split")
    if sizes is None:
        most = math.ceil(size / max(parts, 1))
        sizes = [max(min(most, size - i * most), 0) for i in range(parts)]
    if sum(sizes) != size or len(sizes) != len(call.node.outputs) or min(sizes) < 0:
        raise UnsupportedError(f"it splits {size} cells into {sizes}")
    made: list[Value] = []
    start = 0
    for count in sizes:
        slices = [slice(None)] * rank
        slices[axis] = slice(start, start + count, 1)
        made.append(sliced(call, value, slices))
        start += count
    return made


@operator("Gather")
def gather(call: Call) -> Value:
    """The operation `take`; a slice, where one number is taken from a tensor's axis."""
    value = call.value(0)
    rank = len(value.shape)
    axis = call.axis(call.attributes.whole("axis", 0), rank)
    places = call.value(1)
    if not isinstance(value, Tensor) and not isinstance(places, Tensor):
        call.build.make_room([places.size * max(1, value.size // max(1, value.shape[axis]))])
        try:
            return np.asarray(np.take(value, places.astype(np.int64), axis))
        except IndexError as error:
            raise UnsupportedError(f"it takes what is not there: {error}") from error
    if isinstance(value, Tensor) and isinstance(value.shape[axis], Batch):
        raise UnsupportedError("it takes samples out of the batch")
    size = value.shape[axis]
    if isinstance(places, Tensor):
        where = call.build.plain(places, call.base).keras
        source = call.build.plain(value, call.base).keras if isinstance(value, Tensor) else value
        keras = call.operation(Take(axis), [source, where])
        return call.made(keras, range(len(keras.shape)), places, value.dtype)
    assert isinstance(value, Tensor)
    assert isinstance(size, int)
    if places.size and not (-size <= places.min() and places.max() < size):
        raise UnsupportedError(f"it takes cells {places.tolist()} of {size}")
    if places.ndim == 0:
        place = int(places) % size
        slices = [slice(None)] * rank
        slices[axis] = slice(place, place + 1, 1)
        cut = sliced(call, value, slices)
        return reshaped(call, cut, [n for i, n in enumerate(cut.shape) if i != axis])
    keras = call.operation(Take(axis), [call.plain(0).keras, places.astype(np.int64) % size])
    return call.made(keras, range(len(keras.shape)), value)


# What they share.


def product(sizes: Sequence[Size]) -> Size:
    """Return how many cells sizes come to."""
    made: Size = 1
    for size in sizes:
        if isinstance(made, Batch) and isinstance(size, Batch):
            raise UnsupportedError("it multiplies the batch by itself")
        made = made * size
    return made


def reshaped(call: Call, value: Value, shape: Sequence[Size]) -> Value:
    """Return a value in another shape, its numbers left where they are if that can be."""
    if not isinstance(value, Tensor):
        if any(isinstance(size, Batch) for size in shape):
            raise UnsupportedError("it gives a constant the shape of a batch")
        return value.reshape([int(size) for size in shape if not isinstance(size, Batch)])
    if math.prod(_known(value.shape)) != math.prod(_known(shape)):
        raise UnsupportedError(f"{_shown(value.shape)} does not fit into {_shown(shape)}")
    there = split_axes(value, shape)
    if there is None:
        if any(isinstance(n, Batch) for n in value.shape) and shape[:1] != value.shape[:1]:
            raise UnsupportedError("it joins the batch to another axis")
        plain = call.build.plain(value, call.base)
        sizes = tuple(None if isinstance(size, Batch) else size for size in shape)
        keras = call.build.reshape(plain.keras, sizes, call.base)
        return arranged(keras, shape, range(len(shape)), value.dtype)
    if len(shape) == 2 and there.keras.shape != there.sizes((0, 1)):
        return call.build.rows(there, call.base)
    return there


def sliced(call: Call, value: Value, slices: list[slice]) -> Value:
    """Return a part of a value."""
    if not isinstance(value, Tensor):
        return value[tuple(slices)]
    whole = slice(None)
    if all(part == whole for part in slices):
        return value
    if any(
        isinstance(size, Batch) and part != whole
        for size, part in zip(value.shape, slices, strict=True)
    ):
        raise UnsupportedError("it cuts the batch")
    x, order = call.build.settled(value, call.base)
    there = [slices[axis] for axis in order]
    op = Slice(
        tuple(part.start for part in there),
        tuple(part.stop for part in there),
        tuple(1 if part.step is None else part.step for part in there),
    )
    return call.made(call.operation(op, [x.keras]), order, x)


def common_order(tensors: Sequence[Tensor], rank: int) -> tuple[int, ...]:
    """Return the order of `rank` axes in which most of the tensors lie already."""
    plain = tuple(range(rank))
    orders = [order for tensor in tensors if (order := tensor.permutation()) is not None]
    return max(orders, key=lambda order: sum(t.lies(order) for t in tensors), default=plain)


def _worked_out(call: Call, shape: Sequence[Size], wanted: list[Size]) -> list[Size]:
    """Return the wanted shape with -1 worked out, and with the batch where the file has a number.

    A file that was written for batches of one size says that size here and there.
    """
    if wanted.count(-1) > 1 or any(isinstance(n, int) and n < -1 for n in wanted):
        raise UnsupportedError(f"shape {wanted} cannot be")
    batch = next((size for size in shape if isinstance(size, Batch)), None)
    if batch is not None and not any(isinstance(size, Batch) for size in wanted):
        if -1 in wanted:
            others = math.prod(n for n in _known(wanted) if n != -1)
            if others == math.prod(_known(shape)):
                return [Batch() if n == -1 else n for n in wanted]
        if wanted and wanted[0] == call.build.written_for:
            wanted = [Batch(), *wanted[1:]]
    if -1 not in wanted:
        return wanted
    rest = product([size for size in wanted if size != -1])
    total = product(shape)
    if rest == 0:
        raise UnsupportedError(f"shape {wanted} leaves open what -1 is")
    left = quotient(total, rest)
    if left is None:
        raise UnsupportedError(f"{_shown(shape)} does not fit into {_shown(wanted)}")
    return [left if size == -1 else size for size in wanted]


def _axes(call: Call, rank: int) -> list[int] | None:
    given = call.attributes.wholes("axes", None)
    if call.has(1):
        given = call.wholes(1, "axes")
    return None if given is None else [call.axis(axis, rank) for axis in given]


def _bounds(size: Size, start: int, stop: int, step: int) -> slice:
    """Return a slice with the standard's bounds as Python has them."""
    if isinstance(size, Batch):
        whole = start == 0 and stop > 2**31 - 2 and step == 1
        return slice(None) if whole else slice(start, stop, step)
    found = slice(start, stop, step).indices(size)
    if found == (0, size, 1):
        return slice(None)
    # Going backwards to the very first cell has no stop that could be written.
    return slice(found[0], None if found[1] < 0 else found[1], found[2])


def _known(sizes: Sequence[Size]) -> list[int]:
    return [size.factor if isinstance(size, Batch) else size for size in sizes]


def _shown(sizes: Sequence[Size]) -> str:
    return f"({', '.join(map(str, sizes))})"

"""Operators on images: Pad, Resize, DepthToSpace, SpaceToDepth."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Padded, Tensor
from pellucid.formats.onnx.operators._table import operator
from pellucid.ops.depth_to_space import DepthToSpace
from pellucid.ops.pad import Pad
from pellucid.ops.resize import Resize
from pellucid.ops.space_to_depth import SpaceToDepth

MODES = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}
INTERPOLATIONS = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}


@operator("Pad")
def pad(call: Call) -> Value:
    """ZeroPadding2D or the operation `pad`; a convolution after it takes the zeros as its own.

    From version 11 on the padding is an input, from 18 on the axes too.
    """
    value = call.value(0)
    rank = len(value.shape)
    mode = call.attributes.text("mode", "constant")
    if mode not in MODES:
        raise UnsupportedError(f"mode={mode!r} is not known")
    if call.opset >= 11:
        pads = call.wholes(1, "pads")
        fill = call.scalar(2, "constant_value") if call.has(2) else 0.0
        axes = call.wholes(3, "axes") if call.has(3) else list(range(rank))
    else:
        pads = call.attributes.wholes("pads", [])
        fill = call.attributes.number("value", 0.0)
        axes = list(range(rank))
    axes = [call.axis(axis, rank) for axis in axes]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise UnsupportedError(f"pads={pads} do not fit the axes {axes}")
    widths = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        widths[axis] = (pads[i], pads[i + len(axes)])
    if not isinstance(value, Tensor):
        sizes = [n + a + b for n, (a, b) in zip(value.shape, widths, strict=True)]
        if mode != "constant" or min(pads, default=0) < 0:
            raise UnsupportedError("it pads a constant in a way that is not supported")
        call.build.make_room(sizes)
        return np.pad(value, widths, constant_values=fill)
    if all(width == (0, 0) for width in widths):
        return value
    if widths[0] != (0, 0) and isinstance(value.shape[0], Batch):
        raise UnsupportedError("it pads the batch")
    x, order = call.settled(0)
    there = [widths[axis] for axis in order]
    zeros = mode == "constant" and fill == 0 and rank == 4 and min(pads) >= 0
    if zeros and there[0] == there[3] == (0, 0):
        sides = (there[1], there[2])
        layer = layers.ZeroPadding2D(sides, name=call.name)
        made = call.made(call.build.layer(layer, x.keras), order, x)
        return replace(made, origin=Padded(x.keras, sides))
    if there[0] != (0, 0):
        # The operation leaves the first axis alone, so another one is put before it.
        shape = x.keras.shape
        keras = call.build.reshape(x.keras, (1, *shape), call.base)
        keras = call.operation(Pad(tuple(there), MODES[mode], fill), [keras])
        keras = call.build.reshape(keras, keras.shape[1:], call.base)
    else:
        keras = call.operation(Pad(tuple(there[1:]), MODES[mode], fill), [x.keras])
    return call.made(keras, order, x)


@operator("Resize", "Upsample")
def resize(call: Call) -> Value:
    """UpSampling2D where the factors are whole and it means the same, else `resize`.

    Upsample is its name before version 10, where the factors were its second input (until version
    8 an attribute); version 10 has the coordinates of Upsample; 11 and later have choices.
    """
    read = call.attributes
    mode = read.text("mode", "nearest")
    if mode == "bilinear":
        mode = "linear"
    if mode not in INTERPOLATIONS:
        raise UnsupportedError(f"mode={mode!r} is not supported")
    x = call.images()
    size = (x.keras.shape[1], x.keras.shape[2])
    if None in size:
        raise UnsupportedError("the height and width of its input are not known")
    scales, wanted = _scales_and_sizes(call)
    options: dict[str, Any]
    if call.opset < 11:
        options = {"coordinates": "asymmetric", "rounding": "floor"}
    else:
        coordinates = read.text("coordinate_transformation_mode", "half_pixel")
        options = {
            "coordinates": coordinates,
            "rounding": read.text("nearest_mode", "round_prefer_floor"),
            "cubic_coefficient": read.number("cubic_coeff_a", -0.75),
            "exclude_outside": read.flag("exclude_outside", default=False),
            "antialias": read.flag("antialias", default=False),
        }
        read.ignore("extrapolation_value")
        if coordinates == "tf_crop_and_resize":
            raise UnsupportedError(f"coordinate_transformation_mode={coordinates!r} is not known")
    if scales is None:
        assert wanted is not None
        policy = read.text("keep_aspect_ratio_policy", "stretch")
        wanted, scales = _kept_aspect(policy, size, wanted)
    else:
        read.ignore("keep_aspect_ratio_policy")
    op = Resize(wanted, scales, INTERPOLATIONS[mode], **options)
    if (layer := _upsampling(call, op)) is not None:
        return call.made_images(call.build.layer(layer, x.keras), x)
    return call.made_images(call.operation(op, [x.keras]), x)


def _upsampling(call: Call, op: Resize) -> layers.UpSampling2D | None:
    """Return the layer that does the same, if there is one."""
    if op.scales is None or op.antialias or any(s != int(s) for s in op.scales):
        return None
    times = (int(op.scales[0]), int(op.scales[1]))
    nearest = op.interpolation == "nearest" and (
        (op.coordinates == "asymmetric" and op.rounding == "floor")
        or (op.coordinates == "half_pixel" and op.rounding.startswith("round"))
    )
    linear = op.interpolation == "bilinear" and op.coordinates in (
        "half_pixel",
        "half_pixel_symmetric",
    )
    if not (nearest or linear) or op.size is not None or op.exclude_outside:
        return None
    return layers.UpSampling2D(times, interpolation=op.interpolation, name=call.name)


def _scales_and_sizes(
    call: Call,
) -> tuple[tuple[float, float] | None, tuple[int, int] | None]:
    """Return the factors of height and width, or the height and width wanted."""
    sizes = None
    scales: list[float] | None = None
    if call.node.operator == "Upsample" and call.opset < 9:
        scales = call.attributes.numbers("scales", None)
        if scales is None:
            raise UnsupportedError("its attribute scales is missing")
    else:
        place = 1 if call.opset < 11 else 2
        if call.has(place):
            array = call.constant(place, "scales")
            scales = [float(number) for number in array.reshape(-1)] or None
        if scales is None:
            sizes = call.sizes(3, "sizes")
    axes = call.attributes.wholes("axes", None)
    listed = sizes if scales is None else scales
    assert listed is not None
    axes = list(range(4)) if axes is None else [call.axis(axis, 4) for axis in axes]
    if len(listed) != len(axes):
        raise UnsupportedError(f"it resizes {len(axes)} axes by {len(listed)} numbers")
    given = dict(zip(axes, listed, strict=True))
    shape = call.tensor(0).shape
    for axis in (0, 1):
        whole = shape[axis] if scales is None else 1
        if axis in given and given[axis] != whole:
            written = call.build.written_for
            if not (axis == 0 and isinstance(whole, Batch) and given[axis] == written):
                raise UnsupportedError("it resizes the batch or the channels")
    if scales is not None:
        times = dict(zip(axes, scales, strict=True))
        return (times.get(2, 1.0), times.get(3, 1.0)), None
    height, width = given.get(2, shape[2]), given.get(3, shape[3])
    if isinstance(height, Batch) or isinstance(width, Batch):
        raise UnsupportedError("it resizes to the batch size")
    return None, (int(height), int(width))


def _kept_aspect(
    policy: str, size: tuple[Any, ...], wanted: tuple[int, int]
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Return the output's size and the factors, of which a policy may make one."""
    factors = [w / n for w, n in zip(wanted, size, strict=True)]
    if policy == "stretch":
        return wanted, (factors[0], factors[1])
    if policy not in ("not_larger", "not_smaller"):
        raise UnsupportedError(f"keep_aspect_ratio_policy={policy!r} is not known")
    factor = min(factors) if policy == "not_larger" else max(factors)
    height, width = (math.floor(factor * n + 0.5) for n in size)
    return (height, width), (factor, factor)


@operator("DepthToSpace")
def depth_to_space(call: Call) -> Value:
    """The operation `depth_to_space`."""
    x = call.images()
    op = DepthToSpace(call.attributes.whole("blocksize", 0), call.attributes.text("mode", "DCR"))
    return call.made_images(call.operation(op, [x.keras]), x)


@operator("SpaceToDepth")
def space_to_depth(call: Call) -> Value:
    """The operation `space_to_depth`."""
    x = call.images()
    op = SpaceToDepth(call.attributes.whole("blocksize", 0), call.attributes.text("mode", "DCR"))
    return call.made_images(call.operation(op, [x.keras]), x)

"""How ONNX's operators make what works on images alone: pooling, resizing, padding, blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.formats.onnx.export_graph import Form, Graph, channels_first, place_of
from pellucid.graph import Value
from pellucid.ops._operation import Array, known
from pellucid.ops._window import Pair, Windows
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.depth_to_space import DepthToSpace
from pellucid.ops.max_pool2d import MaxPool2D
from pellucid.ops.pad import Pad
from pellucid.ops.resize import Resize
from pellucid.ops.space_to_depth import SpaceToDepth

__all__ = [
    "average_pool2d",
    "depth_to_space",
    "max_pool2d",
    "pad",
    "resize",
    "sides",
    "space_to_depth",
]


def sides(padding: tuple[Pair, ...] | list[Pair]) -> list[int]:
    """Return ((top, bottom), (left, right)) in ONNX's order: all beginnings, then all ends."""
    return [before for before, _ in padding] + [after for _, after in padding]


def image(tensor: str) -> Form:
    """Return the form of a tensor that holds images channels first."""
    return tensor, channels_first(4)


def max_pool2d(g: Graph, op: MaxPool2D, x: Value) -> Form:
    """Pool by the maximum."""
    windows = op._windows(x.shape)
    return image(g.node("MaxPool", g.image(x), **_window(op, windows), dilations=op.dilation_rate))


def average_pool2d(g: Graph, op: AveragePool2D, x: Value) -> Form:
    """Pool by the mean; as a convolution with ones where AveragePool cannot say it."""
    windows = op._windows(x.shape)
    hangs_over = windows.rows.overhang or windows.columns.overhang
    if op.dilation_rate == (1, 1) and not hangs_over:
        include = int(op.count_include_padding)
        attributes = _window(op, windows)
        return image(g.node("AveragePool", g.image(x), **attributes, count_include_pad=include))
    (channels,) = known(x.shape[3:])
    total = g.node(
        "Conv",
        g.image(x),
        g.constant(np.ones((channels, 1, *op.pool_size))),
        **_window(op, windows) | {"pads": sides(windows.padding)},
        dilations=op.dilation_rate,
        group=channels,
    )
    shares = op._shares(windows)[np.newaxis].transpose(0, 3, 1, 2)
    return image(g.node("Mul", total, g.constant(shares)))


def _window(op: MaxPool2D | AveragePool2D, windows: Windows) -> dict[str, Any]:
    return {
        "kernel_shape": op.pool_size,
        "strides": op.strides,
        "pads": sides(windows.padding),
    }


def resize(g: Graph, op: Resize, x: Value) -> Form:
    """Resize by the operator of that name; by indices or matrices where it cannot say it.

    Its sizes would have to name the batch's, and a scale that single precision does not hold could
    move a cell: there, and where it knows no such interpolation, R and S themselves are written.
    """
    rows, columns = op.axes(x.shape)
    modes = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}
    scales = op.scales or (rows.outputs / rows.cells, columns.outputs / columns.cells)
    if (
        op.interpolation not in modes
        or op.antialias
        or op.coordinates == "half_pixel_symmetric"
        or any(float(np.float32(scale)) != scale for scale in scales)
        or (op.size is not None and op.scales is not None)
    ):
        if op.interpolation == "nearest":
            tall = g.node("Gather", g.image(x), g.constant(rows.nearest(), "int64"), axis=2)
            return image(g.node("Gather", tall, g.constant(columns.nearest(), "int64"), axis=3))
        tall = g.node("MatMul", g.constant(rows.matrix()), g.image(x))
        return image(g.node("MatMul", tall, g.constant(columns.matrix().T)))
    attributes: dict[str, Any] = {
        "mode": modes[op.interpolation],
        "coordinate_transformation_mode": op.coordinates,
    }
    if op.interpolation == "nearest":
        attributes["nearest_mode"] = op.rounding
    elif op.interpolation == "bicubic":
        attributes["cubic_coeff_a"] = op.cubic_coefficient
        attributes["exclude_outside"] = int(op.exclude_outside)
    return image(g.node("Resize", g.image(x), None, g.constant([1, 1, *scales]), **attributes))


def pad(g: Graph, op: Pad, x: Value) -> Form:
    """Pad by the operator of that name; cell by cell what it cannot say."""
    tensor, axes = g.any(x)
    modes = {"constant", "edge", "reflect"} | ({"wrap"} if g.opset >= 19 else set())
    width = [(0, 0), *op.pad_width]
    plain = op.mode in modes and min(sides(width)) >= 0
    if not plain:
        for axis, source in op._sources(known((1, *x.shape[1:]))):
            kept = source[source >= 0]
            tensor = g.node("Gather", tensor, g.constant(kept, "int64"), axis=place_of(axis, axes))
        if op.mode != "constant":
            return tensor, axes
    added = [(max(before, 0), max(after, 0)) for before, after in width]
    numbers = g.constant(sides([added[axis] for axis in axes]), "int64")
    value = g.constant(op.constant_value) if op.mode == "constant" else None
    return g.node("Pad", tensor, numbers, value, mode=op.mode), axes


def depth_to_space(g: Graph, op: DepthToSpace, x: Value) -> Form:
    """Lay out the channels."""
    return image(g.node("DepthToSpace", g.image(x), blocksize=op.block_size, mode=op.mode))


def space_to_depth(g: Graph, op: SpaceToDepth, x: Value) -> Form:
    """Lay out the blocks; the operator has one order only."""
    deep = g.node("SpaceToDepth", g.image(x), blocksize=op.block_size)
    if op.mode == "CRD":
        (channels,) = known(op.output_shape(x.shape)[3:])
        order: Array = np.arange(channels).reshape(op.block_size**2, -1).T.ravel()
        deep = g.node("Gather", deep, g.constant(order, "int64"), axis=1)
    return image(deep)

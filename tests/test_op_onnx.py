"""Operations against the ONNX operators that they are the meaning of, as ONNX Runtime runs them.

Images are (N, C, H, W) there: the tests move the channels.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.conv2d_transpose import Conv2DTranspose
from pellucid.ops.depth_to_space import DepthToSpace
from pellucid.ops.group_normalization import GroupNormalization
from pellucid.ops.layer_normalization import LayerNormalization
from pellucid.ops.local_response_normalization import LocalResponseNormalization
from pellucid.ops.max_pool2d import MaxPool2D
from pellucid.ops.pad import Pad
from pellucid.ops.resize import Resize
from pellucid.ops.rms_normalization import RMSNormalization
from pellucid.ops.space_to_depth import SpaceToDepth
from pellucid.ops.unit_normalization import UnitNormalization

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(operator, *inputs, opset=22, **attributes):
    """Run one node on arrays; None for an input left out before others."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    present = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    described = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
        )
        for name, x in present.items()
    ]
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = onnx.helper.make_node(operator, names, ["y"], **attributes)
    graph = onnx.helper.make_graph([node], "one", described, [output])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, present)[0]


def channels_first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def channels_last(x):
    return np.moveaxis(x, 1, -1)


def floats(*shape, seed=3):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def pads(padding):
    """((top, bottom), (left, right)) in ONNX' order."""
    (top, bottom), (left, right) = padding
    return [top, left, bottom, right]


def same(op, x, expected, *weights, tolerance=1e-5):
    assert op.output_shape(x.shape, *(None if w is None else w.shape for w in weights)) == (
        expected.shape
    )
    np.testing.assert_allclose(op.forward(x, *weights), expected, rtol=tolerance, atol=tolerance)


GEOMETRIES = [
    {"pool": pool, "strides": strides, "padding": padding, "dilation": dilation, "ceil": ceil}
    for (pool, padding), strides, dilation, ceil in itertools.product(
        (((2, 2), ((0, 0), (0, 0))), ((3, 2), ((1, 2), (0, 1))), ((3, 3), ((2, 0), (1, 1)))),
        ((1, 1), (2, 3), (3, 2)),
        ((1, 1), (2, 1)),
        (False, True),
    )
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: "-".join(map(str, g.values())))
@pytest.mark.parametrize("size", [(7, 6), (8, 9)])
def test_pooling(geometry, size):
    x = floats(2, *size, 3)
    attributes = {
        "kernel_shape": geometry["pool"],
        "strides": geometry["strides"],
        "pads": pads(geometry["padding"]),
        "dilations": geometry["dilation"],
        "ceil_mode": int(geometry["ceil"]),
    }
    window = geometry["pool"], geometry["strides"], geometry["padding"]
    last = geometry["dilation"], geometry["ceil"]
    expected = run("MaxPool", channels_first(x), **attributes)
    same(MaxPool2D(*window, *last), x, channels_last(expected))
    for include in (False, True):
        expected = run(
            "AveragePool", channels_first(x), **attributes, count_include_pad=int(include)
        )
        same(AveragePool2D(*window, include, *last), x, channels_last(expected))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (3, 0))])
def test_convolution(groups, strides, dilation, padding):
    x, kernel, bias = floats(2, 8, 7, 4), floats(3, 2, 4 // groups, 8, seed=4), floats(8, seed=5)
    expected = run(
        "Conv",
        channels_first(x),
        np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)),
        bias,
        strides=strides,
        dilations=dilation,
        pads=pads(padding),
        group=groups,
    )
    op = Conv2D(strides, padding, dilation, groups)
    same(op, x, channels_last(expected), kernel, bias)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("strides", "dilation", "output_padding"),
    [((1, 1), (1, 1), (0, 0)), ((2, 3), (1, 1), (1, 2)), ((2, 1), (1, 2), (1, 0))],
)
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (0, 1))])
def test_transposed_convolution(groups, strides, dilation, output_padding, padding):
    x, bias = floats(2, 4, 5, 4), floats(2 * groups, seed=5)
    kernel = floats(3, 4, 2, 4, seed=4)
    expected = run(
        "ConvTranspose",
        channels_first(x),
        np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)),
        bias,
        strides=strides,
        dilations=dilation,
        output_padding=output_padding,
        pads=pads(padding),
        group=groups,
    )
    op = Conv2DTranspose(strides, padding, output_padding, dilation, groups)
    same(op, x, channels_last(expected), kernel, bias)


def test_normalisations():
    x, gamma, beta = floats(2, 5, 4, 6), floats(6, seed=4), floats(6, seed=5)
    first = channels_first(x)
    expected = run("InstanceNormalization", first, gamma, beta, epsilon=1e-3)
    same(GroupNormalization(-1), x, channels_last(expected), gamma, beta)
    for groups in (1, 2, 3, 6):
        expected = run("GroupNormalization", first, gamma, beta, epsilon=1e-3, num_groups=groups)
        same(GroupNormalization(groups), x, channels_last(expected), gamma, beta)
    expected = run("LayerNormalization", x, gamma, beta, epsilon=1e-3, axis=-1)
    same(LayerNormalization(), x, expected, gamma, beta)
    wide = floats(4, 6, seed=6)
    expected = run("LayerNormalization", x, wide, epsilon=1e-3, axis=2)
    same(LayerNormalization((2, 3)), x, expected, wide, None)
    expected = run("RMSNormalization", x, wide, opset=23, epsilon=1e-3, axis=2)
    same(RMSNormalization((2, 3), 1e-3), x, expected, wide)
    same(UnitNormalization(), x, run("LpNormalization", x, axis=-1, p=2))


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_local_response_normalisation(size):
    x = floats(2, 3, 4, 7)
    settings = {"alpha": 0.3, "beta": 0.6, "bias": 1.5}
    expected = run("LRN", channels_first(x), size=size, **settings)
    same(LocalResponseNormalization(size, **settings), x, channels_last(expected))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("width", [((1, 2), (0, 3)), ((-1, 2), (3, -1)), ((0, 0), (2, 0))])
def test_padding(mode, width):
    x = floats(2, 5, 6, 3)
    (top, bottom), (left, right) = width
    whole = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    expected = run("Pad", channels_first(x), whole, np.array(0.5, np.float32), mode=mode)
    same(Pad((*width, (0, 0)), mode, 0.5), x, channels_last(expected))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_and_space(mode):
    x = floats(2, 3, 4, 8)
    expected = run("DepthToSpace", channels_first(x), blocksize=2, mode=mode)
    same(DepthToSpace(2, mode), x, channels_last(expected))
    np.testing.assert_array_equal(SpaceToDepth(2, mode).forward(channels_last(expected)), x)
    deep = run("SpaceToDepth", expected, blocksize=2)
    same(SpaceToDepth(2), channels_last(expected), channels_last(deep))


COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
RESIZES = [
    *itertools.product([(2.0, 3.0), (0.5, 0.8)], [None], COORDINATES),
    *itertools.product([None], [(9, 4), (3, 11), (1, 1)], (*COORDINATES, "half_pixel_symmetric")),
]


@pytest.mark.parametrize(("scales", "size", "coordinates"), RESIZES)
def test_resizing(scales, size, coordinates):
    x = floats(2, 6, 5, 2)
    first = channels_first(x)
    how_far = [None, None if scales is None else np.array([1, 1, *scales], np.float32)]
    if size is not None:
        how_far.append(np.array([2, 2, *size], np.int64))
    common = {"coordinate_transformation_mode": coordinates}

    def check(method, theirs, antialias=False, exclude=False, **options):
        op = Resize(
            size,
            scales,
            method,
            coordinates,
            exclude_outside=exclude,
            antialias=antialias,
            **options,
        )
        expected = run("Resize", first, *how_far, **common, **theirs, antialias=int(antialias))
        same(op, x, channels_last(expected))

    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        check("nearest", {"mode": "nearest", "nearest_mode": rounding}, rounding=rounding)
    check("bilinear", {"mode": "linear"})
    for a, exclude in itertools.product((-0.5, -0.75), (False, True)):
        theirs = {"mode": "cubic", "cubic_coeff_a": a, "exclude_outside": int(exclude)}
        check("bicubic", theirs, cubic_coefficient=a, exclude=exclude)
    if coordinates == "half_pixel":
        check("bilinear", {"mode": "linear"}, antialias=True)
        theirs = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}
        check("bicubic", theirs, antialias=True, exclude=True)

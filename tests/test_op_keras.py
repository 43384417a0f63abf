"""Operations against the Keras layers that they are the meaning of."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pellucid.ops.affine_transform import AffineTransform
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.batch_normalization import BatchNormalization
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.conv2d_transpose import Conv2DTranspose
from pellucid.ops.cropping2d import Cropping2D
from pellucid.ops.depthwise_conv2d import DepthwiseConv2D
from pellucid.ops.layer_normalization import LayerNormalization
from pellucid.ops.max_pool2d import MaxPool2D
from pellucid.ops.resize import Resize
from pellucid.ops.zero_padding2d import ZeroPadding2D


def _windowed():
    for padding, strides in itertools.product(("valid", "same"), ((1, 1), (2, 2), (3, 3))):
        keras = {"padding": padding, "strides": strides}
        yield "Conv2D", keras | {"filters": 4, "kernel_size": (3, 2)}, Conv2D(strides, padding)
        yield (
            "DepthwiseConv2D",
            keras | {"kernel_size": (3, 2), "depth_multiplier": 2},
            DepthwiseConv2D(strides, padding),
        )
        pool = keras | {"pool_size": (3, 2)}
        yield "MaxPooling2D", pool, MaxPool2D((3, 2), strides, padding)
        yield "AveragePooling2D", pool, AveragePool2D((3, 2), strides, padding)
    yield (
        "Conv2D",
        {"filters": 4, "kernel_size": (2, 3), "dilation_rate": (2, 2), "padding": "same"},
        Conv2D(padding="same", dilation_rate=(2, 2)),
    )


def _transposed():
    kernels = ((1, 2), (3, 4), (5, 3))
    for padding, kernel_size in itertools.product(("valid", "same"), kernels):
        for strides, output_padding, dilation in (
            ((1, 1), None, (1, 1)),
            ((2, 3), None, (1, 1)),
            ((2, 3), (0, 2), (1, 1)),
            ((3, 2), (1, 0), (1, 1)),
            ((1, 1), None, (2, 3)),
            ((1, 1), (0, 0), (1, 2)),
        ):
            if padding == "same" and output_padding == (0, 0) and kernel_size[0] % 2 == 0:
                continue
            config = {
                "filters": 2,
                "kernel_size": kernel_size,
                "strides": strides,
                "padding": padding,
                "output_padding": output_padding,
                "dilation_rate": dilation,
            }
            op = Conv2DTranspose(strides, padding, output_padding, dilation)
            yield "Conv2DTranspose", config, op


def _others():
    yield "ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, ZeroPadding2D(((1, 2), (0, 3)))
    yield "Cropping2D", {"cropping": ((1, 2), (0, 3))}, Cropping2D(((1, 2), (0, 3)))
    for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        config = {"size": (2, 3), "interpolation": interpolation}
        yield "UpSampling2D", config, Resize(None, (2.0, 3.0), interpolation)
    yield "LayerNormalization", {}, LayerNormalization()
    yield "LayerNormalization", {"axis": [1, 2, 3]}, LayerNormalization((1, 2, 3))
    yield "LayerNormalization", {"axis": [1, 3]}, LayerNormalization((1, 3))


@pytest.mark.parametrize(
    ("class_name", "config", "op"),
    [
        pytest.param(*case, id=f"{case[0]}-{i}")
        for i, case in enumerate([*_windowed(), *_transposed(), *_others()])
    ],
)
def test_gives_what_the_layer_gives(keras_oracle, class_name, config, op):
    generator = np.random.default_rng(5)
    x = generator.standard_normal((2, 7, 6, 3)).astype(np.float32)
    shapes: list[tuple[int, ...]] = []
    if "kernel_size" in config:
        filters = config.get("filters")
        last = {"Conv2D": (3, filters), "Conv2DTranspose": (filters, 3)}.get(class_name, (3, 2))
        shapes = [(*config["kernel_size"], *last), (filters or 6,)]
    elif class_name == "LayerNormalization":
        axes = config.get("axis", [-1])
        shapes = [tuple(x.shape[axis] for axis in axes)] * 2
    weights = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    arrays = {"x": x} | {f"w{i}": w for i, w in enumerate(weights)}
    results, _ = keras_oracle.ask(
        "ask_layers.run", arrays, class_name=class_name, config=config, training=False
    )
    assert op.output_shape(x.shape, *shapes) == results["y"].shape
    np.testing.assert_allclose(op.forward(x, *weights), results["y"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 5, 3, 2), (8, 2)])
def test_batch_normalization_and_its_statistics(keras_oracle, shape, training):
    generator = np.random.default_rng(5)
    x = generator.normal(1.0, 2.0, shape).astype(np.float32)
    weights = [generator.uniform(0.5, 1.5, 2).astype(np.float32) for _ in range(4)]
    results, _ = keras_oracle.ask(
        "ask_layers.run",
        {"x": x} | {f"w{i}": w for i, w in enumerate(weights)},
        class_name="BatchNormalization",
        config={"momentum": 0.9},
        training=training,
    )
    op = BatchNormalization(momentum=0.9, training=training)
    np.testing.assert_allclose(op.forward(x, *weights), results["y"], rtol=0, atol=1e-5)
    stored = op.state_updates(x, *weights) or weights[2:]
    np.testing.assert_allclose(stored[0], results["w2"], rtol=1e-6)
    np.testing.assert_allclose(stored[1], results["w3"], rtol=1e-6)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", ["reflect", "wrap", "constant", "nearest"])
def test_affine_transform(keras_oracle, fill_mode, interpolation):
    generator = np.random.default_rng(5)
    x = generator.standard_normal((2, 6, 5, 3)).astype(np.float32)
    still = [1, 0, 0, 0, 1, 0]
    transforms = still + generator.normal(0.0, [0.3, 0.3, 3.0, 0.3, 0.3, 3.0], (2, 6))
    by_columns = transforms[:, [4, 3, 5, 1, 0, 2]]  # Keras says (column, row) for (row, column)
    by_columns = np.concatenate([by_columns, np.zeros((2, 2))], axis=1)
    results, _ = keras_oracle.ask(
        "ask_ops.call",
        {"x0": x, "x1": by_columns.astype(np.float32)},
        name="image.affine_transform",
        arguments={"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.5},
    )
    y = AffineTransform(fill_mode, interpolation, 0.5).forward(x, transforms.astype(np.float32))
    np.testing.assert_allclose(y, results["y0"], rtol=0, atol=1e-4)

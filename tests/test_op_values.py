"""Operations against published numbers, numbers worked out by hand, and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from pellucid.errors import ShapeError
from pellucid.ops.adjust_contrast import AdjustContrast
from pellucid.ops.affine_transform import AffineTransform
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.batch_normalization import BatchNormalization
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.conv2d_transpose import Conv2DTranspose
from pellucid.ops.depthwise_conv2d import DepthwiseConv2D
from pellucid.ops.dropout import Dropout
from pellucid.ops.flip import Flip
from pellucid.ops.global_max_pool2d import GlobalMaxPool2D
from pellucid.ops.layer_normalization import LayerNormalization
from pellucid.ops.max_pool2d import MaxPool2D
from pellucid.ops.resize import Resize

PREWITT = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
FIVE_BY_FIVE = [
    [1, 2, 3, 0, 1],
    [4, 5, 6, 1, 2],
    [7, 8, 9, 2, 3],
    [1, 2, 3, 4, 5],
    [6, 7, 8, 5, 6],
]


def image(rows) -> np.ndarray:
    """One image of one channel."""
    return np.asarray(rows, np.float64)[np.newaxis, :, :, np.newaxis]


def kernel(rows) -> np.ndarray:
    """One kernel that reads one channel."""
    return np.asarray(rows, np.float64)[:, :, np.newaxis, np.newaxis]


@pytest.mark.parametrize(
    ("rows", "weights", "expected"),
    [
        pytest.param(
            np.arange(10, 260, 10).reshape(5, 5), PREWITT, np.full((3, 3), 300), id="10-to-250"
        ),
        pytest.param(np.arange(1, 26).reshape(5, 5), PREWITT, np.full((3, 3), 30), id="1-to-25"),
        pytest.param(
            np.arange(1, 10).reshape(3, 3), [[1, 0], [0, -1]], np.full((2, 2), -4), id="1-to-9"
        ),
        pytest.param(
            FIVE_BY_FIVE,
            [[1, 0, -1]] * 3,
            [[-6, 12, 12], [-6, 8, 8], [-6, 6, 6]],
            id="vertical-edges",
        ),
    ],
)
def test_convolution_worked_by_hand(rows, weights, expected):
    y = Conv2D().forward(image(rows), kernel(weights))
    np.testing.assert_array_equal(y[0, :, :, 0], expected)


def test_max_pooling_worked_by_hand():
    rows = [[1, 3, 2, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]
    y = MaxPool2D((2, 2), (2, 2)).forward(image(rows))
    np.testing.assert_array_equal(y[0, :, :, 0], [[6, 8], [14, 16]])


def test_small_network_worked_by_hand():
    """Convolution, ReLU, pooling, dense: all −4, all 0, 0, and then the bias alone."""
    y = Conv2D().forward(image(np.arange(1, 10).reshape(3, 3)), kernel([[1, 0], [0, -1]]))
    rectified = np.maximum(y, 0)
    assert MaxPool2D((2, 2), (2, 2)).forward(rectified).item() == 0
    assert rectified.reshape(4) @ [0.5, -0.2, 0.1, 0.4] + 0.1 == 0.1


def test_same_average_pooling_leaves_padding_out_of_the_count():
    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    y = AveragePool2D((2, 2), (2, 2), "same").forward(image(rows))
    np.testing.assert_allclose(y[0, :, :, 0], [[3, 4.5], [7.5, 9]])
    counted = AveragePool2D((2, 2), (2, 2), ((0, 1), (0, 1)), count_include_padding=True)
    np.testing.assert_allclose(counted.forward(image(rows))[0, :, :, 0], [[3, 2.25], [3.75, 2.25]])


@pytest.mark.parametrize("op", [MaxPool2D((2, 2), (1, 1)), GlobalMaxPool2D()], ids=repr)
def test_the_first_of_equals_wins(op):
    x = image([[1, 7, 7], [7, 0, 7], [2, 2, 7]])
    y = op.forward(x)
    dy = np.arange(1.0, y.size + 1).reshape(y.shape)
    (dx,) = op.backward(dy, y, x)
    if isinstance(op, GlobalMaxPool2D):
        expected = [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    else:
        expected = [[0, 1 + 2, 0], [3, 0, 4], [0, 0, 0]]
    np.testing.assert_array_equal(dx[0, :, :, 0], expected)
    for place in np.ndindex(x.shape):
        assert op.gradient_terms("x", place, dy, y, x).value == dx[place]
    assert op.terms((0,) * y.ndim, x).winner == 1


def test_all_negative_image_keeps_its_maximum_beside_padding():
    x = np.full((1, 3, 3, 1), -5.0, np.float32)
    assert (MaxPool2D((2, 2), (2, 2), "same").forward(x) == -5).all()


def _padded(x: np.ndarray, size, window, stride, padding, fill: float) -> np.ndarray:
    """Pad the rows and columns of x (H, W) as TensorFlow's documentation says."""
    if padding == "valid":
        return x
    if padding != "same":
        return np.pad(x, padding, constant_values=fill)
    sides = []
    for n, k, s in zip(size, window, stride, strict=True):
        needed = max(k - s if n % s == 0 else k - n % s, 0)
        sides.append((needed // 2, needed - needed // 2))
    return np.pad(x, sides, constant_values=fill)


@st.composite
def windows(draw):
    """Draw size, window, stride, dilation and padding of which at least one position fits."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    window, stride, dilation = draw(pair), draw(pair), draw(pair)
    extent = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    size = tuple(draw(st.integers(e, e + 4)) for e in extent)
    sides = st.tuples(st.integers(0, 2), st.integers(0, 2))
    padding = draw(st.sampled_from(["valid", "same"]) | st.tuples(sides, sides))
    return size, window, stride, dilation, tuple(extent), padding


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(1, 2), st.integers(1, 2), st.integers(0, 99))
def test_convolutions_against_scipy(drawn, channels, multiplier, seed):
    size, window, stride, dilation, extent, padding = drawn
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((2, *size, channels))
    weights = generator.standard_normal((*window, channels, multiplier))
    spread = np.zeros((*extent, channels, multiplier))
    spread[:: dilation[0], :: dilation[1]] = weights

    def correlate(n: int, c: int, m: int) -> np.ndarray:
        padded = _padded(x[n, :, :, c], size, extent, stride, padding, 0.0)
        every = signal.correlate2d(padded, spread[:, :, c, m], "valid")
        return every[:: stride[0], :: stride[1]]

    each = [
        [[correlate(n, c, m) for m in range(multiplier)] for c in range(channels)] for n in range(2)
    ]
    by_channel = np.moveaxis(np.array(each), (1, 2), (-2, -1))  # (N, OH, OW, C, M)
    y = Conv2D(stride, padding, dilation).forward(x, weights)
    np.testing.assert_allclose(y, by_channel.sum(axis=3), rtol=0, atol=1e-12)
    y = DepthwiseConv2D(stride, padding, dilation).forward(x, weights)
    np.testing.assert_allclose(y, by_channel.reshape(*y.shape), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(0, 99))
def test_pooling_against_its_definition(drawn, seed):
    size, window, stride, _, _, padding = drawn
    if not isinstance(padding, str):
        padding = tuple(
            (min(before, k - 1), min(after, k - 1))
            for (before, after), k in zip(padding, window, strict=True)
        )
    x = np.random.default_rng(seed).standard_normal((1, *size, 1))
    padded = _padded(x[0, :, :, 0], size, window, stride, padding, np.nan)
    places = [range(0, n - k + 1, s) for n, k, s in zip(padded.shape, window, stride, strict=True)]
    cut = [[padded[i : i + window[0], j : j + window[1]] for j in places[1]] for i in places[0]]
    for op, definition in ((MaxPool2D, np.nanmax), (AveragePool2D, np.nanmean)):
        expected = np.array([[definition(piece) for piece in row] for row in cut])
        y = op(window, stride, padding).forward(x)
        np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=0, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(0, 99))
def test_transposed_convolution_is_the_gradient_of_convolution(drawn, seed):
    """With padding 'valid', where both are defined: ∂(conv)/∂x applied to g is convᵀ(g)."""
    size, window, stride, dilation, _, _ = drawn
    generator = np.random.default_rng(seed)
    x, weights = (
        generator.standard_normal((2, *size, 3)),
        generator.standard_normal((*window, 3, 2)),
    )
    conv = Conv2D(stride, "valid", dilation)
    y = conv.forward(x, weights)
    g = generator.standard_normal(y.shape)
    dx = conv.backward(g, y, x, weights, wrt={"x"})[0]
    transposed = Conv2DTranspose(stride, "valid", (0, 0), dilation).forward(g, weights)
    assert dx is not None
    _, height, width, _ = transposed.shape  # dx has, after these, what no window reached
    np.testing.assert_allclose(transposed, dx[:, :height, :width], rtol=0, atol=1e-12)
    assert not dx[:, height:].any()
    assert not dx[:, :, width:].any()


@pytest.mark.parametrize("size", [(2, 2), (3, 1), (2, 5)])
def test_bilinear_upsampling_against_scipy(size):
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 2))
    expected = ndimage.zoom(x, (1, *size, 1), order=1, mode="nearest", grid_mode=True)
    y = Resize(None, size, "bilinear").forward(x)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    ("fill_mode", "scipy_mode"),
    [
        ("reflect", "reflect"),
        ("wrap", "grid-wrap"),
        ("constant", "grid-constant"),
        ("nearest", "nearest"),
    ],
)
def test_affine_transform_against_scipy(fill_mode, scipy_mode, interpolation):
    generator = np.random.default_rng(3)
    x = generator.standard_normal((4, 6, 5, 2))
    still = [1, 0, 0, 0, 1, 0]
    transforms = still + generator.normal(0.0, [0.4, 0.4, 4.0, 0.4, 0.4, 4.0], (4, 6))
    y = AffineTransform(fill_mode, interpolation, 0.3).forward(x, transforms)
    order = int(interpolation == "bilinear")
    for n, t in enumerate(transforms.reshape(4, 2, 3)):
        for c in range(2):
            expected = ndimage.affine_transform(
                x[n, :, :, c], t[:, :2], t[:, 2], order=order, mode=scipy_mode, cval=0.3
            )
            np.testing.assert_allclose(y[n, :, :, c], expected, rtol=0, atol=1e-12)


def test_batch_normalization_makes_mean_0_and_variance_1():
    x = np.random.default_rng(0).normal(100.0, 3.0, (64, 13, 13, 4)).astype(np.float32)
    op = BatchNormalization(training=True, epsilon=1e-7, momentum=0.9)
    stored = np.zeros(4, np.float32), np.ones(4, np.float32)
    y = op.forward(x, None, None, *stored).astype(np.float64)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=2e-5)
    np.testing.assert_allclose(y.var(axis=(0, 1, 2)), 1, rtol=2e-5)
    mean, variance = op.state_updates(x, None, None, *stored)
    double = x.astype(np.float64)
    np.testing.assert_allclose(mean, 0.1 * double.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * double.var(axis=(0, 1, 2)), rtol=1e-5)
    assert mean.dtype == variance.dtype == np.float32
    assert BatchNormalization().state_updates(x, None, None, *stored) == ()
    with pytest.raises(ShapeError, match=r"a batch of shape \(0, 13, 13, 4\), which holds no"):
        op.forward(x[:0], None, None, *stored)


def test_layer_normalization_makes_every_sample_alike():
    x = np.random.default_rng(0).normal(5.0, 3.0, (8, 4, 4, 3))
    y = LayerNormalization(axis=(1, 2, 3), epsilon=1e-12).forward(x)
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=(1, 2, 3)), 1, rtol=1e-10)


def test_dropout_scales_what_it_keeps():
    x = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    for mask_type in (bool, np.uint8, np.float64):
        y = Dropout(0.75).forward(x, np.array([[1, 0, 1, 0]], mask_type))
        np.testing.assert_array_equal(y, [[4, 0, 12, 0]])
        assert y.dtype == np.float32


def test_flip_turns_each_image_as_its_flags_say():
    x = np.arange(4.0).reshape(1, 2, 2, 1).repeat(4, axis=0)
    y = Flip().forward(x, np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
    expected = [[[0, 1], [2, 3]], [[2, 3], [0, 1]], [[1, 0], [3, 2]], [[3, 2], [1, 0]]]
    np.testing.assert_array_equal(y[..., 0], expected)


def test_contrast_moves_pixels_away_from_the_mean():
    y = AdjustContrast().forward(image([[1, 2], [3, 6]]), np.array([[2.0]]))
    np.testing.assert_array_equal(y[0, :, :, 0], [[-1, 1], [3, 9]])

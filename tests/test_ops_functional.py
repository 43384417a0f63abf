"""The plain functions: what they accept, what they give, what they refuse."""

import subprocess
import sys

import numpy as np
import pytest

from pellucid import ops
from pellucid.errors import ArgumentError, DataError, ShapeError, TypeMismatchError

IMAGE = np.arange(1.0, 26.0).reshape(1, 5, 5, 1)


def test_every_public_name_is_a_function_though_modules_have_the_same_names():
    found = ops.operations()
    assert {"softmax", "add", "reshape"} <= set(found)
    for name in ops.__all__:
        assert callable(getattr(ops, name)), name
        assert getattr(ops, name).__doc__, name


def test_importing_an_operation_leaves_the_function_in_place():
    code = (
        "from pellucid.ops.log_softmax import LogSoftmax\n"
        "import pellucid.ops.minimum\n"
        "from pellucid import ops\n"
        "ops.operations()\n"
        "assert ops.log_softmax([[0.0]]) == 0 and ops.minimum(1, 2) == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("image", "row"), [(IMAGE, 30), (IMAGE * 10, 300)], ids=["1 to 25", "10 to 250"]
)
def test_the_worked_example_of_convolution(image, row):
    """Each position gives (third row) − (first row) = 3 · 2 · 5 steps."""
    prewitt = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]]).reshape(3, 3, 1, 1)
    y = ops.conv(image, prewitt)
    assert y.shape == (1, 3, 3, 1)
    assert (y == row).all()


def test_whole_numbers_become_float32_and_floats_stay():
    image = np.ones((1, 3, 3, 1), np.uint8)
    kernel = np.ones((2, 2, 1, 1))
    assert ops.conv(image, kernel.astype(int)).dtype == np.float32
    assert ops.conv(image, kernel.astype(np.float32)).dtype == np.float32
    assert ops.conv(image, kernel).dtype == np.float64
    assert ops.relu(3).dtype == np.float32
    assert ops.relu(3).shape == ()
    assert ops.softmax([1.0, 2.0]).dtype == np.float32
    assert ops.add(np.ones(2, np.float32), 0.5).dtype == np.float32
    assert ops.add(np.ones(2, int), 0.5).dtype == np.float32
    assert ops.add(np.ones(2), 0.5).dtype == np.float64
    assert ops.add(np.ones(2, np.int64), 1).dtype == np.int64
    assert ops.maximum(np.array([True]), np.array([2], np.uint8)).dtype == np.uint8


@pytest.mark.parametrize("bad", [["a"], [1j], [None], [{}]])
def test_what_is_no_number_is_refused(bad):
    for function in (ops.relu, ops.softmax):
        with pytest.raises(TypeMismatchError, match="real numbers"):
            function(bad)
    with pytest.raises(TypeMismatchError, match="real numbers"):
        ops.add(bad, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda **options: ops.conv(IMAGE, np.ones((2, 2, 1, 1)), **options),
        lambda **options: ops.depthwise_conv(IMAGE, np.ones((2, 2, 1, 1)), **options),
        lambda **options: ops.separable_conv(
            IMAGE, np.ones((2, 2, 1, 1)), np.ones((1, 1, 1, 1)), **options
        ),
        lambda **options: ops.conv_transpose(IMAGE, np.ones((2, 2, 1, 1)), **options),
        lambda **options: ops.max_pool(IMAGE, 2, **options),
        lambda **options: ops.average_pool(IMAGE, 2, **options),
    ],
)
def test_channels_first_is_refused_and_last_is_not(call):
    with pytest.raises(
        ArgumentError, match=r"'channels_last'.*received 'channels_first'.*transpose"
    ):
        call(data_format="channels_first")
    np.testing.assert_array_equal(call(data_format="channels_last"), call())
    np.testing.assert_array_equal(call(padding="VALID"), call())
    with pytest.raises(ArgumentError, match="strides must be"):
        call(strides=(1, 1, 1))
    with pytest.raises(ArgumentError, match="padding"):
        call(padding="full")


def test_one_number_means_both_directions():
    x = np.random.default_rng(0).normal(size=(2, 8, 7, 3))
    kernel = np.ones((2, 3, 3, 4))
    np.testing.assert_array_equal(ops.conv(x, kernel, 2), ops.conv(x, kernel, [2, 2]))
    np.testing.assert_array_equal(ops.max_pool(x, 2), ops.max_pool(x, (2, 2), strides=(2, 2)))
    np.testing.assert_array_equal(
        ops.conv(x, kernel, dilation_rate=2), ops.conv(x, kernel, dilation_rate=(2, 2))
    )


def test_groups_follow_from_the_kernel():
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 4))
    kernel = np.random.default_rng(1).normal(size=(3, 3, 2, 6))
    halves = [ops.conv(x[..., :2], kernel[..., :3]), ops.conv(x[..., 2:], kernel[..., 3:])]
    np.testing.assert_allclose(ops.conv(x, kernel), ops.concatenate(halves, axis=-1), rtol=1e-12)
    with pytest.raises(ShapeError, match="channels"):
        ops.conv(x, np.ones((3, 3, 3, 6)))
    with pytest.raises(ShapeError, match="4 axes"):
        ops.conv(x[0], kernel)


def test_a_separable_convolution_is_one_dense_convolution():
    generator = np.random.default_rng(2)
    x = generator.normal(size=(1, 6, 6, 2))
    depthwise, pointwise = generator.normal(size=(3, 3, 2, 2)), generator.normal(size=(1, 1, 4, 3))
    kernel = np.einsum("yxcm,cmo->yxco", depthwise, pointwise.reshape(2, 2, 3))
    np.testing.assert_allclose(
        ops.separable_conv(x, depthwise, pointwise, 2, "same"),
        ops.conv(x, kernel, 2, "same"),
        rtol=1e-12,
    )


def test_normalisations_take_what_is_there():
    x = np.random.default_rng(3).normal(2, 3, (4, 5, 5, 2)).astype(np.float32)
    y = ops.batch_normalization(
        x, x.mean((0, 1, 2)), x.var((0, 1, 2)), -1, offset=[1, 2], scale=[3, 4], epsilon=1e-6
    )
    np.testing.assert_allclose(y.mean((0, 1, 2)), [1, 2], atol=1e-5)
    np.testing.assert_allclose(y.std((0, 1, 2)), [3, 4], rtol=1e-5)
    plain = ops.batch_normalization(x, np.zeros(2), np.ones(2), axis=3, offset=[5.0, 5.0])
    np.testing.assert_allclose(plain, x / np.sqrt(1.001) + 5, rtol=1e-5)
    z = ops.layer_normalization(x, beta=[1, 1])
    np.testing.assert_allclose(z.mean(-1), 1, atol=1e-3)


def test_one_hot_and_multi_hot():
    rows = ops.one_hot(np.array([[0, 2], [-1, 3]]), 3)
    assert rows.tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]
    assert ops.one_hot([1], 2, dtype="int8").dtype == np.int8
    assert ops.one_hot([1, 0, 1], 2, axis=0).shape == (2, 3)
    assert ops.multi_hot([0, 2], 4).tolist() == [1, 0, 1, 0]
    with pytest.raises(TypeMismatchError, match="astype"):
        ops.one_hot([0.0], 3)
    with pytest.raises(ArgumentError, match="sparse"):
        ops.one_hot([0], 3, sparse=True)
    with pytest.raises(ShapeError, match="no place 2"):
        ops.one_hot([0], 3, axis=2)


def test_cross_entropies_agree_with_each_other():
    logits = np.random.default_rng(4).normal(size=(6, 5))
    labels = np.array([0, 4, 1, 2, 2, 3])
    by_number = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    rows = ops.one_hot(labels, 5)
    for target, output in ((rows, logits), (rows.T, logits.T)):
        axis = -1 if target is rows else 0
        np.testing.assert_allclose(
            ops.categorical_crossentropy(target, output, from_logits=True, axis=axis), by_number
        )
        np.testing.assert_allclose(
            ops.categorical_crossentropy(target, ops.softmax(output, axis=axis), axis=axis),
            by_number,
            rtol=1e-6,
        )
    with pytest.raises(DataError, match="0 to 4"):
        ops.sparse_categorical_crossentropy([5], logits[:1])
    with pytest.raises(ShapeError, match="same shape"):
        ops.categorical_crossentropy(labels, logits)


def test_binary_crossentropy_takes_no_mean():
    y = ops.binary_crossentropy([[1.0, 0.0]], [[0.5, 0.75]])
    np.testing.assert_allclose(y, [[np.log(2), np.log(4)]], rtol=1e-6)
    np.testing.assert_allclose(
        ops.binary_crossentropy([1, 1], [0, -1e4], from_logits=True), [np.log(2), 1e4], rtol=1e-6
    )


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum", "minimum"])
@pytest.mark.parametrize("shapes", [((2, 3), (3,)), ((4, 1, 3), (2, 1)), ((3,), ()), ((), ())])
def test_merges_spread_as_numpy_does(name, shapes):
    generator = np.random.default_rng(5)
    x1, x2 = (generator.normal(size=shape) for shape in shapes)
    np.testing.assert_array_equal(getattr(ops, name)(x1, x2), getattr(np, name)(x1, x2))
    with pytest.raises(ShapeError, match="same, or 1"):
        getattr(ops, name)(np.ones((2, 3)), np.ones((2, 4)))


def test_among_equals_the_first_has_the_gradient():
    x = (np.array([1.0, 2.0]), np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    op = ops.operations()["maximum"]()
    shares = op.backward(np.array([5.0, 7.0]), op.forward(*x), *x)
    assert [share.tolist() for share in shares] == [[5, 0], [0, 7], [0, 0]]
    op = ops.operations()["minimum"]()
    shares = op.backward(np.array([5.0, 7.0]), op.forward(*x), *x)
    assert [share.tolist() for share in shares] == [[5, 7], [0, 0], [0, 0]]


def test_shapes_and_orders():
    x = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(ops.reshape(x, (4, -1)), x.reshape(4, -1))
    np.testing.assert_array_equal(ops.reshape(x, -1), x.ravel())
    np.testing.assert_array_equal(ops.transpose(x), x.T)
    np.testing.assert_array_equal(ops.transpose(x, (0, -1, 1)), x.transpose(0, 2, 1))
    np.testing.assert_array_equal(ops.concatenate([x, x], 1), np.concatenate([x, x], 1))
    with pytest.raises(ShapeError, match="do not fit"):
        ops.reshape(x, (5, -1))
    with pytest.raises(ShapeError, match="no order"):
        ops.transpose(x, (0, 1))
    with pytest.raises(ShapeError, match="no axis 3"):
        ops.softmax(x, axis=3)
    with pytest.raises(ArgumentError, match="one whole number"):
        ops.softmax(x, axis=(0, 1))


def test_inputs_are_left_as_they_are():
    x = np.array([[-1.0, 2.0, 3.0]])
    before = x.copy()
    for name in ("relu", "gelu", "softmax", "log_softmax", "mish", "squareplus", "threshold"):
        arguments = (0.5, 0.0) if name == "threshold" else ()
        getattr(ops, name)(x, *arguments)
    np.testing.assert_array_equal(x, before)

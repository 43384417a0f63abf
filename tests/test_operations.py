"""Functions and arithmetic on symbolic tensors, as parts of a model."""

import numpy as np
import pytest

import pellucid as keras
from pellucid import ops
from pellucid.errors import ArgumentError, DataError, NameLookupError, ShapeError
from pellucid.layers import OperationLayer
from pellucid.ops.multiply import Multiply
from pellucid.ops.slice import Slice

RANDOM = np.random.default_rng(3)
X = RANDOM.uniform(0.5, 2, (5, 4, 6, 3)).astype("float32")
ROW = np.array([1.0, -2.0, 3.0], "float32")

EXPRESSIONS = {
    "x + y": lambda x: x + x * 2,
    "x - 1": lambda x: x - 1.0,
    "3 - x": lambda x: 3 - x,
    "2 / x": lambda x: 2 / x,
    "x / y": lambda x: x / (x + 1),
    "x ** 2": lambda x: x**2,
    "2 ** x": lambda x: 2**x,
    "x * array": lambda x: x * ROW,
    "array * x": lambda x: ROW * x,
    "part": lambda x: x[:, 1:3],
    "index": lambda x: x[:, -1, ::2],
    "ellipsis": lambda x: x[..., 0],
    "new axis": lambda x: x[:, None, :, 1],
    "backwards": lambda x: x[:, ::-1, 4:1:-2],
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [3, 0]], constant_values=0.5),
    "pad by reflection": lambda x: ops.pad(x, ((0, 0), (2, 1), (0, 3), (0, 0)), "reflect"),
    "resize": lambda x: ops.image.resize(x, (3, 8), "bicubic", pad_to_aspect_ratio=True),
    "space to depth": lambda x: ops.space_to_depth(x, 2),
    "depth to space": lambda x: ops.depth_to_space(ops.space_to_depth(x, 2), 2),
    "root mean square": lambda x: ops.rms_normalization(x, ROW),
    "unit length": lambda x: ops.normalize(x, axis=(1, 2)),
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_arithmetic_is_that_of_arrays(expression, tmp_path):
    image = keras.Input((4, 6, 3))
    y = expression(image)
    expected = expression(X)
    assert y.shape == (None, *expected.shape[1:])
    model = keras.Model(image, y)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.get_config() == model.get_config()


def test_a_constant_is_no_weight_unless_it_is_to_be_trained(tmp_path):
    image = keras.Input((4, 6, 3))
    scaled = OperationLayer(Multiply(), {"x1": ROW}, trainable=True, name="scale")(image * ROW)
    part = OperationLayer(Slice((None, 1), (None, 3)))(scaled)
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(part)))
    assert [w.name for w in model.weights] == ["x1", "kernel", "bias"]
    assert [layer.kind for layer in model.layers[1:]] == ["Multiply", "Flatten", "Dense"]
    assert [layer.kind for layer in model.operations[1:4]] == ["Multiply", "Multiply", "Slice"]
    model.compile("adam", "mse")
    model.fit(X, np.ones((5, 1)), verbose=0)
    assert not np.array_equal(model.get_layer("scale").weights[0].value, ROW)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_several_outputs_are_a_list():
    image = keras.Input((4, 6, 3))
    left, right = ops.split(image, 2, axis=2)
    model = keras.Model(image, [right, left])
    np.testing.assert_array_equal(model.predict(X, verbose=0)[0], X[:, :, 3:])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda _: OperationLayer("nonsense"), NameLookupError, "nonsense"),
        (lambda _: OperationLayer("add", options={"axis": 1}), ArgumentError, "no argument axis"),
        (lambda _: OperationLayer("add", {"x3": 1}), ArgumentError, "no operand x3"),
        (lambda _: OperationLayer("add", {"x2": 1}, trainable=True), ArgumentError, "operation"),
        (lambda _: OperationLayer("add", {"x2": "1"}), ArgumentError, "array of numbers"),
        (lambda x: x + np.ones(4), ShapeError, "layer 'add.*cannot be merged"),
        (lambda x: x[0, "a"], ArgumentError, "whole numbers, slices"),
        (lambda x: x[:, 9], ShapeError, "index 9"),
        (lambda x: ops.split(x, 4, -1), ShapeError, "4 equal"),
        (lambda x: ops.take(x, [0, 3], axis=-1), DataError, "from -3 to 2"),
        (lambda x: ops.mean(x, axis=x), ArgumentError, "only x can be symbolic"),
    ],
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call(keras.Input((4, 6, 3)))


ACROSS_SAMPLES = {
    "centred": lambda x: x - ops.mean(x, axis=0, keepdims=True),
    "largest": lambda x: x / ops.max(x),
    "in another order": lambda x: x[::-1],
    "flattened with the batch": lambda x: ops.reshape(ops.reshape(x, (-1, 3)) * 2, (-1, 4, 6, 3)),
}


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("function", ACROSS_SAMPLES.values(), ids=ACROSS_SAMPLES)
def test_samples_may_be_mixed(function, engine):
    image = keras.Input((4, 6, 3))
    y = function(keras.layers.Conv2D(3, 1, kernel_initializer="ones")(image))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(y)))
    model.compile("sgd", "mse", engine=engine)
    expected = function(X.sum(-1, keepdims=True) * np.ones(3, "float32"))
    between = keras.Model(image, y).predict(X, verbose=0)
    np.testing.assert_allclose(between, expected, rtol=1e-5)
    before = model.get_weights()
    model.fit(X, np.ones((5, 1)), verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda x: ops.argmax(x, axis=-1), "int32"),
        (lambda x: x > 1, "bool"),
        (lambda x: ops.cast(x * 9, "int64"), "int64"),
        (lambda x: ops.cast(x > 1, "float32") + ops.argmax(x, axis=2, keepdims=True), "float32"),
    ],
)
def test_types_are_told_and_kept(function, dtype):
    image = keras.Input((4, 6, 3))
    y = function(image)
    assert y.dtype == dtype
    made = keras.Model(image, y).predict(X, verbose=0)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, function(X))

"""The plain functions against Keras' own of the same name."""

import inspect
from operator import attrgetter

import numpy as np
import pytest

from pellucid import ops
from pellucid.layers import _keras_operations
from pellucid.ops._symbolic import FUNCTIONS


def floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


X = floats(2, 9, 8, 4)
LINE = np.linspace(-8, 8, 161, dtype=np.float32)
PROBABILITIES = np.abs(floats(6, 5)) + np.float32(0.01)
LABELS = np.array([0, 4, 1, 2, 2, 3])
CERTAIN = np.eye(5, dtype=np.float32)[[0, 1, 1, 2, 0, 3]]
ROWS = np.abs(floats(6, 5, seed=1))

CASES = [
    *[
        (name, (LINE,), {})
        for name in (
            *("celu", "elu", "exp", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
            *("hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "relu"),
            *("relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus"),
            *("softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh"),
            *("tanh_shrink",),
        )
    ],
    ("gelu", (LINE,), {"approximate": False}),
    ("leaky_relu", (LINE,), {"negative_slope": 0.3}),
    ("elu", (LINE,), {"alpha": 0.5}),
    ("celu", (LINE,), {"alpha": 0.5}),
    ("squareplus", (LINE,), {"b": 1}),
    ("threshold", (LINE,), {"threshold": 0.5, "default_value": -1.0}),
    ("hard_shrink", (LINE,), {"threshold": 2.0}),
    ("softmax", (X,), {"axis": 1}),
    ("log_softmax", (X,), {"axis": -2}),
    ("conv", (X, floats(3, 2, 4, 5)), {}),
    ("conv", (X, floats(3, 2, 4, 5)), {"strides": 2, "padding": "same"}),
    ("conv", (X, floats(3, 2, 4, 5)), {"strides": [2, 3], "padding": "same"}),
    ("conv", (X, floats(3, 2, 4, 5)), {"dilation_rate": 2, "padding": "same"}),
    ("conv", (X, floats(3, 2, 2, 6)), {}),
    ("depthwise_conv", (X, floats(3, 2, 4, 2)), {"strides": 2, "padding": "same"}),
    ("separable_conv", (X, floats(3, 2, 4, 2), floats(1, 1, 8, 3)), {"strides": 2}),
    ("conv_transpose", (X, floats(3, 2, 5, 4)), {"strides": 2}),
    ("conv_transpose", (X, floats(3, 2, 5, 4)), {"strides": [3, 2], "padding": "same"}),
    ("conv_transpose", (X, floats(3, 2, 5, 4)), {"strides": 2, "output_padding": 1}),
    ("max_pool", (X,), {"pool_size": [2, 3], "strides": 2, "padding": "same"}),
    ("average_pool", (X,), {"pool_size": [2, 3], "strides": 2, "padding": "same"}),
    ("average_pool", (X,), {"pool_size": [3, 3], "strides": [1, 2]}),
    ("batch_normalization", (X, floats(4), floats(4) ** 2), {"axis": -1}),
    ("batch_normalization", (X, floats(9), floats(9) ** 2), {"axis": 1, "epsilon": 0.1}),
    ("layer_normalization", (X, floats(4), floats(4, seed=2)), {}),
    ("layer_normalization", (X,), {"axis": [2, 3], "epsilon": 0.1}),
    ("one_hot", (LABELS,), {"num_classes": 4}),
    ("one_hot", (LABELS.reshape(2, 3),), {"num_classes": 5, "axis": 1}),
    ("multi_hot", (LABELS.reshape(2, 3),), {"num_classes": 5}),
    *[
        (name, (target, output), {"from_logits": from_logits})
        for name, target in (
            ("categorical_crossentropy", ROWS),
            ("sparse_categorical_crossentropy", LABELS),
            ("sparse_categorical_crossentropy", LABELS[:, np.newaxis]),
        )
        for output, from_logits in ((floats(6, 5), True), (PROBABILITIES, False), (CERTAIN, False))
    ],
    ("categorical_crossentropy", (ROWS, PROBABILITIES), {"axis": 0}),
    ("binary_crossentropy", (CERTAIN, floats(6, 5)), {"from_logits": True}),
    ("binary_crossentropy", (ROWS / 9, PROBABILITIES / 9), {}),
    ("binary_crossentropy", (CERTAIN, CERTAIN[::-1].copy()), {}),
    *[
        (name, (X, floats(8, 1, seed=3)), {})
        for name in ("add", "subtract", "multiply", "maximum", "minimum")
    ],
    *[
        (name, (X, floats(8, 1, seed=3)), {})
        for name in (
            *("divide", "true_divide", "greater", "greater_equal", "less", "less_equal", "equal"),
            *("not_equal", "logical_and", "logical_or", "logical_xor"),
        )
    ],
    *[
        (name, (LINE,), {})
        for name in (
            *("abs", "absolute", "negative", "sign", "square", "expm1", "sin", "cos", "arctan"),
            *("arcsinh", "erf", "floor", "ceil", "round", "logical_not"),
        )
    ],
    *[
        (name, (np.abs(LINE) + np.float32(1.1),), {})
        for name in ("sqrt", "rsqrt", "log", "log2", "log10", "log1p", "reciprocal", "arccosh")
    ],
    *[(name, (LINE / 9,), {}) for name in ("tan", "arcsin", "arccos", "arctanh", "sinh", "cosh")],
    *[
        (name, (LABELS,), {})
        for name in ("abs", "negative", "sign", "square", "sum", "max", "mean")
    ],
    ("round", (LINE,), {"decimals": 1}),
    ("power", (np.abs(X), floats(8, 1, seed=3)), {}),
    ("power", (X, np.array(2.0, np.float32)), {}),
    ("clip", (LINE,), {"x_min": -1, "x_max": 2.5}),
    ("where", (X > 0, X, floats(8, 1, seed=3)), {}),
    ("matmul", (X, floats(4, 5)), {}),
    ("matmul", (X, floats(9, 4, 2)), {}),
    *[
        (name, (X,), {"axis": axis, "keepdims": keepdims})
        for name in ("sum", "mean", "max", "min", "prod", "logsumexp", "var", "std")
        for axis, keepdims in (([1, 2], False), (-1, True), (None, False))
    ],
    *[
        (name, (X,), {"axis": axis, "keepdims": keepdims})
        for name in ("argmax", "argmin")
        for axis, keepdims in ((1, False), (-1, True), (None, False), (None, True))
    ],
    ("max", (X,), {"axis": 1, "initial": 0.5}),
    ("reshape", (X,), {"newshape": [4, -1]}),
    ("transpose", (X,), {"axes": [0, 3, 1, 2]}),
    *[
        ("image.resize", (X,), {"size": size, "interpolation": method} | more)
        for method in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        for size, more in (
            ([5, 13], {}),
            ([18, 8], {"crop_to_aspect_ratio": True}),
            ([7, 3], {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
            ([4, 11], {"antialias": True}),
        )
        if method != "nearest" or not more.get("antialias")
    ],
    ("image.resize", (X[0],), {"size": [3, 3]}),
    ("pad", (X,), {"pad_width": 1}),
    ("pad", (X,), {"pad_width": [2, 1], "mode": "edge"}),
    ("pad", (X,), {"pad_width": [[0, 0], [1, 2], [3, 0], [0, 1]], "constant_values": 1.5}),
    *[
        ("pad", (X,), {"pad_width": [[0, 0], [1, 2], [3, 0], [0, 1]], "mode": mode})
        for mode in ("reflect", "symmetric", "wrap")
    ],
    ("depth_to_space", (X,), {"block_size": 2}),
    ("space_to_depth", (X[:, :8],), {"block_size": 2}),
    ("rms_normalization", (X, floats(4)), {}),
    ("rms_normalization", (X,), {"axis": [2, 3], "epsilon": 0.1}),
    ("normalize", (X,), {}),
    ("normalize", (X,), {"axis": [1, 2], "epsilon": 9.0}),
    ("transpose", (X,), {}),
    ("squeeze", (X[:1, :, :1],), {}),
    ("squeeze", (X[:1, :, :1],), {"axis": 2}),
    ("expand_dims", (X,), {"axis": -2}),
    ("broadcast_to", (floats(8, 1),), {"shape": [2, 8, 3]}),
    ("split", (X,), {"indices_or_sections": 3, "axis": 1}),
    ("split", (X,), {"indices_or_sections": [2, 3], "axis": -1}),
    ("take", (X, np.array([[1, 0], [-1, 2]])), {"axis": 1}),
    ("take", (X, np.array([7, 0, 7])), {}),
    ("repeat", (X,), {"repeats": 2, "axis": 1}),
    ("swapaxes", (X,), {"axis1": 1, "axis2": -1}),
    ("moveaxis", (X,), {"source": [0, 1], "destination": [-1, 0]}),
    ("ravel", (X,), {}),
    ("cast", (LINE,), {"dtype": "int32"}),
    ("cast", (LINE,), {"dtype": "bool"}),
]


@pytest.mark.parametrize(
    ("name", "arrays", "arguments"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_agrees_with_keras(keras_oracle, name, arrays, arguments):
    expected, _ = keras_oracle.ask(
        "ask_ops.call",
        {f"x{i}": array for i, array in enumerate(arrays)},
        name=name,
        arguments=arguments,
    )
    made = attrgetter(name)(ops)(*arrays, **arguments)
    for i, y in enumerate(made if isinstance(made, list) else [made]):
        assert y.dtype == expected[f"y{i}"].dtype or arrays[0].dtype == np.int64  # JAX's are int32
        np.testing.assert_allclose(y, expected[f"y{i}"], rtol=2e-5, atol=1e-5)
    assert f"y{i + 1}" not in expected


def test_arguments_are_those_of_keras(keras_oracle):
    """In Keras' order, by Keras' names and with Keras' defaults; our own come after them."""
    _, signatures = keras_oracle.ask("ask_signatures.of_ops", names=ops.__all__)
    assert set(ops.__all__) - set(signatures) == {"linear", "mish", "operations"}
    for name, expected in signatures.items():
        parameters = list(inspect.signature(getattr(ops, name)).parameters.values())
        for ours, (theirs, default) in zip(parameters, expected, strict=False):
            assert ours.name == theirs, name
            assert ours.default is ours.empty or repr(ours.default) == default, (name, theirs)
        assert len(parameters) >= len(expected), name


def test_classes_in_files_are_those_of_keras(keras_oracle):
    """What a file says of a function has Keras' names: the class's, its arguments', the call's."""
    classes = {
        name: _keras_operations._class_of(name)
        for name in FUNCTIONS
        if name not in _keras_operations._UNKNOWN_TO_KERAS
    }
    _, found = keras_oracle.ask("ask_signatures.of_operations", classes=classes)
    for name, (operands, options) in found.items():
        ours = set(FUNCTIONS[name].options) - set(_keras_operations._BEYOND_KERAS.get(name, {}))
        tensors = list(FUNCTIONS[name].tensors)
        if name == _keras_operations._INDEX:
            ours, tensors = set(), [*tensors, "key"]
        theirs = set(options) - set(_keras_operations._KERAS_ONLY.get(name, {}))
        assert ours == theirs, name
        assert len(tensors) == len(operands), name
        if not FUNCTIONS[name].listed:
            assert tensors == operands, name

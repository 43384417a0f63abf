"""Activations against SciPy, against closed forms, and where |x| is very large."""

import warnings

import numpy as np
import pytest
from scipy import special

from pellucid.errors import ArgumentError, NameLookupError
from pellucid.ops._activations import ALIASES, FUNCTIONS
from pellucid.ops._stable import normal_cdf
from pellucid.ops.activation import Activation

X = np.concatenate([np.linspace(-9, 9, 361), [-40.0, -20.0, 20.0, 40.0]])
SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

# (function, parameters, f in double precision by other means)
REFERENCES = [
    ("linear", {}, lambda x: x),
    ("relu", {}, lambda x: (x + abs(x)) / 2),
    ("relu", {"max_value": 2.5}, lambda x: np.clip(x, 0, 2.5)),
    ("relu", {"threshold": 1.0}, lambda x: x * (x > 1)),
    (
        "relu",
        {"negative_slope": 0.5, "max_value": 3.0, "threshold": 1.0},
        lambda x: np.select([x >= 3, x > 1], [3.0, x], 0.5 * (x - 1)),
    ),
    ("relu6", {}, lambda x: np.clip(x, 0, 6)),
    ("leaky_relu", {}, lambda x: np.maximum(x, 0.2 * x)),
    ("elu", {}, lambda x: np.where(x > 0, x, special.expm1(np.minimum(x, 0)))),
    ("elu", {"alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * special.expm1(np.minimum(x, 0)))),
    (
        "selu",
        {},
        lambda x: SCALE * np.where(x > 0, x, ALPHA * special.expm1(np.minimum(x, 0))),
    ),
    ("celu", {"alpha": 2.0}, lambda x: np.maximum(x, 0) + 2 * special.expm1(np.minimum(x, 0) / 2)),
    ("gelu", {}, lambda x: x * special.ndtr(x)),
    (
        "gelu",
        {"approximate": True},
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    ("silu", {}, lambda x: x * special.expit(x)),
    ("sigmoid", {}, special.expit),
    ("hard_sigmoid", {}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_silu", {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("tanh", {}, lambda x: 2 * special.expit(2 * x) - 1),
    ("hard_tanh", {}, lambda x: np.clip(x, -1, 1)),
    ("tanh_shrink", {}, lambda x: x - np.tanh(x)),
    ("softplus", {}, lambda x: -special.log_expit(-x)),
    ("softsign", {}, lambda x: x / (1 + abs(x))),
    ("exponential", {}, np.exp),
    ("mish", {}, lambda x: x * np.tanh(np.logaddexp(0, x))),
    ("log_sigmoid", {}, special.log_expit),
    ("squareplus", {}, lambda x: (x + np.sqrt(x * x + 4)) / 2),
    ("threshold", {"threshold": 0.5, "default_value": 7.0}, lambda x: np.where(x > 0.5, x, 7.0)),
    ("hard_shrink", {}, lambda x: x * (abs(x) > 0.5)),
    ("soft_shrink", {}, lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0)),
    ("sparse_plus", {}, lambda x: np.select([x <= -1, x >= 1], [0, x], (x + 1) ** 2 / 4)),
    ("sparse_sigmoid", {}, lambda x: np.clip((x + 1) / 2, 0, 1)),
]
DEFAULTS = [
    Activation(name, **({"threshold": 1.0, "default_value": 0.0} if name == "threshold" else {}))
    for name in FUNCTIONS
]


@pytest.mark.parametrize(("name", "parameters", "reference"), REFERENCES)
def test_agrees_with_another_computation(name, parameters, reference):
    op = Activation(name, **parameters)
    np.testing.assert_allclose(op.forward(X), reference(X), rtol=2e-13, atol=1e-14)
    single = op.forward(X.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, reference(X), rtol=4e-6, atol=1e-6)


def test_every_function_has_a_reference():
    assert {name for name, _, _ in REFERENCES} == set(FUNCTIONS)


@pytest.mark.parametrize("op", DEFAULTS, ids=lambda op: op.function)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_arguments_give_no_warning_and_no_nan(op, dtype):
    largest = float(np.finfo(dtype).max) / 4
    x = np.array([-largest, -1e20, -1e4, -100, -0.0, 0.0, 100, 1e4, 1e20, largest], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = op.forward(x)
        dx = op.backward(np.ones_like(x), y, x)[0]
    assert not np.isnan(y).any()
    assert not np.isnan(dx).any()
    if op.function != "exponential":
        assert np.isfinite(y).all()
        assert np.isfinite(dx).all()
        assert (np.abs(dx) <= 1.8).all()  # selu's slope left of 0 is the steepest


@pytest.mark.parametrize(
    "op", [op for op in DEFAULTS if op.function != "exponential"], ids=lambda op: op.function
)
def test_the_slope_far_out_is_that_of_the_asymptote(op):
    """Between −2e3 and −1e3, and between 1e3 and 2e3, every function but e^x is nearly straight."""
    for low, high in ((-2e3, -1e3), (1e3, 2e3)):
        x = np.array([low, high])
        y = op.forward(x)
        slopes = op.backward(np.ones(2), y, x)[0]
        np.testing.assert_allclose(slopes, (y[1] - y[0]) / (high - low), atol=2e-6)


@pytest.mark.parametrize("op", DEFAULTS, ids=lambda op: op.function)
def test_nan_passes_through(op):
    assert np.isnan(op.forward(np.array([np.nan]))[0])


@pytest.mark.parametrize(
    ("op", "slopes"),
    [
        (Activation("relu"), {0.0: 0.0}),
        (Activation("relu", max_value=2.0), {0.0: 0.0, 2.0: 0.0}),
        (Activation("relu", negative_slope=0.5, threshold=1.0), {1.0: 0.5}),
        (Activation("relu6"), {0.0: 0.0, 6.0: 0.0}),
        (Activation("leaky_relu"), {0.0: 0.2}),
        (Activation("hard_sigmoid"), {-3.0: 0.0, 3.0: 0.0}),
        (Activation("hard_tanh"), {-1.0: 0.0, 1.0: 0.0}),
        (Activation("soft_shrink"), {-0.5: 0.0, 0.5: 0.0}),
    ],
)
def test_slopes_at_the_kinks(op, slopes):
    x = np.array(list(slopes))
    assert op.backward(np.ones_like(x), op.forward(x), x)[0].tolist() == list(slopes.values())


def test_a_gate_is_told_open_or_shut():
    x, dy = np.array([-2.0, 3.0]), np.array([5.0, 7.0])
    op = Activation("relu")
    y = op.forward(x)
    shut, opened = (op.gradient_terms("x", (i,), dy, y, x) for i in (0, 1))
    assert [factor.value for factor in shut.factors] == [5.0, 0.0]
    assert [factor.value for factor in opened.factors] == [7.0, 1.0]
    assert opened.factors[1].function == "relu'"


def test_the_normal_distribution_is_exact_in_its_tail():
    x = np.linspace(-37, 9, 4001)
    np.testing.assert_allclose(normal_cdf(x), special.ndtr(x), rtol=5e-13)


def test_selu_keeps_mean_and_variance():
    """The fixed point that its two constants were made for."""
    x = special.ndtri((np.arange(200_000) + 0.5) / 200_000)
    y = Activation("selu").forward(x)
    assert abs(y.mean()) < 1e-4
    assert abs(y.var() - 1) < 1e-3


def test_defaults_are_filled_in_and_names_made_one():
    assert Activation("elu") == Activation("elu", alpha=1.0)
    assert Activation("swish") == Activation("silu")
    assert {Activation(alias).function for alias in ALIASES} <= set(FUNCTIONS)
    assert repr(Activation("relu", max_value=6)) == (
        "Activation('relu', negative_slope=0.0, max_value=6.0, threshold=0.0)"
    )
    assert hash(Activation("gelu")) != hash(Activation("gelu", approximate=True))


def test_says_what_is_wrong_with_a_parameter():
    with pytest.raises(ArgumentError, match="relu has no parameter alpha; it has only negative_sl"):
        Activation("relu", alpha=1.0)
    with pytest.raises(ArgumentError, match="max_value must be a finite nonnegative number"):
        Activation("relu", max_value="six")
    with pytest.raises(ArgumentError, match="approximate must be True or False"):
        Activation("gelu", approximate=1)
    with pytest.raises(NameLookupError, match=r"Unknown activation 'rellu'. Did you mean 'relu'"):
        Activation("rellu")

"""The table of activation functions: formula, f, f′, parameters and source of each.

Every function is applied to each number alone. `f(x, **parameters)` and
`derivative(x, y, **parameters)`, with y = f(x), take arrays of any floating-point type and keep
it; however large |x| is, they give no warning and no NaN. At a kink, f′ is the slope of the flat
or shallow side, as TensorFlow has it for ReLU.

Names, parameters and defaults are those of `keras.activations`.
"""

# ruff: noqa: ARG001, ARG005 (every f′ gets x, y and all parameters, and uses those it needs)

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pellucid.ops._operation import Array
from pellucid.ops._stable import normal_cdf, normal_density, sigmoid, softplus

__all__ = ["ALIASES", "FUNCTIONS", "Function", "Parameter"]

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
GELU_SLOPE = math.sqrt(2 / math.pi)
GELU_CUBE = 0.044715


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation: its default, and which values it may have.

    Where `default` is None a value must be given, unless None itself is one (`optional`).
    """

    default: float | bool | None = None
    kind: Literal["any", "nonnegative", "positive", "flag"] = "any"
    optional: bool = False


@dataclass(frozen=True)
class Function:
    """One activation function.

    Attributes:
        formula: f, for people.
        slope: f′, for people.
        f: x → y.
        derivative: (x, y) → f′(x), as a number or a truth value (1 or 0) for each x.
        source: The paper or library that it comes from.
        parameters: By name.
        kinks: The parameters → the points where f has no derivative.
        domain: Where to try it; None for anywhere.
    """

    formula: str
    slope: str
    f: Callable[..., Array]
    derivative: Callable[..., Array]
    source: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    kinks: Callable[..., tuple[float, ...]] = lambda **_: ()
    domain: tuple[float, float] | None = None


def _choose(condition: Array, a: Array | float, b: Array | float, like: Array) -> Array:
    """`np.where`, with numbers taken in the type of `like`."""
    kind = like.dtype
    return np.where(condition, np.asarray(a, kind), np.asarray(b, kind))


def _either(condition: Array, a: float, b: float, like: Array) -> Array:
    """The same for two numbers, many times as fast."""
    return np.array([b, a], like.dtype)[condition.astype(np.intp)]


def _relu(x: Array, negative_slope: float, max_value: float | None, threshold: float) -> Array:
    if negative_slope == 0 and threshold == 0:
        y: Array = np.maximum(x, 0)
    else:
        y = _choose(x <= threshold, negative_slope * (x - threshold), x, x)
    return y if max_value is None else np.minimum(y, max_value)


def _relu_derivative(
    x: Array, y: Array, negative_slope: float, max_value: float | None, threshold: float
) -> Array:
    passes: Array = x > threshold
    if max_value is not None:
        passes = passes & (x < max_value)
    if negative_slope == 0:
        return passes
    return _choose(passes, 1, _choose(x > threshold, 0, negative_slope, x), x)


def _exponential(x: Array) -> Array:
    with np.errstate(over="ignore"):  # beyond the largest float e^x is infinity, as everywhere
        return np.exp(x)


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    y: Array
    if (alpha, beta) == (1 / 6, 0.5):  # rounded as the other hard functions are
        y = np.clip(x + 3, 0, 6) / 6
    else:
        y = np.clip(alpha * x + beta, 0, 1)
    return y


def _silu_derivative(x: Array, y: Array) -> Array:
    s = sigmoid(x)
    slope: Array = s * (1 + x * (1 - s))
    return slope


def _gelu_gate(u: Array) -> Array:
    """½·(1 + tanh v) = σ(2v) for v = √(2/π)·(u + 0.044715·u³)."""
    return sigmoid(2 * GELU_SLOPE * u * (1 + GELU_CUBE * u * u))


def _gelu(x: Array, approximate: bool) -> Array:
    y: Array = x * (_gelu_gate(np.clip(x, -100, 100)) if approximate else normal_cdf(x))
    return y


def _gelu_derivative(x: Array, y: Array, approximate: bool) -> Array:
    slope: Array
    if approximate:
        u = np.clip(x, -100, 100)  # beyond, the gate is 0 or 1 to the last bit
        gate = _gelu_gate(u)
        slope = gate + gate * (1 - gate) * 2 * GELU_SLOPE * u * (1 + 3 * GELU_CUBE * u * u)
    else:
        slope = normal_cdf(x) + x * normal_density(x)
    return slope


def _squareplus(x: Array, b: float) -> Array:
    root = np.hypot(x, math.sqrt(b))
    return _choose(x < 0, (b / 2) / (root + np.abs(x)), x / 2 + root / 2, x)


def _mish_derivative(x: Array, y: Array) -> Array:
    gate = np.tanh(softplus(x))
    slope: Array = gate + x * sigmoid(x) * (1 - gate * gate)
    return slope


def _sparse_plus(x: Array) -> Array:
    ramp = np.clip(x, -1, 1) + 1
    return _choose(x >= 1, x, ramp * ramp / 4, x)


def _inside(x: Array, low: float, high: float) -> Array:
    return (x > low) & (x < high)


_RELU = "Nair, Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010"
_HARD = "Howard et al., Searching for MobileNetV3, ICCV 2019"
_SHRINK = "Donoho, Johnstone, Ideal Spatial Adaptation by Wavelet Shrinkage, Biometrika 81, 1994"
_SPARSE = "Martins, Astudillo, From Softmax to Sparsemax, ICML 2016; named as in JAX and Keras"

FUNCTIONS: dict[str, Function] = {
    "linear": Function("x", "1", lambda x: x, lambda x, y: np.ones_like(x), "the identity"),
    "relu": Function(
        "x where threshold < x < max_value, max_value above, "
        "negative_slope·(x − threshold) below; by default max(x, 0)",
        "1 where threshold < x < max_value, 0 above, negative_slope below",
        _relu,
        _relu_derivative,
        _RELU,
        {
            "negative_slope": Parameter(0.0, "nonnegative"),
            "max_value": Parameter(None, "nonnegative", optional=True),
            "threshold": Parameter(0.0, "nonnegative"),
        },
        lambda *, max_value, threshold, **_: (
            (threshold,) if max_value is None else (threshold, max_value)
        ),
    ),
    "relu6": Function(
        "min(max(x, 0), 6)",
        "1 where 0 < x < 6, else 0",
        lambda x: np.clip(x, 0, 6),
        lambda x, y: _inside(x, 0, 6),
        "Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010",
        kinks=lambda: (0.0, 6.0),
    ),
    "leaky_relu": Function(
        "x where x > 0, else negative_slope·x",
        "1 where x > 0, else negative_slope",
        lambda x, negative_slope: np.maximum(x, 0) + negative_slope * np.minimum(x, 0),
        lambda x, y, negative_slope: _either(x > 0, 1, negative_slope, x),
        "Maas, Hannun, Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013",
        {"negative_slope": Parameter(0.2)},
        lambda **_: (0.0,),
    ),
    "elu": Function(
        "x where x > 0, else alpha·(eˣ − 1)",
        "1 where x > 0, else alpha·eˣ",
        lambda x, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)),
        lambda x, y, alpha: _choose(x > 0, 1, y + alpha, x),
        "Clevert, Unterthiner, Hochreiter, Exponential Linear Units, ICLR 2016",
        {"alpha": Parameter(1.0)},
        lambda alpha: () if alpha == 1 else (0.0,),
    ),
    "selu": Function(
        "gamma·x where x > 0, else gamma·alpha·(eˣ − 1); by default gamma = 1.0507009873554805, "
        "alpha = 1.6732632423543772",
        "gamma where x > 0, else gamma·alpha·eˣ",
        lambda x, alpha, gamma: gamma * (np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))),
        lambda x, y, alpha, gamma: _choose(x > 0, gamma, y + gamma * alpha, x),
        "Klambauer, Unterthiner, Mayr, Hochreiter, Self-Normalizing Neural Networks, NIPS 2017",
        {"alpha": Parameter(SELU_ALPHA, "nonnegative"), "gamma": Parameter(SELU_SCALE, "positive")},
        lambda **_: (0.0,),
    ),
    "celu": Function(
        "x where x > 0, else alpha·(e^(x/alpha) − 1)",
        "1 where x > 0, else e^(x/alpha)",
        lambda x, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha),
        lambda x, y, alpha: np.exp(np.minimum(x, 0) / alpha),
        "Barron, Continuously Differentiable Exponential Linear Units, 2017",
        {"alpha": Parameter(1.0, "positive")},
    ),
    "gelu": Function(
        "x·Φ(x), Φ the standard normal distribution function; approximated as "
        "½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))",
        "Φ(x) + x·φ(x), φ the standard normal density",
        _gelu,
        _gelu_derivative,
        "Hendrycks, Gimpel, Gaussian Error Linear Units, 2016",
        {"approximate": Parameter(False, "flag")},
    ),
    "silu": Function(
        "x·σ(x)",
        "σ(x)·(1 + x·(1 − σ(x)))",
        lambda x: x * sigmoid(x),
        _silu_derivative,
        "Elfwing, Uchibe, Doya, Sigmoid-Weighted Linear Units, Neural Networks 107, 2018",
    ),
    "sigmoid": Function(
        "1 / (1 + e⁻ˣ)",
        "y·(1 − y)",
        sigmoid,
        lambda x, y: y * (1 - y),
        "Verhulst's logistic function, 1845",
    ),
    "hard_sigmoid": Function(
        "min(max(alpha·x + beta, 0), 1); by default min(max(x + 3, 0), 6) / 6",
        "alpha where 0 < y < 1, else 0",
        _hard_sigmoid,
        lambda x, y, alpha, beta: _either(_inside(y, 0, 1), alpha, 0, x),
        _HARD,
        {"alpha": Parameter(1 / 6, "positive"), "beta": Parameter(0.5)},
        lambda alpha, beta: (-beta / alpha, (1 - beta) / alpha),
    ),
    "hard_silu": Function(
        "x·min(max(x + 3, 0), 6) / 6",
        "0 where x ≤ −3, 1 where x ≥ 3, else (2·x + 3) / 6",
        lambda x: x * (np.clip(x + 3, 0, 6) / 6),
        lambda x, y: _choose(_inside(x, -3, 3), np.clip(x, -3, 3) / 3 + 0.5, x >= 3, x),
        _HARD,
        kinks=lambda: (-3.0, 3.0),
    ),
    "tanh": Function(
        "(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)",
        "1 − y²",
        np.tanh,
        lambda x, y: 1 - y * y,
        "the hyperbolic tangent",
    ),
    "hard_tanh": Function(
        "min(max(x, −1), 1)",
        "1 where −1 < x < 1, else 0",
        lambda x: np.clip(x, -1, 1),
        lambda x, y: _inside(x, -1, 1),
        "Collobert, Large Scale Machine Learning, 2004",
        kinks=lambda: (-1.0, 1.0),
    ),
    "tanh_shrink": Function(
        "x − tanh(x)",
        "tanh²(x)",
        lambda x: x - np.tanh(x),
        lambda x, y: np.square(np.tanh(x)),
        "named as in PyTorch and Keras",
    ),
    "softplus": Function(
        "log(1 + eˣ)",
        "σ(x)",
        softplus,
        lambda x, y: sigmoid(x),
        "Dugas, Bengio, Bélisle, Nadeau, Garcia, Second-Order Functional Knowledge, NIPS 2000",
    ),
    "softsign": Function(
        "x / (1 + |x|)",
        "1 / (1 + |x|)²",
        lambda x: x / (1 + np.abs(x)),
        lambda x, y: np.square(1 / (1 + np.abs(x))),
        "Bergstra, Desjardins, Lamblin, Bengio, Quadratic Polynomials, 2009",
    ),
    "exponential": Function(
        "eˣ", "y", _exponential, lambda x, y: y, "the natural exponential function"
    ),
    "mish": Function(
        "x·tanh(log(1 + eˣ))",
        "t + x·σ(x)·(1 − t²), t = tanh(log(1 + eˣ))",
        lambda x: x * np.tanh(softplus(x)),
        _mish_derivative,
        "Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020",
    ),
    "log_sigmoid": Function(
        "−log(1 + e⁻ˣ)",
        "1 − σ(x)",
        lambda x: -softplus(-x),
        lambda x, y: sigmoid(-x),
        "the logarithm of the logistic function",
    ),
    "squareplus": Function(
        "(x + √(x² + b)) / 2",
        "(1 + x / √(x² + b)) / 2",
        _squareplus,
        lambda x, y, b: y / np.hypot(x, math.sqrt(b)),
        "Barron, Squareplus: A Softplus-Like Algebraic Rectifier, 2021",
        {"b": Parameter(4.0, "positive")},
    ),
    "threshold": Function(
        "x where x > threshold, else default_value",
        "1 where x > threshold, else 0",
        lambda x, threshold, default_value: _choose(x <= threshold, default_value, x, x),
        lambda x, y, threshold, default_value: x > threshold,
        _RELU,
        {"threshold": Parameter(), "default_value": Parameter()},
        lambda threshold, default_value: (threshold,),
    ),
    "hard_shrink": Function(
        "x where |x| > threshold, else 0",
        "1 where |x| > threshold, else 0",
        lambda x, threshold: _choose(np.abs(x) <= threshold, 0, x, x),
        lambda x, y, threshold: np.abs(x) > threshold,
        _SHRINK,
        {"threshold": Parameter(0.5, "nonnegative")},
        lambda threshold: (-threshold, threshold),
    ),
    "soft_shrink": Function(
        "x − threshold where x > threshold, x + threshold where x < −threshold, else 0",
        "1 where |x| > threshold, else 0",
        lambda x, threshold: x - np.clip(x, -threshold, threshold),
        lambda x, y, threshold: np.abs(x) > threshold,
        _SHRINK,
        {"threshold": Parameter(0.5, "nonnegative")},
        lambda threshold: (-threshold, threshold),
    ),
    "sparse_plus": Function(
        "0 where x ≤ −1, x where x ≥ 1, else (x + 1)² / 4",
        "min(max((x + 1) / 2, 0), 1)",
        _sparse_plus,
        lambda x, y: (np.clip(x, -1, 1) + 1) / 2,
        _SPARSE,
    ),
    "sparse_sigmoid": Function(
        "min(max((x + 1) / 2, 0), 1)",
        "1/2 where −1 < x < 1, else 0",
        lambda x: (np.clip(x, -1, 1) + 1) / 2,
        lambda x, y: _either(_inside(x, -1, 1), 0.5, 0, x),
        _SPARSE,
        kinks=lambda: (-1.0, 1.0),
    ),
}

ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

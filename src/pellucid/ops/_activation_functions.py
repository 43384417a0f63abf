"""The activations as plain functions: arrays in, arrays out.

Names and arguments are those of `keras.ops`, with those that `keras.activations` has beyond them.
Whole numbers become float32.
"""

from __future__ import annotations

import numpy.typing as npt

from pellucid.errors import ArgumentError
from pellucid.ops._arguments import apply, floats
from pellucid.ops._operation import Array
from pellucid.ops._symbolic import function
from pellucid.ops.activation import Activation
from pellucid.ops.log_softmax import LogSoftmax
from pellucid.ops.softmax import Softmax

__all__ = [
    "celu",
    "elu",
    "exp",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def _of(x: npt.ArrayLike, op: Activation) -> Array:
    return apply(op, *floats(x))


@function
def linear(x: npt.ArrayLike) -> Array:
    """Return x as it is."""
    return _of(x, Activation("linear"))


@function
def relu(
    x: npt.ArrayLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Return max(x, 0), or another ramp.

    x where threshold < x < max_value, max_value above, negative_slope · (x − threshold) below.

    Example:
        >>> relu([-1.0, 0.5, 9.0])
        array([0. , 0.5, 9. ], dtype=float32)
        >>> relu([-1.0, 0.5, 9.0], negative_slope=0.25, max_value=6)
        array([-0.25,  0.5 ,  6.  ], dtype=float32)
    """
    return _of(
        x,
        Activation("relu", negative_slope=negative_slope, max_value=max_value, threshold=threshold),
    )


@function
def relu6(x: npt.ArrayLike) -> Array:
    """Return min(max(x, 0), 6).

    Example:
        >>> relu6([-1.0, 0.5, 9.0])
        array([0. , 0.5, 6. ], dtype=float32)
    """
    return _of(x, Activation("relu6"))


@function
def leaky_relu(x: npt.ArrayLike, negative_slope: float = 0.2) -> Array:
    """Return x where x > 0, else negative_slope · x.

    Example:
        >>> leaky_relu([-1.0, 2.0])
        array([-0.2,  2. ], dtype=float32)
    """
    return _of(x, Activation("leaky_relu", negative_slope=negative_slope))


@function
def elu(x: npt.ArrayLike, alpha: float = 1.0) -> Array:
    """Return x where x > 0, else alpha · (eˣ − 1).

    Example:
        >>> elu([-1.0, 2.0]).round(4)
        array([-0.6321,  2.    ], dtype=float32)
    """
    return _of(x, Activation("elu", alpha=alpha))


@function
def selu(x: npt.ArrayLike) -> Array:
    """Return λ · x where x > 0, else λ · α · (eˣ − 1); λ and α keep mean 0 and variance 1.

    Example:
        >>> selu([-1.0, 2.0]).round(4)
        array([-1.1113,  2.1014], dtype=float32)
    """
    return _of(x, Activation("selu"))


@function
def celu(x: npt.ArrayLike, alpha: float = 1.0) -> Array:
    """Return x where x > 0, else alpha · (e^(x / alpha) − 1).

    Example:
        >>> celu([-1.0, 2.0], alpha=0.5).round(4)
        array([-0.4323,  2.    ], dtype=float32)
    """
    return _of(x, Activation("celu", alpha=alpha))


@function
def gelu(x: npt.ArrayLike, approximate: bool = True) -> Array:
    """Return x · Φ(x), or ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) where `approximate`.

    As in Keras this function approximates by default, and `activations.gelu` does not.

    Example:
        >>> gelu([-1.0, 2.0]).round(4)
        array([-0.1588,  1.9546], dtype=float32)
        >>> gelu([-1.0, 2.0], approximate=False).round(4)
        array([-0.1587,  1.9545], dtype=float32)
    """
    return _of(x, Activation("gelu", approximate=approximate))


@function
def silu(x: npt.ArrayLike) -> Array:
    """Return x · σ(x); also called swish.

    Example:
        >>> silu([-1.0, 2.0]).round(4)
        array([-0.2689,  1.7616], dtype=float32)
    """
    return _of(x, Activation("silu"))


@function
def mish(x: npt.ArrayLike) -> Array:
    """Return x · tanh(log(1 + eˣ)).

    Example:
        >>> mish([-1.0, 2.0]).round(4)
        array([-0.3034,  1.944 ], dtype=float32)
    """
    return _of(x, Activation("mish"))


@function
def sigmoid(x: npt.ArrayLike) -> Array:
    """Return σ(x) = 1 / (1 + e⁻ˣ).

    Example:
        >>> sigmoid([-1000.0, 0.0, 1000.0])
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return _of(x, Activation("sigmoid"))


@function
def log_sigmoid(x: npt.ArrayLike) -> Array:
    """Return log σ(x), without ever taking the logarithm of 0.

    Example:
        >>> log_sigmoid([-1000.0, 0.0]).round(4)
        array([-1.000e+03, -6.931e-01], dtype=float32)
    """
    return _of(x, Activation("log_sigmoid"))


@function
def hard_sigmoid(x: npt.ArrayLike) -> Array:
    """Return min(max(x + 3, 0), 6) / 6.

    Example:
        >>> hard_sigmoid([-4.0, 0.0, 1.5])
        array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return _of(x, Activation("hard_sigmoid"))


@function
def hard_silu(x: npt.ArrayLike) -> Array:
    """Return x · min(max(x + 3, 0), 6) / 6; also called hard_swish.

    Example:
        >>> hard_silu([-4.0, 1.5, 4.0])
        array([-0.   ,  1.125,  4.   ], dtype=float32)
    """
    return _of(x, Activation("hard_silu"))


@function
def tanh(x: npt.ArrayLike) -> Array:
    """Return (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).

    Example:
        >>> tanh([-1000.0, 0.5]).round(4)
        array([-1.    ,  0.4621], dtype=float32)
    """
    return _of(x, Activation("tanh"))


@function
def hard_tanh(x: npt.ArrayLike) -> Array:
    """Return min(max(x, −1), 1).

    Example:
        >>> hard_tanh([-4.0, 0.5, 4.0])
        array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return _of(x, Activation("hard_tanh"))


@function
def tanh_shrink(x: npt.ArrayLike) -> Array:
    """Return x − tanh(x).

    Example:
        >>> tanh_shrink([0.0, 2.0]).round(4)
        array([0.   , 1.036], dtype=float32)
    """
    return _of(x, Activation("tanh_shrink"))


@function
def softplus(x: npt.ArrayLike) -> Array:
    """Return log(1 + eˣ).

    Example:
        >>> softplus([0.0, 1000.0]).round(4)
        array([6.931e-01, 1.000e+03], dtype=float32)
    """
    return _of(x, Activation("softplus"))


@function
def softsign(x: npt.ArrayLike) -> Array:
    """Return x / (1 + |x|).

    Example:
        >>> softsign([-1.0, 3.0])
        array([-0.5 ,  0.75], dtype=float32)
    """
    return _of(x, Activation("softsign"))


@function
def squareplus(x: npt.ArrayLike, b: float = 4) -> Array:
    """Return (x + √(x² + b)) / 2.

    Example:
        >>> squareplus([0.0, 1.5])
        array([1., 2.], dtype=float32)
    """
    return _of(x, Activation("squareplus", b=b))


@function
def exp(x: npt.ArrayLike) -> Array:
    """Return eˣ.

    Example:
        >>> exp([0.0, 1.0]).round(4)
        array([1.    , 2.7183], dtype=float32)
    """
    return _of(x, Activation("exponential"))


@function
def threshold(x: npt.ArrayLike, threshold: float, default_value: float) -> Array:
    """Return x where x > threshold, else default_value.

    Example:
        >>> threshold([0.5, 1.5], threshold=1.0, default_value=-1.0)
        array([-1. ,  1.5], dtype=float32)
    """
    return _of(x, Activation("threshold", threshold=threshold, default_value=default_value))


@function
def hard_shrink(x: npt.ArrayLike, threshold: float = 0.5) -> Array:
    """Return x where |x| > threshold, else 0.

    Example:
        >>> hard_shrink([-2.0, 0.5])
        array([-2.,  0.], dtype=float32)
    """
    return _of(x, Activation("hard_shrink", threshold=threshold))


@function
def soft_shrink(x: npt.ArrayLike, threshold: float = 0.5) -> Array:
    """Return x drawn towards 0 by the threshold, and 0 where it would cross.

    Example:
        >>> soft_shrink([-2.0, 0.5])
        array([-1.5,  0. ], dtype=float32)
    """
    return _of(x, Activation("soft_shrink", threshold=threshold))


@function
def sparse_plus(x: npt.ArrayLike) -> Array:
    """Return 0 where x ≤ −1, x where x ≥ 1, else (x + 1)² / 4.

    Example:
        >>> sparse_plus([-2.0, 0.0, 2.0])
        array([0.  , 0.25, 2.  ], dtype=float32)
    """
    return _of(x, Activation("sparse_plus"))


@function
def sparse_sigmoid(x: npt.ArrayLike) -> Array:
    """Return min(max((x + 1) / 2, 0), 1).

    Example:
        >>> sparse_sigmoid([-2.0, 0.0, 2.0])
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return _of(x, Activation("sparse_sigmoid"))


@function
def softmax(x: npt.ArrayLike, axis: int = -1) -> Array:
    """Return probabilities along an axis: exp(x) / Σ exp(x).

    Raises:
        ShapeError: x has no such axis.

    Example:
        >>> softmax([[0.0, 0.0], [1000.0, -1000.0]])
        array([[0.5, 0.5],
               [1. , 0. ]], dtype=float32)
    """
    return apply(Softmax(_one_axis("softmax", axis)), *floats(x))


@function
def log_softmax(x: npt.ArrayLike, axis: int = -1) -> Array:
    """Return the logarithms of softmax's probabilities: x − log Σ exp(x) along an axis.

    Raises:
        ShapeError: x has no such axis.

    Example:
        >>> log_softmax([[0.0, 1000.0]])
        array([[-1000.,     0.]], dtype=float32)
    """
    return apply(LogSoftmax(_one_axis("log_softmax", axis)), *floats(x))


def _one_axis(function: str, axis: int) -> int:
    if not isinstance(axis, int):
        raise ArgumentError(f"{function}: axis must be one whole number, received {axis!r}.")
    return axis


swish, hard_swish = silu, hard_silu

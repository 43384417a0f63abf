"""Activation functions: NumPy arrays in, NumPy arrays out.

Names, arguments and defaults are those of `keras.activations`. Formula, derivative and source of
each are in `pellucid.ops.activation.FUNCTIONS`. A layer takes one by name or as it is:
`Dense(10, activation="relu")`, `Dense(10, activation=activations.relu)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, unknown_name
from pellucid.ops._activations import ALIASES
from pellucid.ops._operation import Array
from pellucid.ops.activation import Activation
from pellucid.ops.log_softmax import LogSoftmax
from pellucid.ops.softmax import Softmax

Function = Callable[..., Array]


def linear(x: npt.ArrayLike) -> Array:
    """Return x."""
    return _floating(x)


def relu(
    x: npt.ArrayLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Return x where threshold < x < max_value, max_value above, a slope below.

    >>> relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """
    op = Activation("relu", negative_slope=negative_slope, max_value=max_value, threshold=threshold)
    return op.forward(_floating(x))


def leaky_relu(x: npt.ArrayLike, negative_slope: float = 0.2) -> Array:
    """Return x where x > 0, negative_slope · x elsewhere."""
    return Activation("leaky_relu", negative_slope=negative_slope).forward(_floating(x))


def relu6(x: npt.ArrayLike) -> Array:
    """Return min(max(x, 0), 6)."""
    return Activation("relu6").forward(_floating(x))


def elu(x: npt.ArrayLike, alpha: float = 1.0) -> Array:
    """Return x where x > 0, alpha · (eˣ − 1) elsewhere."""
    return Activation("elu", alpha=alpha).forward(_floating(x))


def selu(x: npt.ArrayLike) -> Array:
    """Return λ · elu(x, α), with the λ and α that keep mean 0 and variance 1."""
    return Activation("selu").forward(_floating(x))


def celu(x: npt.ArrayLike, alpha: float = 1.0) -> Array:
    """Return x where x > 0, alpha · (e^(x / alpha) − 1) elsewhere."""
    return Activation("celu", alpha=alpha).forward(_floating(x))


def gelu(x: npt.ArrayLike, approximate: bool = False) -> Array:
    """Return x · Φ(x), with Φ the normal distribution, or its approximation with tanh."""
    return Activation("gelu", approximate=approximate).forward(_floating(x))


def silu(x: npt.ArrayLike) -> Array:
    """Return x · σ(x); also called swish."""
    return Activation("silu").forward(_floating(x))


def sigmoid(x: npt.ArrayLike) -> Array:
    """Return σ(x) = 1 / (1 + e⁻ˣ)."""
    return Activation("sigmoid").forward(_floating(x))


def hard_sigmoid(x: npt.ArrayLike) -> Array:
    """Return relu6(x + 3) / 6."""
    return Activation("hard_sigmoid").forward(_floating(x))


def hard_silu(x: npt.ArrayLike) -> Array:
    """Return x · hard_sigmoid(x); also called hard_swish."""
    return Activation("hard_silu").forward(_floating(x))


def log_sigmoid(x: npt.ArrayLike) -> Array:
    """Return log σ(x)."""
    return Activation("log_sigmoid").forward(_floating(x))


def tanh(x: npt.ArrayLike) -> Array:
    """Return the hyperbolic tangent."""
    return Activation("tanh").forward(_floating(x))


def hard_tanh(x: npt.ArrayLike) -> Array:
    """Return min(max(x, −1), 1)."""
    return Activation("hard_tanh").forward(_floating(x))


def tanh_shrink(x: npt.ArrayLike) -> Array:
    """Return x − tanh(x)."""
    return Activation("tanh_shrink").forward(_floating(x))


def softplus(x: npt.ArrayLike) -> Array:
    """Return log(1 + eˣ)."""
    return Activation("softplus").forward(_floating(x))


def softsign(x: npt.ArrayLike) -> Array:
    """Return x / (1 + |x|)."""
    return Activation("softsign").forward(_floating(x))


def squareplus(x: npt.ArrayLike, b: float = 4) -> Array:
    """Return (x + √(x² + b)) / 2."""
    return Activation("squareplus", b=b).forward(_floating(x))


def exponential(x: npt.ArrayLike) -> Array:
    """Return eˣ."""
    return Activation("exponential").forward(_floating(x))


def mish(x: npt.ArrayLike) -> Array:
    """Return x · tanh(softplus(x))."""
    return Activation("mish").forward(_floating(x))


def threshold(x: npt.ArrayLike, threshold: float, default_value: float) -> Array:
    """Return x where x > threshold, default_value elsewhere."""
    op = Activation("threshold", threshold=threshold, default_value=default_value)
    return op.forward(_floating(x))


def hard_shrink(x: npt.ArrayLike, threshold: float = 0.5) -> Array:
    """Return x where |x| > threshold, 0 elsewhere."""
    return Activation("hard_shrink", threshold=threshold).forward(_floating(x))


def soft_shrink(x: npt.ArrayLike, threshold: float = 0.5) -> Array:
    """Return x moved towards 0 by threshold, 0 if it would cross."""
    return Activation("soft_shrink", threshold=threshold).forward(_floating(x))


def sparse_plus(x: npt.ArrayLike) -> Array:
    """Return 0 below −1, (x + 1)² / 4 up to 1, x above."""
    return Activation("sparse_plus").forward(_floating(x))


def sparse_sigmoid(x: npt.ArrayLike) -> Array:
    """Return min(max((x + 1) / 2, 0), 1)."""
    return Activation("sparse_sigmoid").forward(_floating(x))


def softmax(x: npt.ArrayLike, axis: int = -1) -> Array:
    """Return exp x / Σ exp x along an axis: probabilities that add up to 1.

    >>> softmax([1.0, 1.0])
    array([0.5, 0.5], dtype=float32)
    """
    return Softmax(axis).forward(_floating(x))


def log_softmax(x: npt.ArrayLike, axis: int = -1) -> Array:
    """Return log softmax(x), computed without overflow."""
    return LogSoftmax(axis).forward(_floating(x))


def get(identifier: Any) -> Function:
    """Return the function that is meant by a name, a saved configuration, or the function itself.

    None is `linear`.

    Raises:
        NameLookupError: No activation has that name.
        ArgumentError: A function that is not one of this module: its gradient is not known.

    >>> get("swish").__name__
    'silu'
    """
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "function":
        identifier = identifier.get("config")
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        name = ALIASES.get(identifier, identifier)
        if name not in _FUNCTIONS:
            raise unknown_name("activation", identifier, [*_FUNCTIONS, *ALIASES])
        return _FUNCTIONS[name]
    if callable(identifier) and identifier in _FUNCTIONS.values():
        known: Function = identifier
        return known
    raise ArgumentError(
        f"activation must be a name, a function of pellucid.activations or a layer, received "
        f"{identifier!r}. For a function of your own, write a layer."
    )


def serialize(activation: Function) -> str:
    """Return the function's name, as it is written into files; ArgumentError if it is another."""
    return get(activation).__name__


def deserialize(config: Any) -> Function:
    """Return the function that `serialize` wrote down."""
    return get(config)


def _floating(x: npt.ArrayLike) -> Array:
    """Return x as an array of floats: float32, unless it is an array of another such type."""
    array = np.asarray(x)
    known = isinstance(x, np.ndarray | np.floating) and array.dtype.kind == "f"
    return array if known else array.astype(np.float32)


_FUNCTIONS: dict[str, Function] = {
    function.__name__: function
    for function in (
        linear,
        relu,
        leaky_relu,
        relu6,
        elu,
        selu,
        celu,
        gelu,
        silu,
        sigmoid,
        hard_sigmoid,
        hard_silu,
        log_sigmoid,
        tanh,
        hard_tanh,
        tanh_shrink,
        softplus,
        softsign,
        squareplus,
        exponential,
        mish,
        threshold,
        hard_shrink,
        soft_shrink,
        sparse_plus,
        sparse_sigmoid,
        softmax,
        log_softmax,
    )
}

swish, hard_swish = silu, hard_silu

__all__ = [*_FUNCTIONS, *ALIASES, "deserialize", "get", "serialize"]

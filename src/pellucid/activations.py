"""Activation functions: NumPy arrays in, NumPy arrays out.

Names, arguments and defaults are those of `keras.activations`. Formula, derivative and source of
each are in `pellucid.ops.activation.FUNCTIONS`. A layer takes one by name or as it is:
`Dense(10, activation="relu")`, `Dense(10, activation=activations.relu)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from pellucid import ops
from pellucid.errors import ArgumentError, unknown_name
from pellucid.ops import (
    celu,
    elu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    linear,
    log_sigmoid,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)
from pellucid.ops._activations import ALIASES
from pellucid.ops._operation import Array

Function = Callable[..., Array]


def gelu(x: npt.ArrayLike, approximate: bool = False) -> Array:
    """Return x · Φ(x), with Φ the normal distribution function, or its approximation with tanh.

    >>> gelu([-1.0, 2.0]).round(4)
    array([-0.1587,  1.9545], dtype=float32)
    """
    return ops.gelu(x, approximate)


def exponential(x: npt.ArrayLike) -> Array:
    """Return eˣ.

    >>> exponential([0.0, 1.0]).round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return ops.exp(x)


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

"""Activation functions: NumPy arrays in, NumPy arrays out.

Names, arguments and defaults are those of `keras.activations`. Formula, derivative and source of
each are in `pellucid.ops.activation.FUNCTIONS`. A layer takes one by name or as it is:
`Dense(10, activation="relu")`, `Dense(10, activation=activations.relu)`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from pellucid import ops
from pellucid._lazy import load_on_use
from pellucid.errors import ArgumentError, unknown_name
from pellucid.ops._activations import ALIASES
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from pellucid.ops import celu as celu
    from pellucid.ops import elu as elu
    from pellucid.ops import hard_shrink as hard_shrink
    from pellucid.ops import hard_sigmoid as hard_sigmoid
    from pellucid.ops import hard_silu as hard_silu
    from pellucid.ops import hard_swish as hard_swish
    from pellucid.ops import hard_tanh as hard_tanh
    from pellucid.ops import leaky_relu as leaky_relu
    from pellucid.ops import linear as linear
    from pellucid.ops import log_sigmoid as log_sigmoid
    from pellucid.ops import log_softmax as log_softmax
    from pellucid.ops import mish as mish
    from pellucid.ops import relu as relu
    from pellucid.ops import relu6 as relu6
    from pellucid.ops import selu as selu
    from pellucid.ops import sigmoid as sigmoid
    from pellucid.ops import silu as silu
    from pellucid.ops import soft_shrink as soft_shrink
    from pellucid.ops import softmax as softmax
    from pellucid.ops import softplus as softplus
    from pellucid.ops import softsign as softsign
    from pellucid.ops import sparse_plus as sparse_plus
    from pellucid.ops import sparse_sigmoid as sparse_sigmoid
    from pellucid.ops import squareplus as squareplus
    from pellucid.ops import swish as swish
    from pellucid.ops import tanh as tanh
    from pellucid.ops import tanh_shrink as tanh_shrink
    from pellucid.ops import threshold as threshold

_OPS = """
    celu elu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
    sparse_sigmoid squareplus swish tanh tanh_shrink threshold
"""
load_on_use(__name__, {"pellucid.ops": _OPS}, own="deserialize exponential gelu get serialize")

_NAMES = {*_OPS.split(), "exponential", "gelu"}

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
    found: Function = getattr(sys.modules[__name__], name_of(identifier))
    return found


def serialize(activation: Function) -> str:
    """Return the function's name, as it is written into files; ArgumentError if it is another."""
    return name_of(activation)


def deserialize(config: Any) -> Function:
    """Return the function that `serialize` wrote down."""
    return get(config)


def name_of(identifier: Any) -> str:
    """Return the name of the function that `get` returns, without loading it."""
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "function":
        identifier = identifier.get("config")
    if identifier is None:
        return "linear"
    if isinstance(identifier, str):
        if identifier not in _NAMES:
            raise unknown_name("activation", identifier, _NAMES)
        return ALIASES.get(identifier, identifier)
    name: str = getattr(identifier, "__name__", "")
    if name in _NAMES and getattr(sys.modules[__name__], name) is identifier:
        return ALIASES.get(name, name)
    raise ArgumentError(
        f"activation must be a name, a function of pellucid.activations or a layer, received "
        f"{identifier!r}. For a function of your own, write a layer."
    )

"""Reading the arguments that layers share: pairs, paddings, counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._window import Padding, Pair, check_padding, check_pair

__all__ = ["padding_argument", "pair", "positive"]


def positive(layer: str, name: str, value: Any) -> int:
    """Return `value` as an int; ArgumentError unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(
            f"{layer}: {name} must be a whole number of at least 1, received {value!r}."
        )
    return int(value)


def pair(layer: str, name: str, value: Any, least: int = 1) -> Pair:
    """Return (height, width) from two numbers or one for both."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        value = (value, value)
    if isinstance(value, list | tuple):
        value = tuple(int(n) if isinstance(n, np.integer) else n for n in value)
    check_pair(layer, name, value, least)
    return int(value[0]), int(value[1])


def padding_argument(layer: str, value: Any) -> Padding:
    """Return 'valid', 'same' or ((top, bottom), (left, right)) from what Keras users write."""
    if isinstance(value, str):
        value = value.lower()
    elif isinstance(value, list | tuple):
        value = tuple(tuple(side) if isinstance(side, list | tuple) else side for side in value)
    check_padding(layer, value)
    padding: Padding = value
    return padding

"""Reading the arguments that layers share: pairs, paddings, counts, shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import Shape
from pellucid.ops._window import Padding, Pair, check_padding, check_pair

__all__ = [
    "axes_argument",
    "choice",
    "image_channels",
    "last_axis",
    "normal_axis",
    "number",
    "padding_argument",
    "pair",
    "positive",
    "seed_argument",
    "sides",
]


def positive(layer: str, name: str, value: Any) -> int:
    """Return `value` as an int; ArgumentError unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(
            f"{layer}: {name} must be a whole number of at least 1, received {value!r}."
        )
    return int(value)


def number(
    layer: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf
) -> float:
    """Return `value` as a float; ArgumentError unless it is a finite number in [low, high]."""
    good = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not good or not (low <= value <= high and math.isfinite(value)):
        limits = f" from {low:g} to {high:g}" if math.isfinite(high) else f" of at least {low:g}"
        raise ArgumentError(
            f"{layer}: {name} must be a finite number{limits if math.isfinite(low) else ''}, "
            f"received {value!r}."
        )
    return float(value)


def choice(layer: str, name: str, value: Any, known: Sequence[str]) -> str:
    """Return `value` in lower case; ArgumentError unless it is one of `known`."""
    text = value.lower() if isinstance(value, str) else value
    if text not in known:
        raise ArgumentError(
            f"{layer}: {name} must be one of {', '.join(map(repr, known))}, received {value!r}."
        )
    return str(text)


def seed_argument(layer: str, value: Any) -> int | None:
    """Return a seed: a whole number of at least 0, or None for the global one."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ArgumentError(
            f"{layer}: seed must be a whole number of at least 0, or None, received {value!r}."
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


def sides(layer: str, name: str, value: Any) -> tuple[Pair, Pair]:
    """Return ((top, bottom), (left, right)) from that, from (rows, columns), or from one number."""
    if not isinstance(value, list | tuple):
        value = (value, value)
    if len(value) != 2:
        raise ArgumentError(
            f"{layer}: {name} must be a number, (rows, columns) or ((top, bottom), (left, right)), "
            f"received {value!r}."
        )
    rows, columns = (pair(layer, name, side, least=0) for side in value)
    return rows, columns


def padding_argument(layer: str, value: Any) -> Padding:
    """Return 'valid', 'same' or ((top, bottom), (left, right)) from what Keras users write."""
    if isinstance(value, str):
        value = value.lower()
    elif isinstance(value, list | tuple):
        value = tuple(tuple(side) if isinstance(side, list | tuple) else side for side in value)
    check_padding(layer, value)
    padding: Padding = value
    return padding


def image_channels(layer: str, shape: Shape) -> int:
    """Return the number of channels of images of this shape; ShapeError if it is not known."""
    if len(shape) != 4:
        advice = {
            2: "Reshape the rows of numbers to images first, for example Reshape((28, 28, 1)).",
            3: "If the channels are missing, add their axis: x[..., None].",
        }.get(len(shape), "")
        raise ShapeError(
            f"{layer}: expected images (N, H, W, C), received shape {shape}. {advice}".rstrip()
        )
    return last_axis(layer, shape, "channels")


def last_axis(layer: str, shape: Shape, what: str = "numbers") -> int:
    """Return the size of the last axis, which the shape of the weights depends on."""
    size = shape[-1] if len(shape) > 1 else None
    if size is None:
        raise ShapeError(
            f"{layer}: the number of {what} (the last axis of the input) must be known to make "
            f"the weights, received shape {shape}. Say it in Input(shape)."
        )
    return size


def normal_axis(layer: str, axis: int, shape: Shape) -> int:
    """Return `axis` counted from the front; ShapeError unless the shape has it."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(
            f"{layer}: axis {axis} does not exist in an input of shape {shape}, which has "
            f"{len(shape)} axes."
        )
    return axis % len(shape)


def axes_argument(layer: str, axis: Any) -> list[int]:
    """Return the axes, in ascending order, from a whole number or a list of them."""
    listed: list[Any] = list(axis) if isinstance(axis, list | tuple) else [axis]
    if not listed or not all(isinstance(n, int) for n in listed):
        raise ArgumentError(
            f"{layer}: axis must be a whole number or a list of them, received {axis!r}."
        )
    return sorted(listed)

"""Weights of a model that is read from a file: zeros at first, and no more than the file holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from pellucid.errors import LoadError
from pellucid.ops._operation import Array

__all__ = ["first_value", "unfilled"]

_remaining: ContextVar[int | None] = ContextVar("remaining", default=None)


@contextmanager
def unfilled(limit: int) -> Iterator[None]:
    """Make all weights zeros inside the block, and at most `limit` numbers of them.

    A configuration may claim a layer of any size. What it may claim is thus bounded by what its
    file holds, and nothing is drawn at random only to be overwritten.
    """
    token = _remaining.set(limit)
    try:
        yield
    finally:
        _remaining.reset(token)


def first_value(initializer: Callable[[tuple[int, ...]], Array], shape: tuple[int, ...]) -> Array:
    """Return what a weight begins as: what its initialiser says, unless it is read from a file.

    Raises:
        LoadError: the weights so far and this one are more numbers than the file holds.
    """
    remaining = _remaining.get()
    if remaining is None:
        return initializer(shape)
    size = math.prod(shape)
    if size > remaining:
        raise LoadError(
            f"a weight of shape {shape} was declared, {size:,} numbers, "
            f"but the file holds only {remaining:,} more"
        )
    _remaining.set(remaining - size)
    return np.zeros(shape, np.float32)

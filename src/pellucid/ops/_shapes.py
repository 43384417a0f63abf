"""Shapes and axes: the checks that operations on tensors of any rank share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import Shape

__all__ = ["agree", "axes_indices", "axis_index", "product"]


def axis_index(op: str, axis: int, shape: Shape) -> int:
    """Return `axis` counted from the front; ShapeError if `shape` has no such axis."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{op}: there is no axis {axis} in x of shape {shape}.")
    return axis % len(shape)


def axes_indices(op: str, axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Return axes counted from the front, in order; all of them for None."""
    if axis is None:
        return tuple(range(rank))
    listed = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    for one in listed:
        if not -rank <= one < rank:
            raise ShapeError(f"{op}: there is no axis {one} among {rank} axes.")
    axes = tuple(sorted(int(one) % rank for one in listed))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{op}: axis {axis} names an axis twice.")
    return axes


def agree(a: Shape, b: Shape) -> bool:
    """Return whether two shapes can be the same; an unknown size can be any."""
    return len(a) == len(b) and all(
        n is None or m is None or n == m for n, m in zip(a, b, strict=True)
    )


def product(shape: Shape) -> int | None:
    """Return the number of cells; None if a size is unknown."""
    sizes = [n for n in shape if n is not None]
    return math.prod(sizes) if len(sizes) == len(shape) else None

"""Shapes and axes: the checks that operations on tensors of any rank share."""

from __future__ import annotations

import math

from pellucid.errors import ShapeError
from pellucid.ops._operation import Shape

__all__ = ["agree", "axis_index", "product"]


def axis_index(op: str, axis: int, shape: Shape) -> int:
    """Return `axis` counted from the front; ShapeError if `shape` has no such axis."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{op}: there is no axis {axis} in x of shape {shape}.")
    return axis % len(shape)


def agree(a: Shape, b: Shape) -> bool:
    """Return whether two shapes can be the same; an unknown size can be any."""
    return len(a) == len(b) and all(
        n is None or m is None or n == m for n, m in zip(a, b, strict=True)
    )


def product(shape: Shape) -> int | None:
    """Return the number of cells; None if a size is unknown."""
    sizes = [n for n in shape if n is not None]
    return math.prod(sizes) if len(sizes) == len(shape) else None

"""Functions on arrays of any shape: arithmetic, shapes, parts.

Names and arguments are those of `keras.ops`. Shapes spread to each other as NumPy's do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._arguments import apply, floats, numbers
from pellucid.ops._operation import Array, Shape
from pellucid.ops._shapes import axis_index, product
from pellucid.ops._symbolic import function
from pellucid.ops.add import Add
from pellucid.ops.cast import Cast
from pellucid.ops.concatenate import Concatenate
from pellucid.ops.divide import Divide
from pellucid.ops.maximum import Maximum
from pellucid.ops.minimum import Minimum
from pellucid.ops.multiply import Multiply
from pellucid.ops.power import Power
from pellucid.ops.reshape import Reshape
from pellucid.ops.slice import Slice
from pellucid.ops.subtract import Subtract
from pellucid.ops.transpose import Transpose

__all__ = [
    "add",
    "cast",
    "concatenate",
    "divide",
    "expand_dims",
    "get_item",
    "maximum",
    "minimum",
    "multiply",
    "power",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "subtract",
    "transpose",
    "true_divide",
]


@function
def add(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 + x2.

    Example:
        >>> add([[1.0, 2.0]], 3)
        array([[4., 5.]], dtype=float32)
    """
    return apply(Add(), *numbers(x1, x2))


@function
def subtract(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 − x2.

    Example:
        >>> subtract([4, 5], 3)
        array([1, 2])
    """
    return apply(Subtract(), *numbers(x1, x2))


@function
def multiply(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 · x2.

    Example:
        >>> multiply([[1.0], [2.0]], [3.0, 4.0])
        array([[3., 4.],
               [6., 8.]], dtype=float32)
    """
    return apply(Multiply(), *numbers(x1, x2))


@function
def maximum(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return the larger of x1 and x2.

    Example:
        >>> maximum([-1.0, 2.0], 0)
        array([0., 2.], dtype=float32)
    """
    return apply(Maximum(), *numbers(x1, x2))


@function
def minimum(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return the smaller of x1 and x2.

    Example:
        >>> minimum([-1.0, 2.0], 0)
        array([-1.,  0.], dtype=float32)
    """
    return apply(Minimum(), *numbers(x1, x2))


@function
def concatenate(xs: Sequence[npt.ArrayLike], axis: int = 0) -> Array:
    """Return the tensors one after another along an axis.

    Example:
        >>> concatenate([[[1.0], [2.0]], [[3.0], [4.0]]], axis=-1)
        array([[1., 3.],
               [2., 4.]], dtype=float32)
    """
    return apply(Concatenate(axis), *numbers(*xs))


@function
def divide(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 / x2.

    Example:
        >>> divide([1, 2], 4)
        array([0.25, 0.5 ], dtype=float32)
    """
    return apply(Divide(), *floats(x1, x2))


@function
def true_divide(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 / x2, as `divide` does."""
    return apply(Divide(), *floats(x1, x2))


@function
def power(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 to the power of x2.

    Example:
        >>> power([1.0, 2.0, 3.0], 2)
        array([1., 4., 9.], dtype=float32)
    """
    return apply(Power(), *numbers(x1, x2))


@function
def cast(x: npt.ArrayLike, dtype: str) -> Array:
    """Return the numbers in another type.

    Example:
        >>> cast([0.5, 2.9], "int32")
        array([0, 2], dtype=int32)
    """
    return apply(Cast(dtype), *numbers(x))


@function
def reshape(x: npt.ArrayLike, newshape: int | Sequence[int]) -> Array:
    """Return the same numbers in another shape, the batch axis included; one size may be −1.

    Raises:
        ShapeError: They do not fit.

    Example:
        >>> reshape(np.arange(6), (2, -1))
        array([[0, 1, 2],
               [3, 4, 5]])
    """
    (array,) = numbers(x)
    sizes = (newshape,) if isinstance(newshape, int) else tuple(int(n) for n in newshape)
    return apply(_reshape(array.shape, sizes), array)


@function
def squeeze(x: npt.ArrayLike, axis: int | Sequence[int] | None = None) -> Array:
    """Return x without axes of size 1: those named, or all.

    Raises:
        ShapeError: There is no such axis, or its size is not 1.

    Example:
        >>> squeeze(np.zeros((1, 3, 1)), axis=-1).shape
        (1, 3)
    """
    (array,) = numbers(x)
    axes = _axes("squeeze", axis, array.ndim)
    if axis is None:
        axes = tuple(i for i in axes if array.shape[i] == 1)
    if any(array.shape[i] != 1 for i in axes):
        raise ShapeError(f"squeeze: the size along axis {axis} is not 1 in shape {array.shape}.")
    return _reshaped(array, [n for i, n in enumerate(array.shape) if i not in axes])


@function
def expand_dims(x: npt.ArrayLike, axis: int | Sequence[int]) -> Array:
    """Return x with axes of size 1 put in, so that they are where `axis` says.

    Example:
        >>> expand_dims(np.zeros((2, 3)), axis=(0, -1)).shape
        (1, 2, 3, 1)
    """
    (array,) = numbers(x)
    added = len(axis) if isinstance(axis, Sequence) else 1
    axes = _axes("expand_dims", axis, array.ndim + added)
    rest = iter(array.shape)
    return _reshaped(array, [1 if i in axes else next(rest) for i in range(array.ndim + added)])


@function
def transpose(x: npt.ArrayLike, axes: Sequence[int] | None = None) -> Array:
    """Return x with its axes in another order, reversed by default.

    Raises:
        ShapeError: `axes` is no order of x's axes.

    Example:
        >>> transpose(np.zeros((1, 3, 32, 48)), (0, 2, 3, 1)).shape
        (1, 32, 48, 3)
    """
    (array,) = numbers(x)
    order = range(array.ndim)[::-1] if axes is None else axes
    if sorted(axis % max(array.ndim, 1) for axis in order) != list(range(array.ndim)):
        raise ShapeError(
            f"transpose: axes {axes} are no order of the {array.ndim} axes of shape {array.shape}."
        )
    return apply(Transpose(tuple(int(axis) % array.ndim for axis in order)), array)


@function
def split(x: npt.ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """Return the pieces of x along an axis: as many equal ones, or those between some indices.

    Raises:
        ShapeError: x cannot be split into so many equal pieces.

    Example:
        >>> split(np.arange(6), 3)
        [array([0, 1]), array([2, 3]), array([4, 5])]
        >>> split(np.arange(6), [1, 4])
        [array([0]), array([1, 2, 3]), array([4, 5])]
    """
    (array,) = numbers(x)
    place = axis_index("split", axis, array.shape)
    size = array.shape[place]
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if size is None or count < 1 or size % count:
            raise ShapeError(
                f"split: axis {axis} of shape {array.shape} cannot be split into {count} equal "
                f"pieces."
            )
        bounds = list(accumulate([size // count] * count, initial=0))
    else:
        bounds = [0, *map(int, indices_or_sections), size]
    before = (None,) * place
    return [
        apply(Slice((*before, start), (*before, stop)), array) for start, stop in pairwise(bounds)
    ]


@function
def stack(x: Sequence[npt.ArrayLike], axis: int = 0) -> Array:
    """Return tensors of one shape side by side along a new axis.

    Example:
        >>> stack([[1.0, 2.0], [3.0, 4.0]], axis=-1)
        array([[1., 3.],
               [2., 4.]], dtype=float32)
    """
    arrays = numbers(*x)
    return apply(Concatenate(axis), *(expand_dims(array, axis) for array in arrays))


@function
def get_item(x: npt.ArrayLike, key: Any) -> Array:
    """Return x[key]: whole numbers, slices, `...` and None, or a tuple of them.

    Example:
        >>> get_item(np.arange(6).reshape(2, 3), (slice(None), -1))
        array([2, 5])
    """
    (array,) = numbers(x)
    parts = list(key) if isinstance(key, (tuple, list)) else [key]
    if not all(_is_index(part) for part in parts) or parts.count(Ellipsis) > 1:
        raise ArgumentError(
            f"x[…] of a symbolic tensor takes whole numbers, slices, ... and None, received "
            f"{key!r}."
        )
    named = sum(part is not None and part is not Ellipsis for part in parts)
    if named > array.ndim:
        raise ShapeError(f"x[…]: {named} indices are too many for shape {array.shape}.")
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    place = parts.index(Ellipsis)
    parts[place : place + 1] = [slice(None)] * (array.ndim - named)
    slices = [_as_slice(part) for part in parts if part is not None]
    cut = array
    if any(part != slice(None) for part in slices):
        for part, size in zip((p for p in parts if p is not None), array.shape, strict=True):
            if not isinstance(part, slice) and size is not None and not -size <= part < size:
                raise ShapeError(f"x[…]: index {part} is out of shape {array.shape}.")
        bounds = ([getattr(s, end) for s in slices] for end in ("start", "stop", "step"))
        cut = apply(Slice(*map(tuple, bounds)), array)
    sizes = iter(cut.shape)
    target = [1 if part is None else next(sizes) for part in parts]
    kept = [
        n for n, part in zip(target, parts, strict=True) if part is None or isinstance(part, slice)
    ]
    return cut if len(parts) == len(kept) == array.ndim else _reshaped(cut, kept)


def _is_index(part: Any) -> bool:
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        return all(n is None or isinstance(n, (int, np.integer)) for n in ends)
    whole = isinstance(part, (int, np.integer)) and not isinstance(part, bool)
    return part is None or part is Ellipsis or whole


def _as_slice(part: Any) -> slice:
    """The slice that reaches what an index or a slice does."""
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        return slice(*(None if n is None else int(n) for n in ends))
    return slice(int(part), int(part) + 1 or None)


def _axes(name: str, axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Return axes counted from the front, in order; all of them for None."""
    if axis is None:
        return tuple(range(rank))
    listed = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    for one in listed:
        if not -rank <= one < rank:
            raise ShapeError(f"{name}: there is no axis {one} among {rank} axes.")
    axes = tuple(sorted(int(one) % rank for one in listed))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: axis {axis} names an axis twice.")
    return axes


def _reshape(shape: Shape, sizes: tuple[int, ...]) -> Reshape:
    """Return the reshaping of every sample where that does, else that of the whole tensor."""
    if shape and sizes:
        same = sizes[0] == shape[0]
        inside = product(shape[1:])
        if same or (sizes[0] == -1 and inside is not None and inside == product(sizes[1:])):
            return Reshape(sizes[1:])
    return Reshape(sizes, whole=True)


def _reshaped(array: Array, shape: Sequence[int | None]) -> Array:
    """Return the array in another shape, whose unknown size is the array's."""
    if array.shape and shape and array.shape[0] is None and shape[0] is None:
        if list(shape[1:]).count(None) < 2:
            return apply(Reshape(tuple(-1 if n is None else n for n in shape[1:])), array)
    elif list(shape).count(None) < 2:
        return apply(_reshape(array.shape, tuple(-1 if n is None else n for n in shape)), array)
    raise ShapeError(
        f"Several sizes of shape {array.shape} are not known, so it cannot be made {tuple(shape)}."
    )

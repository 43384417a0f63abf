"""Functions that give arrays another shape, order or type, take parts of them, put them together.

Names and arguments are those of `keras.ops`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, ShapeError, TypeMismatchError
from pellucid.ops._arguments import apply, numbers
from pellucid.ops._operation import Array, Shape
from pellucid.ops._shapes import axes_indices, axis_index, product
from pellucid.ops._symbolic import Symbolic, function
from pellucid.ops.broadcast_to import BroadcastTo
from pellucid.ops.cast import Cast
from pellucid.ops.concatenate import Concatenate
from pellucid.ops.reshape import Reshape
from pellucid.ops.slice import Slice
from pellucid.ops.take import Take, places_among
from pellucid.ops.transpose import Transpose

__all__ = [
    "broadcast_to",
    "cast",
    "concatenate",
    "expand_dims",
    "get_item",
    "moveaxis",
    "ravel",
    "repeat",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "transpose",
]


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
    axes = axes_indices("squeeze", axis, array.ndim)
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
    axes = axes_indices("expand_dims", axis, array.ndim + added)
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
        if size is None or not 1 <= count <= _MOST_PIECES or size % count:
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
def broadcast_to(x: npt.ArrayLike, shape: Sequence[int]) -> Array:
    """Return x repeated along the axes where its size is 1, and along new ones in front.

    Raises:
        ShapeError: x does not spread to the shape.

    Example:
        >>> broadcast_to([[1], [2]], (2, 3))
        array([[1, 1, 1],
               [2, 2, 2]])
    """
    sizes = tuple(None if n is None else int(n) for n in shape)
    return apply(BroadcastTo(sizes), *numbers(x))


@function
def take(x: npt.ArrayLike, indices: npt.ArrayLike, axis: int | None = None) -> Array:
    """Return the slices of x with given indices along an axis; of all its numbers by default.

    Raises:
        DataError: An index is outside.

    Example:
        >>> take(np.arange(6).reshape(2, 3), [2, 0], axis=1)
        array([[2, 0],
               [5, 3]])
    """
    (array,) = numbers(x)
    (places,) = numbers(indices)
    if np.dtype(places.dtype).kind not in "iu" and places.shape != (0,):
        raise TypeMismatchError(f"take: indices must be whole numbers, received {places.dtype}.")
    if axis is None:
        return apply(Take(0), ravel(array), places)
    along = axis_index("take", axis, array.shape)
    size = array.shape[along]
    if size is not None and not isinstance(places, Symbolic):
        places = places_among(size, places)  # an index outside is told now, not when it is run
    return apply(Take(along), array, places)


@function
def repeat(x: npt.ArrayLike, repeats: int, axis: int | None = None) -> Array:
    """Return x with each slice along an axis so many times; each of its numbers by default.

    Example:
        >>> repeat([1, 2], 2)
        array([1, 1, 2, 2])
    """
    (array,) = numbers(x)
    if not isinstance(repeats, (int, np.integer)) or repeats < 0:
        raise ArgumentError(f"repeat: repeats must be one whole number, received {repeats!r}.")
    if axis is None:
        array, axis = ravel(array), 0
    place = axis_index("repeat", axis, array.shape)
    size = array.shape[place]
    wide = [*array.shape[: place + 1], int(repeats), *array.shape[place + 1 :]]
    spread = apply(BroadcastTo(tuple(wide)), expand_dims(array, place + 1))
    made = None if size is None else size * int(repeats)
    return _reshaped(spread, [*array.shape[:place], made, *array.shape[place + 1 :]])


@function
def ravel(x: npt.ArrayLike) -> Array:
    """Return all numbers of x in one row.

    Example:
        >>> ravel([[1, 2], [3, 4]])
        array([1, 2, 3, 4])
    """
    return apply(Reshape((-1,), whole=True), *numbers(x))


@function
def swapaxes(x: npt.ArrayLike, axis1: int, axis2: int) -> Array:
    """Return x with two of its axes in each other's place.

    Example:
        >>> swapaxes(np.zeros((1, 2, 3)), 0, 2).shape
        (3, 2, 1)
    """
    (array,) = numbers(x)
    first, second = (axis_index("swapaxes", axis, array.shape) for axis in (axis1, axis2))
    order = list(range(array.ndim))
    order[first], order[second] = second, first
    return apply(Transpose(tuple(order)), array)


@function
def moveaxis(
    x: npt.ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]
) -> Array:
    """Return x with some axes moved to other places, and the others in their order.

    Example:
        >>> moveaxis(np.zeros((1, 2, 3)), 0, -1).shape
        (2, 3, 1)
    """
    (array,) = numbers(x)
    both = [
        [axis_index("moveaxis", axis, array.shape) for axis in _listed(axes)]
        for axes in (source, destination)
    ]
    if len({len(set(axes)) for axes in both} | {len(axes) for axes in both}) > 1:
        raise ArgumentError(f"moveaxis: axes {source} cannot be moved to {destination}.")
    order = [axis for axis in range(array.ndim) if axis not in both[0]]
    for place, axis in sorted(zip(both[1], both[0], strict=True)):
        order.insert(place, axis)
    return apply(Transpose(tuple(order)), array)


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


_MOST_PIECES = 10_000
"""Into more pieces nobody splits a tensor, but for a file that wants to fill the memory."""


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


def _listed(axis: int | Sequence[int]) -> Sequence[int]:
    return axis if isinstance(axis, Sequence) else (axis,)


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

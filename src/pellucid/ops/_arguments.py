"""From what callers of the plain functions give to what operations take, and errors on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, TypeMismatchError
from pellucid.ops._operation import Array, Operation, common_type
from pellucid.ops._symbolic import Symbolic
from pellucid.ops._window import Padding, Pair
from pellucid.ops.cast import Cast

__all__ = ["apply", "channels_last", "floats", "numbers", "pair", "window_padding"]


def numbers(*tensors: npt.ArrayLike) -> list[Array]:
    """Return the tensors as arrays of one type.

    Whole numbers stay whole. If any tensor has fractions, all become floats: of the widest type
    among NumPy's floats that were given, and float32 where there were none (Python's numbers and
    lists take the type of the arrays that they are used with).

    Raises:
        TypeMismatchError: One holds something else than real numbers.
    """
    if any(isinstance(x, Symbolic) for x in tensors):
        return _beside_symbolic(tensors)
    arrays = [np.asarray(x) for x in tensors]
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise TypeMismatchError(f"Expected real numbers, received an array of {array.dtype}.")
    if all(array.dtype.kind != "f" for array in arrays):
        kind = np.result_type(*arrays)
    else:
        given = [
            array.dtype
            for x, array in zip(tensors, arrays, strict=True)
            if isinstance(x, (np.ndarray, np.generic)) and array.dtype.kind == "f"
        ]
        kind = np.result_type(*given) if given else np.dtype(np.float32)
    return [array.astype(kind, copy=False) for array in arrays]


def floats(*tensors: npt.ArrayLike) -> list[Array]:
    """Return the tensors as arrays of one floating-point type: float32 unless there is a wider one.

    Raises:
        TypeMismatchError: One holds something else than real numbers.
    """
    arrays = numbers(*tensors)
    if np.dtype(arrays[0].dtype).kind == "f":
        return arrays
    return [
        apply(Cast("float32"), x) if isinstance(x, Symbolic) else x.astype(np.float32)
        for x in arrays
    ]


def _beside_symbolic(tensors: Sequence[Any]) -> list[Any]:
    """Return the tensors as they are where symbolic, and the others as arrays of one type."""
    kinds = [np.dtype(x.dtype) for x in tensors if isinstance(x, Symbolic)]
    arrays = [None if isinstance(x, Symbolic) else np.asarray(x) for x in tensors]
    found = common_type(kinds + [x.dtype for x in arrays if x is not None and x.dtype.kind != "f"])
    if found.kind != "f" and any(x is not None and x.dtype.kind == "f" for x in arrays):
        found = np.dtype(np.float32)
    made: list[Any] = []
    for x, array in zip(tensors, arrays, strict=True):
        if array is not None:
            made.append(numbers(array)[0].astype(found, copy=False))
        else:
            made.append(x if x.dtype == found.name else apply(Cast(found.name), x))
    return made


def apply(op: Operation, *inputs: Any) -> Array:
    """Return op.forward(*inputs), after their shapes have been checked.

    Where an input is symbolic the operation is stated, to be run later.
    """
    for x in inputs:
        if isinstance(x, Symbolic):
            return cast(Array, x.apply(op, inputs))
    op.output_shape(*[None if x is None else x.shape for x in inputs])
    return np.asarray(op.forward(*inputs))  # NumPy makes a number of an array of shape ()


def channels_last(function: str, data_format: str | None) -> None:
    """Raise ArgumentError unless `data_format` is None or 'channels_last'."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{function}: data_format must be 'channels_last', (N, H, W, C), or None, received "
            f"{data_format!r}. Move the channels with transpose(x, (0, 2, 3, 1)) first."
        )


def pair(function: str, name: str, value: int | Sequence[int]) -> Pair:
    """Return one number as a pair of it, and a pair as a tuple; ArgumentError for anything else."""
    if isinstance(value, (int, np.integer)):
        return int(value), int(value)
    if isinstance(value, Sequence) and len(value) == 2:
        return value[0], value[1]
    raise ArgumentError(
        f"{function}: {name} must be a whole number or two of them (height, width), received "
        f"{value!r}."
    )


def window_padding(padding: str | Sequence[Sequence[int]]) -> Padding:
    """Return 'valid' and 'same' in small letters, and explicit padding as tuples."""
    if isinstance(padding, str):
        return padding.lower()
    (top, bottom), (left, right) = padding
    return (top, bottom), (left, right)

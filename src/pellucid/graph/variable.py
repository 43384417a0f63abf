"""A variable: an array that training changes, with a name."""

from __future__ import annotations

import sys
from itertools import count
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pellucid.errors import ShapeError
from pellucid.ops._operation import Array

__all__ = ["Variable", "aligned", "realigned"]

LINE, PAGE = 64, 4096
LARGE = 64 * 1024
"""Bytes in a cache line and in a page, and from how many on an array is large."""

_numbers = count()


def aligned(values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Array:
    """Return a copy of an array of any shape, whose memory begins where a cache line does.

    Machine code goes through weights and slots by vectors as long as a line. Begun elsewhere, each
    would lie in two lines, and that costs a sixth of the optimiser's pass. Large arrays begin at
    different places of their pages too: lines at the same place of a page share a few sets of L1.
    """
    given = np.asarray(values, dtype)
    unit = PAGE if given.nbytes >= LARGE else LINE
    # Not an array of bytes: NumPy would take it, not what is returned, for the base of slices, and
    # who has a slice would have no reference to what is returned.
    memory = bytearray(given.nbytes + unit)
    address = np.frombuffer(memory, np.uint8).ctypes.data
    begin = (next(_numbers) * 5 * LINE - address) % unit
    found: Array = np.ndarray(given.shape, given.dtype, memory, begin)
    found[...] = given
    return found


def realigned(array: Array) -> Array:
    """Return the array itself if it begins with a cache line, else an aligned copy.

    Copies and pickles begin anywhere; a shallow copy has the same arrays, and shall keep them.
    """
    return aligned(array) if array.ctypes.data % LINE else array


class Variable:
    """A weight, or another array that belongs to a layer and lasts from step to step.

    Attributes:
        value: The array itself. Optimisers change it in place. What it is set to is copied into
            an array of the variable's type and shape, as compiled code reads it by its address.
        name: Its name within its layer, such as "kernel".
        path: The layer's name and its own: "conv2d/kernel".
        trainable: Whether optimisers may change it.
        regularizer: The penalty on it, or None.
        constraint: What it is brought back to after each step, or None.
        uses: How often its array was handed out, or changed by compiled code.
        all_uses: The same, of all variables together.
    """

    uses: int = 0
    all_uses: ClassVar[int] = 0

    def __init__(
        self,
        value: npt.ArrayLike,
        name: str = "variable",
        path: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        dtype: npt.DTypeLike = "float32",
        constraint: Any = None,
    ) -> None:
        self._value = aligned(value, dtype)
        self.name = name
        self.path = path or name
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._value = realigned(self._value)

    @property
    def value(self) -> Array:
        """The array itself."""
        self.used()
        return self._value

    @value.setter
    def value(self, new: npt.ArrayLike) -> None:
        self.assign(new)

    def used(self) -> None:
        """Count a use: what was made of the numbers before may no longer be true of them."""
        self.uses += 1
        Variable.all_uses += 1

    @property
    def address(self) -> int:
        """Where the array's numbers begin, for compiled code."""
        return self._value.ctypes.data

    @property
    def shared(self) -> bool:
        """Whether somebody else holds the array, and so may change it at any time."""
        return sys.getrefcount(self._value) > _UNSHARED

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the array's numbers."""
        return self._value.dtype

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return self._value.size

    def assign(self, value: npt.ArrayLike) -> None:
        """Copy `value` into the array; ShapeError unless it has the same shape."""
        new = np.asarray(value)
        if new.shape != self.shape:
            raise ShapeError(f"{self.path}: expected an array of {self.shape}, got {new.shape}.")
        self.value[...] = new

    def numpy(self) -> Array:
        """Return a copy of the array."""
        return self.value.copy()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def _unshared() -> int:
    """Return how many references this Python counts to an array that a variable alone holds."""
    variable = Variable(0.0)
    return sys.getrefcount(variable._value)


_UNSHARED = _unshared()

"""The batch size while a file is read: a number that is not known yet, but can be reckoned with.

Files work out shapes as they go (the shape of this, its first size, times that, and so on). Such
shapes are arrays of whole numbers among which the batch size, or a multiple of it, may stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.ops._operation import Array

__all__ = ["Batch", "Size", "is_symbolic", "sizes_array"]


@dataclass(frozen=True)
class Batch:
    """A multiple of the batch size.

    Attributes:
        factor: How many times the batch size it is.
    """

    factor: int = 1

    def __mul__(self, other: Any) -> Batch:
        return Batch(self.factor * other) if isinstance(other, int) else NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, Batch) and self.factor % other.factor == 0:
            return self.factor // other.factor
        if isinstance(other, int) and other and self.factor % other == 0:
            return Batch(self.factor // other)
        return NotImplemented

    __truediv__ = __floordiv__

    def __str__(self) -> str:
        return "N" if self.factor == 1 else f"{self.factor}·N"


Size = int | Batch


def is_symbolic(array: Array) -> bool:
    """Return whether an array of sizes has the batch size among them."""
    return array.dtype == object and any(isinstance(entry, Batch) for entry in array.flat)


def sizes_array(sizes: Iterable[Size]) -> Array:
    """Return sizes as an array: of int64 if all are known, else of objects."""
    listed = list(sizes)
    if any(isinstance(size, Batch) for size in listed):
        array = np.empty(len(listed), object)
        array[:] = listed
        return array
    return np.array(listed, np.int64)

"""What an inspection finds: facts, layers, and arrays, which are measured one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pellucid.ops._operation import Array

__all__ = ["FileContents", "Measures", "StoredArray", "measured"]

_PART = 1 << 20
"""How many numbers are looked at at a time: their copies take 8 MB."""


@dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    Attributes:
        name: What the file calls it, in short.
        shape: Its shape.
        dtype: The type of its numbers.
        read: Returns the numbers.
        state: Whether it belongs to the optimiser's state, and not to the model.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Array]
    state: bool = False

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass
class FileContents:
    """What a file holds.

    Attributes:
        kind: The kind of file, for programs: "keras", "hdf5", "safetensors", "npz", "onnx" …
        format: The same for people.
        facts: What the file says of itself, by name.
        layers: The name and the class, or operator, of each layer; [] if the file does not say.
        arrays: The arrays.
        advice: What to do with a file that is not read.
    """

    kind: str
    format: str
    facts: dict[str, str] = field(default_factory=dict)
    layers: list[tuple[str, str]] = field(default_factory=list)
    arrays: list[StoredArray] = field(default_factory=list)
    advice: str = ""


@dataclass(frozen=True)
class Measures:
    """The numbers of an array in short.

    Attributes:
        low: The smallest that is finite; None if none is, as the next two.
        mean: The mean of those that are finite.
        high: The largest that is finite.
        zeros: How many are zero.
        non_finite: How many are NaN or infinite.
    """

    low: float | None
    mean: float | None
    high: float | None
    zeros: int
    non_finite: int


def measured(array: StoredArray) -> Measures:
    """Return the measures of an array, with little more memory than it takes itself."""
    numbers = array.read().reshape(-1)
    low, high, total, count, zeros = math.inf, -math.inf, 0.0, 0, 0
    for start in range(0, numbers.size, _PART):
        part = numbers[start : start + _PART].astype(np.float64)
        zeros += int(np.count_nonzero(part == 0))
        part = part[np.isfinite(part)]
        if part.size:
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            # Its mean first, since the sum of large numbers can be too large.
            total += float((part / numbers.size).sum())
            count += part.size
    if not count:
        return Measures(None, None, None, zeros, numbers.size)
    mean = total * (numbers.size / count)
    return Measures(low, mean, high, zeros, numbers.size - count)

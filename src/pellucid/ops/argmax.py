"""Where the largest number is along an axis, or the smallest.

    y[…] = the first i for which x[…, i, …] = max x[…, :, …]

| tensor | shape                                                       |
|--------|-------------------------------------------------------------|
| x      | any                                                         |
| y      | x's without the axis, or with 1 along it where `keepdims`   |

A place is a whole number (int32); it has no gradient.

Source: the Array API standard, `argmax`; ONNX, `ArgMax`, for the last of equals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Expression, cell_of


@dataclass(frozen=True)
class ArgMax(Operation):
    """Where the largest number is; the module's docstring has the formula.

    Attributes:
        axis: The axis, counted from 0.
        keepdims: Whether the axis stays, with size 1.
        least: Whether the smallest number is looked for.
        last: Whether the last of equals counts.
    """

    axis: int
    keepdims: bool = False
    least: bool = False
    last: bool = False

    name: ClassVar[str] = "argmax"
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    constant: ClassVar[frozenset[str]] = frozenset({"x"})

    def __post_init__(self) -> None:
        if type(self.axis) is not int or self.axis < 0:
            raise ArgumentError(
                f"argmax: axis must be an axis counted from 0, received {self.axis!r}."
            )

    @property
    def batched(self) -> bool:
        """Whether each sample is looked through alone."""
        return self.axis != 0

    def output_shape(self, x: Shape) -> Shape:
        """Return x's shape without the axis."""
        if self.axis >= len(x) or x[self.axis] == 0:
            raise ShapeError(f"argmax: there is nothing along axis {self.axis} of shape {x}.")
        return (*x[: self.axis], *((1,) if self.keepdims else ()), *x[self.axis + 1 :])

    def output_dtype(self, *dtypes: str) -> str:
        """Return the type of a place."""
        return "int32"

    def forward(self, x: Array) -> Array:
        """Find the places."""
        find = np.argmin if self.least else np.argmax
        seen = np.flip(x, self.axis) if self.last else x
        places = find(seen, axis=self.axis, keepdims=self.keepdims)
        if self.last:
            places = x.shape[self.axis] - 1 - places
        return np.asarray(places, np.int32)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return nothing."""
        return (None,)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """All the numbers along the axis."""
        before, after = cell[: self.axis], cell[self.axis + self.keepdims :]
        cells = [cell_of("x", x, (*before, i, *after)) for i in range(x.shape[self.axis])]
        line = ArgMax(0, least=self.least, last=self.last)
        name = "argmin" if self.least else "argmax"
        return Call(name, cells, lambda *numbers: float(line.forward(np.array(numbers))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Along every axis; with equals."""
        yield Case(cls(1), ((2, 3),))
        yield Case(cls(2, keepdims=True), ((2, 3, 4),))
        yield Case(cls(0, least=True), ((3, 2),))
        for last in (False, True):
            yield Case(cls(1, last=last), ((2, 4),), _with_equals)

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Axes that are not there, or empty."""
        yield Invalid(lambda: cls(-1), ArgumentError, "counted from 0")
        yield Invalid(lambda: cls(2).output_shape((2, 3)), ShapeError, "axis 2")
        yield Invalid(lambda: cls(1).output_shape((2, 0)), ShapeError, "nothing")


def _with_equals(generator: np.random.Generator) -> tuple[Array | None, ...]:
    return (generator.integers(0, 2, (2, 4)).astype(float),)

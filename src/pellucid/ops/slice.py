"""A part of a tensor: along each axis every step-th number from a start to a stop.

    y[i, j, …] = x[start_0 + i·step_0, start_1 + j·step_1, …]

| tensor | shape                                                 |
|--------|-------------------------------------------------------|
| x      | any                                                   |
| y      | along each axis, as many numbers as the slice reaches |

A start or stop below 0 counts from the end, one beyond an end is moved to it, and the step may be
negative, as in Python. The numbers that are left out have no gradient.

Source: the Python language reference, "Slicings"; ONNX, `Slice`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Constant, Expression, cell_of

Bounds = tuple[int | None, ...]


@dataclass(frozen=True)
class Slice(Operation):
    """A part of a tensor; the module's docstring has the formula.

    Attributes:
        starts: Where it begins along each axis; None for the end that the step comes from. Axes
            after the last one named are kept whole.
        stops: Where it ends, without that place; None for the end that the step goes to.
        steps: The step along each axis; by default 1 along all.
    """

    starts: Bounds
    stops: Bounds
    steps: Bounds = ()

    name: ClassVar[str] = "slice"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        if self.steps == ():
            object.__setattr__(self, "steps", (1,) * len(self.starts))
        for field in (self.starts, self.stops, self.steps):
            if (
                not isinstance(field, tuple)
                or len(field) != len(self.starts)
                or not all(n is None or type(n) is int for n in field)
            ):
                raise ArgumentError(
                    f"slice: starts, stops and steps must be as many whole numbers, or None, "
                    f"received {self.starts}, {self.stops} and {self.steps}."
                )
        if 0 in self.steps:
            raise ArgumentError(f"slice: a step cannot be 0, received steps={self.steps}.")

    @property
    def batched(self) -> bool:
        """Axis 0 is an axis as any other."""
        return False

    def output_shape(self, x: Shape) -> Shape:
        """Return how far each slice reaches."""
        if len(self.starts) > len(x):
            raise ShapeError(
                f"slice: expected x with at least {len(self.starts)} axes, received shape {x}."
            )
        sizes = (
            None if n is None else len(range(*along.indices(n)))
            for n, along in zip(x, self._slices, strict=False)
        )
        return (*sizes, *x[len(self.starts) :])

    def forward(self, x: Array) -> Array:
        """Cut the part out."""
        y: Array = x[self._slices]
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy in its place, among zeros."""
        dx = np.zeros(x.shape, dy.dtype)
        dx[self._slices] = dy
        return (dx,)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, from where it stood."""
        reaches = self._reaches(x.shape)
        return cell_of("x", x, [reach[i] for reach, i in zip(reaches, cell, strict=True)])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient of the one number, from where it went; nothing if it was left out."""
        reaches = self._reaches(x.shape)
        if not all(i in reach for reach, i in zip(reaches, cell, strict=True)):
            return Constant("left out", 0.0)
        return cell_of("dy", dy, [reach.index(i) for reach, i in zip(reaches, cell, strict=True)])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Rows and columns, steps, backwards, counted from the end, all, nothing."""
        yield Case(cls((None, 1), (None, 3)), ((2, 4, 3),))
        yield Case(cls((0, 1, 0), (2, 9, 5), (1, 2, 3)), ((2, 6, 5),))
        yield Case(cls((None, -1, 3), (None, None, 0), (1, -1, -2)), ((2, 3, 5),))
        yield Case(cls((1,), (None,)), ((3, 2),))
        yield Case(cls((), ()), ((2, 2),))
        yield Case(cls((0, -2), (2, None)), ((3, 4),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Steps of 0, axes that are not there."""
        yield Invalid(lambda: cls((0,), (1,), (0,)), ArgumentError, "cannot be 0")
        yield Invalid(lambda: cls((0,), (1, 2)), ArgumentError, "as many")
        yield Invalid(lambda: cls((0, 0), (1, 1)).output_shape((2,)), ShapeError, "at least 2")

    @property
    def _slices(self) -> tuple[slice, ...]:
        return tuple(map(slice, self.starts, self.stops, self.steps))

    def _reaches(self, shape: tuple[int, ...]) -> list[range]:
        """The places that are read, along each axis."""
        whole = (slice(None),) * (len(shape) - len(self.starts))
        slices = (*self._slices, *whole)
        return [range(*along.indices(n)) for along, n in zip(slices, shape, strict=True)]

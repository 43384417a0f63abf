"""Padding: what lies before and after a tensor along its axes, made of a number or of itself.

    y[n, i, …] = x[n, s(i − before), …]

Along an axis of n cells, i − before is a place of x where it is from 0 to n − 1. Elsewhere s says
which cell of x is there: for n = 4, written a b c d,

| mode      | before the first | x       | after the last |
|-----------|------------------|---------|----------------|
| constant  | 0 0 0            | a b c d | 0 0 0          |
| edge      | a a a            | a b c d | d d d          |
| reflect   | d c b            | a b c d | c b a          |
| symmetric | c b a            | a b c d | d c b          |
| wrap      | b c d            | a b c d | a b c          |

A number below 0 cuts off so many cells, before anything is added.

| tensor | shape                              |
|--------|------------------------------------|
| x      | (N, …)                             |
| y      | (N, …), each size + before + after |

Source: the functions of this name in NumPy and Keras, and the ONNX operator Pad.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Constant, Expression, Sum, cell_of
from pellucid.ops._window import Pair

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@dataclass(frozen=True)
class Pad(Operation):
    """Padding; the module's docstring has the formula.

    Attributes:
        pad_width: (before, after) for every axis but the batch.
        mode: 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'.
        constant_value: The number around the tensor, in mode 'constant'.
    """

    pad_width: tuple[Pair, ...]
    mode: str = "constant"
    constant_value: float = 0.0

    name: ClassVar[str] = "pad"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        pairs = self.pad_width if isinstance(self.pad_width, tuple) else (None,)
        if not all(
            isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(n, int) for n in pair)
            for pair in pairs
        ):
            raise ArgumentError(
                f"{self.name}: pad_width must be a tuple of (before, after), whole numbers, for "
                f"each axis but the batch, received {self.pad_width!r}."
            )
        if self.mode not in MODES:
            raise ArgumentError(
                f"{self.name}: mode must be one of {', '.join(map(repr, MODES))}, "
                f"received {self.mode!r}."
            )
        if math.isnan(self.constant_value):
            raise ArgumentError(f"{self.name}: constant_value must be a number, received nan.")

    def output_shape(self, x: Shape) -> Shape:
        """Return x's sizes, each with what is added before and after."""
        if len(x) != len(self.pad_width) + 1:
            raise ShapeError(
                f"{self.name}: pad_width {self.pad_width} is for {len(self.pad_width)} axes and "
                f"the batch, received shape {x}."
            )
        sizes: list[int | None] = [x[0]]
        for size, (before, after) in zip(x[1:], self.pad_width, strict=True):
            if size is None:
                sizes.append(None)
                continue
            left = size + min(before, 0) + min(after, 0)
            if left < 1:
                raise ShapeError(
                    f"{self.name}: pad_width {self.pad_width} leaves nothing of x with shape {x}."
                )
            furthest = {"reflect": left - 1, "symmetric": left}.get(self.mode)
            if furthest is not None and max(before, after) > furthest:
                raise ShapeError(
                    f"{self.name}: an axis of {left} cells has only {furthest} to {self.mode}, "
                    f"received pad_width {self.pad_width} for shape {x}."
                )
            sizes.append(size + before + after)
        return tuple(sizes)

    def forward(self, x: Array) -> Array:
        """Take the cells along one axis after the other."""
        y = x
        for axis, source in self._sources(x.shape):
            y = y.take(source, axis=axis)
            if self.mode == "constant":
                y[(slice(None),) * axis + (source < 0,)] = self.constant_value
        return y if y is not x else x.copy()

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return to every cell of x the gradients of all cells that it went into."""
        dx = dy
        for axis, source in reversed(self._sources(x.shape)):
            inside = source >= 0
            shape = (*dx.shape[:axis], x.shape[axis], *dx.shape[axis + 1 :])
            total = np.zeros(shape, dy.dtype)
            gone = np.moveaxis(dx.compress(inside, axis=axis), axis, 0)
            np.add.at(np.moveaxis(total, axis, 0), source[inside], gone)
            dx = total
        return (dx if dx is not dy else dy.copy(),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The cell of x that is there, or the constant."""
        place = list(cell)
        for axis, source in self._sources(x.shape):
            place[axis] = int(source[cell[axis]])
        if min(place) < 0:
            return Constant("padding", self.constant_value)
        return cell_of("x", x, place)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradients of all cells that this one went into."""
        places = [[at] for at in cell]
        for axis, source in self._sources(x.shape):
            places[axis] = np.flatnonzero(source == cell[axis]).tolist()
        return Sum([cell_of("dy", dy, place) for place in itertools.product(*places)])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every mode; both sides, one, none; cut off; more than once around."""
        yield Case(cls(((1, 2), (0, 0), (3, 0))), ((2, 3, 2, 4),))
        yield Case(cls(((1, 0),), constant_value=-1.5), ((2, 3),))
        yield Case(cls(((0, 0), (0, 0))), ((2, 2, 3),))
        for mode in MODES:
            yield Case(cls(((2, 1), (0, 3), (1, -1)), mode), ((2, 3, 4, 3),))
        for mode in ("edge", "wrap"):
            yield Case(cls(((5, 4),), mode), ((1, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(()).output_shape((2, 3)), ShapeError, "0 axes")
        yield Invalid(lambda: cls(((1, 1),), "mirror"), ArgumentError, "'reflect'")
        yield Invalid(lambda: cls(((1, 1),)).output_shape((2, 3, 3)), ShapeError, "1 axes")
        yield Invalid(lambda: cls(((-1, -2),)).output_shape((2, 3)), ShapeError, "nothing")
        yield Invalid(lambda: cls(((3, 0),), "reflect").output_shape((2, 3)), ShapeError, "only 2")

    def _sources(self, x: tuple[int, ...]) -> list[tuple[int, Array]]:
        """For each axis that changes, the cell of x at every place of y; −1 for the constant."""
        found = []
        for axis, (before, after) in enumerate(self.pad_width, 1):
            if before or after:
                first, end = max(-before, 0), x[axis] - max(-after, 0)
                place = np.arange(-max(before, 0), end - first + max(after, 0))
                found.append((axis, self._cells(place, end - first, first)))
        return found

    def _cells(self, place: Array, size: int, first: int) -> Array:
        """The cell at each place of an axis of which `size` cells from `first` on are left."""
        if self.mode == "constant":
            return np.where((place >= 0) & (place < size), place + first, -1)
        if self.mode == "edge":
            return np.asarray(np.clip(place, 0, size - 1) + first)
        if self.mode == "wrap":
            return np.asarray(place % size + first)
        # Mirrored at the ends, on the outermost cell or beside it.
        beside = 0 if self.mode == "reflect" else 1
        before = np.where(place < 0, -place - beside, place)
        return np.where(before >= size, 2 * size - 2 + beside - before, before) + first

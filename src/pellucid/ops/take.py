"""The slices of a tensor with given indices along an axis.

    y[…, j…, …] = x[…, indices[j…], …]

| tensor  | shape                                          |
|---------|------------------------------------------------|
| x       | any                                            |
| indices | any; whole numbers from −S to S − 1            |
| y       | x's with the indices' shape in the axis' place |

S is the size along the axis; indices below 0 count from the end. A slice that is taken several
times has the sum of the gradients, and the indices have none.

Source: the Array API standard, `take`; ONNX, `Gather`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Expression, Sum, cell_of


@dataclass(frozen=True)
class Take(Operation):
    """Slices with given indices; the module's docstring has the formula.

    Attributes:
        axis: The axis, counted from 0.
    """

    axis: int

    name: ClassVar[str] = "take"
    inputs: ClassVar[tuple[str, ...]] = ("x", "indices")
    constant: ClassVar[frozenset[str]] = frozenset({"indices"})

    def __post_init__(self) -> None:
        if type(self.axis) is not int or self.axis < 0:
            raise ArgumentError(
                f"take: axis must be an axis counted from 0, received {self.axis!r}."
            )

    @property
    def batched(self) -> bool:
        """Axis 0 may be that of the indices."""
        return False

    def output_shape(self, x: Shape, indices: Shape) -> Shape:
        """Return x's shape with that of the indices in the axis' place."""
        if self.axis >= len(x):
            raise ShapeError(f"take: there is no axis {self.axis} in x of shape {x}.")
        return (*x[: self.axis], *indices, *x[self.axis + 1 :])

    def output_dtype(self, *dtypes: str) -> str:
        """Return the type of x's numbers."""
        return dtypes[0]

    def forward(self, x: Array, indices: Array) -> Array:
        """Take the slices; DataError for an index that is outside."""
        return np.take(x, places_among(x.shape[self.axis], indices), self.axis)

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        indices: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dy added up in the places that were taken, and nothing for the indices."""
        dx = np.zeros(x.shape, dy.dtype)
        rows = dy.reshape(*x.shape[: self.axis], -1, *x.shape[self.axis + 1 :])
        into, rows = np.moveaxis(dx, self.axis, 0), np.moveaxis(rows, self.axis, 0)
        np.add.at(into, places_among(len(into), indices).ravel(), rows)
        return dx, None

    def terms(self, cell: tuple[int, ...], x: Array, indices: Array) -> Expression:
        """The one number, from where it stood."""
        end = self.axis + indices.ndim
        places = places_among(x.shape[self.axis], indices)
        place = int(places[cell[self.axis : end]])
        return cell_of("x", x, (*cell[: self.axis], place, *cell[end:]))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array, indices: Array
    ) -> Expression:
        """The gradients of all that were taken from here."""
        places = places_among(x.shape[self.axis], indices)
        used = np.argwhere(places == cell[self.axis]).tolist()
        before, after = cell[: self.axis], cell[self.axis + 1 :]
        return Sum([cell_of("dy", dy, (*before, *place, *after)) for place in used])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One of each kind of indices: some, repeated, counted from the end, a table, one."""
        for axis, indices in ((1, [2, 0, 2]), (0, [-1, 0]), (2, [[0, 1], [1, -2]]), (1, 1)):
            yield _case(cls(axis), np.array(indices))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Axes and indices that are not there."""
        yield Invalid(lambda: cls(-1), ArgumentError, "counted from 0")
        yield Invalid(lambda: cls(2).output_shape((2, 3), (1,)), ShapeError, "no axis 2")
        yield Invalid(lambda: cls(0).forward(np.ones(2), np.array([2])), DataError, "from -2 to 1")


def places_among(size: int, indices: Array) -> Array:
    """Return indices of `size` slices, counted from the first; DataError if one is outside."""
    whole = indices.astype(np.int64)
    if whole.size and not (-size <= whole.min() and whole.max() < size):
        raise DataError(
            f"take: expected indices from {-size} to {size - 1}, received some from "
            f"{whole.min()} to {whole.max()}."
        )
    places: Array = whole % max(size, 1)
    return places


def _case(op: Take, indices: Array) -> Case:
    shape = (2, 3, 2)
    return Case(op, (shape, indices.shape), lambda g: (g.standard_normal(shape), indices))

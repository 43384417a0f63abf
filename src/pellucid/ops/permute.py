"""The axes of every sample in another order.

    y[n, i_dims[0], i_dims[1], …] = x[n, i_1, i_2, …]

| tensor | shape                                      |
|--------|--------------------------------------------|
| x      | (N, S₁, S₂, …)                             |
| y      | (N, S_dims[0], S_dims[1], …)               |

As in Keras the axes are counted from 1, the batch being axis 0, which stays where it is.

Source: Keras' Permute layer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Expression, cell_of


@dataclass(frozen=True)
class Permute(Operation):
    """Another order of the axes; the module's docstring has the formula.

    Attributes:
        dims: For each axis of y after the batch, the axis of x that it is, counted from 1.
    """

    dims: tuple[int, ...]

    name: ClassVar[str] = "permute"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        if not isinstance(self.dims, tuple) or sorted(self.dims) != [
            i + 1 for i in range(len(self.dims))
        ]:
            raise ArgumentError(
                f"permute: dims must have each of the axes 1, 2, … once (axis 0 is the batch and "
                f"stays), received {self.dims!r}."
            )

    def output_shape(self, x: Shape) -> Shape:
        """Return the sizes in the new order."""
        require_rank(self, "x", x, len(self.dims) + 1, f"(the batch and dims {self.dims})")
        return tuple(x[axis] for axis in self._axes)

    def forward(self, x: Array) -> Array:
        """Transpose the axes."""
        return x.transpose(self._axes)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy with its axes back in their places."""
        return (dy.transpose(np.argsort(self._axes)),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, from where it stood."""
        place = dict(zip(self._axes, cell, strict=True))
        return cell_of("x", x, [place[axis] for axis in range(len(cell))])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient of the one number, from where it went."""
        return cell_of("dy", dy, [cell[axis] for axis in self._axes])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Channels to the front and back, a transposed matrix, nothing moved."""
        yield Case(cls((3, 1, 2)), ((2, 3, 4, 2),))
        yield Case(cls((2, 3, 1)), ((1, 2, 3, 4),))
        yield Case(cls((2, 1)), ((2, 3, 5),))
        yield Case(cls((1,)), ((2, 3),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Axes that are not there, or there twice."""
        yield Invalid(lambda: cls((0, 1)), ArgumentError, "dims")
        yield Invalid(lambda: cls((1, 1)), ArgumentError, "dims")
        yield Invalid(lambda: cls((2, 1)).output_shape((2, 3)), ShapeError, "3 axes")

    @property
    def _axes(self) -> tuple[int, ...]:
        return (0, *self.dims)

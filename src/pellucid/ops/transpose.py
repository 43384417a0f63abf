"""The axes in another order.

    y[i_axes[0], i_axes[1], …] = x[i_0, i_1, …]

| tensor | shape                          |
|--------|--------------------------------|
| x      | (S₀, S₁, …)                    |
| y      | (S_axes[0], S_axes[1], …)      |

Source: the Array API standard, `permute_dims`; Keras' Permute layer, which leaves the batch alone.
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
class Transpose(Operation):
    """Another order of the axes; the module's docstring has the formula.

    Attributes:
        axes: For each axis of y, the axis of x that it is.
    """

    axes: tuple[int, ...]

    name: ClassVar[str] = "transpose"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        whole = isinstance(self.axes, tuple) and all(type(axis) is int for axis in self.axes)
        if not whole or sorted(self.axes) != list(range(len(self.axes))):
            raise ArgumentError(
                f"transpose: axes must have each of the axes 0, 1, 2, … once, received "
                f"{self.axes!r}."
            )

    @property
    def batched(self) -> bool:
        """Whether the batch stays where it is."""
        return self.axes[:1] == (0,)

    def output_shape(self, x: Shape) -> Shape:
        """Return the sizes in the new order."""
        require_rank(self, "x", x, len(self.axes), f"(as many as axes={self.axes})")
        return tuple(x[axis] for axis in self.axes)

    def forward(self, x: Array) -> Array:
        """Change the order of the axes."""
        return x.transpose(self.axes)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy with its axes back in their places."""
        return (dy.transpose(np.argsort(self.axes)),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, from where it stood."""
        place = dict(zip(self.axes, cell, strict=True))
        return cell_of("x", x, [place[axis] for axis in range(len(cell))])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient of the one number, from where it went."""
        return cell_of("dy", dy, [cell[axis] for axis in self.axes])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Channels to the front and back, a transposed matrix, nothing moved, the batch moved."""
        yield Case(cls((0, 3, 1, 2)), ((2, 3, 4, 2),))
        yield Case(cls((0, 2, 3, 1)), ((1, 2, 3, 4),))
        yield Case(cls((1, 0)), ((2, 3),))
        yield Case(cls((0, 1)), ((2, 3),))
        yield Case(cls((2, 0, 1)), ((2, 3, 4),))
        yield Case(cls((0,)), ((3,),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Axes that are not there, or there twice."""
        yield Invalid(lambda: cls((1, 2)), ArgumentError, "axes")
        yield Invalid(lambda: cls((1, 1)), ArgumentError, "axes")
        yield Invalid(lambda: cls((1, 0)).output_shape((2, 3, 4)), ShapeError, "2 axes")

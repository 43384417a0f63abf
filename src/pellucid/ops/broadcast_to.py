"""A tensor spread to a larger shape: repeated along the axes where its size is 1.

    y[i, j, …] = x[i or 0, j or 0, …],    0 along an axis where x has size 1

| tensor | shape                                                    |
|--------|----------------------------------------------------------|
| x      | spreads to the shape, as NumPy's do                      |
| y      | shape                                                    |

The gradient of a number is the sum of those of its copies.

Source: the Array API standard, `broadcast_to`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._merge import folded, place_read, places_spread_to
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Expression, Sum, cell_of


@dataclass(frozen=True)
class BroadcastTo(Operation):
    """A tensor spread to a larger shape; the module's docstring has the formula.

    Attributes:
        shape: The shape; None, or −1, for a size that stays x's own.
    """

    shape: tuple[int | None, ...]

    name: ClassVar[str] = "broadcast_to"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        sizes = self.shape
        whole = isinstance(sizes, tuple) and all(n is None or type(n) is int for n in sizes)
        if not whole or any(n is not None and n < -1 for n in sizes):
            raise ArgumentError(
                f"broadcast_to: shape must be a tuple of sizes, received {sizes!r}."
            )
        object.__setattr__(self, "shape", tuple(None if n == -1 else n for n in sizes))

    @property
    def batched(self) -> bool:
        """Axis 0 is an axis as any other."""
        return False

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape, with x's own sizes in it."""
        new = len(self.shape) - len(x)
        fits = new >= 0 and None not in self.shape[:new]
        own = self.shape[max(new, 0) :]
        if not fits or not all(
            m in (None, n) or n in (None, 1) for n, m in zip(x, own, strict=True)
        ):
            raise ShapeError(f"broadcast_to: x of shape {x} does not spread to {self.shape}.")
        kept = (n if m is None else m for n, m in zip(x, own, strict=True))
        return (*self.shape[:new], *kept)

    def forward(self, x: Array) -> Array:
        """Repeat x, without copying it."""
        shape = tuple(n or 0 for n in self.output_shape(x.shape))
        return np.broadcast_to(x, shape)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy summed over the copies."""
        return (folded(dy, x.shape),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, wherever it stands."""
        return cell_of("x", x, place_read(cell, x.shape))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradients of all copies."""
        return Sum([cell_of("dy", dy, p) for p in places_spread_to(cell, x.shape, y.shape)])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Along rows, into new axes, over the batch, nowhere."""
        yield Case(cls((2, 3, 4)), ((2, 1, 4),))
        yield Case(cls((None, 3, -1)), ((2, 1, 4),))
        yield Case(cls((2, 3, 2)), ((3, 1),))
        yield Case(cls((3, 2)), ((1, 2),))
        yield Case(cls((2, 2)), ((2, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that cannot be, and that do not fit."""
        yield Invalid(lambda: cls((-2,)), ArgumentError, "tuple of sizes")
        yield Invalid(lambda: cls((2, 3)).output_shape((2, 2)), ShapeError, "does not spread")
        yield Invalid(lambda: cls((3,)).output_shape((1, 3)), ShapeError, "does not spread")
        yield Invalid(lambda: cls((None, 3)).output_shape((3,)), ShapeError, "does not spread")

"""Flip: images turned upside down, left to right, or both, each as its flags say.

    y[n, i, j, c] = x[n, i', j', c]

with i' = H − 1 − i where flags[n, 0] is 1, else i; and j' = W − 1 − j where flags[n, 1] is 1, else
j. The flags are an input, drawn by whoever trains: the operation itself has no randomness.

| tensor | shape                                                   |
|--------|---------------------------------------------------------|
| x      | (N, H, W, C)                                            |
| flags  | (N, 2): upside down, left to right; 1 flips, 0 does not |
| y      | as x                                                    |

Source: `keras.layers.RandomFlip`, without the draw.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Cell, Expression, cell_of


@dataclass(frozen=True)
class Flip(Operation):
    """Flip; the module's docstring has the formula."""

    name: ClassVar[str] = "flip"
    inputs: ClassVar[tuple[str, ...]] = ("x", "flags")
    constant: ClassVar[frozenset[str]] = frozenset({"flags"})

    def output_shape(self, x: Shape, flags: Shape) -> Shape:
        """Return the shape of x."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        if flags != (x[0], 2):
            raise ShapeError(
                f"{self.name}: expected flags of shape ({x[0]}, 2), two for each image, "
                f"received {flags}."
            )
        return x

    def forward(self, x: Array, flags: Array) -> Array:
        """Copy the images, reversed where a flag says so."""
        y = x.copy()
        for axis in (1, 2):
            flipped = flags[:, axis - 1] != 0
            y[flipped] = np.flip(y[flipped], axis)
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, flags: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Flip dy back, which is flipping it again."""
        return (self.forward(dy, flags) if "x" in wrt else None, None)

    def terms(self, cell: tuple[int, ...], x: Array, flags: Array) -> Expression:
        """The pixel that came here."""
        return _other_end("x", x, cell, flags)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array, flags: Array
    ) -> Expression:
        """The gradient where the pixel went."""
        return _other_end("dy", dy, cell, flags)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All four flips in one batch, on odd and even sizes."""

        def make(generator: np.random.Generator) -> tuple[Array, Array]:
            flags = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
            return generator.standard_normal((4, 3, 4, 2)), flags

        yield Case(cls(), ((4, 3, 4, 2), (4, 2)), make)

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that cannot be."""
        yield Invalid(lambda: cls().output_shape((2, 3, 4), (2, 2)), ShapeError, "4 axes")
        yield Invalid(lambda: cls().output_shape((2, 3, 4, 1), (2,)), ShapeError, "flags")


def _other_end(name: str, tensor: Array, cell: tuple[int, ...], flags: Array) -> Cell:
    """The cell that changes places with `cell`."""
    n, i, j, c = cell
    row = tensor.shape[1] - 1 - i if flags[n, 0] else i
    column = tensor.shape[2] - 1 - j if flags[n, 1] else j
    return cell_of(name, tensor, (n, row, column, c))

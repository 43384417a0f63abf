"""Every number times a scale, plus an offset: pixels of 0 … 255 into 0 … 1, for instance.

    y[…, c] = x[…, c] · scale[c] + offset[c]

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

scale and offset are one number for all channels, or one for each. Whole numbers become float32.

Source: Keras' Rescaling layer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of

Factor = float | tuple[float, ...]


@dataclass(frozen=True)
class Rescaling(Operation):
    """A scale and an offset; the module's docstring has the formula.

    Attributes:
        scale: The factor, or one for each channel.
        offset: What is added afterwards, or one number for each channel.
    """

    scale: Factor
    offset: Factor = 0.0

    name: ClassVar[str] = "rescaling"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        for name, value in (("scale", self.scale), ("offset", self.offset)):
            numbers: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
            if not numbers or not all(
                isinstance(n, (int, float)) and math.isfinite(n) for n in numbers
            ):
                raise ArgumentError(
                    f"rescaling: {name} must be a finite number or a tuple of them, one for each "
                    f"channel, received {value!r}."
                )

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        for name, value in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(value, tuple) and (not x or x[-1] not in (None, len(value))):
                raise ShapeError(
                    f"rescaling: {name} has {len(value)} numbers, but x of shape {x} does not "
                    f"have as many channels."
                )
        return x

    def forward(self, x: Array) -> Array:
        """Multiply and add."""
        kind = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
        y: Array = np.multiply(x, np.asarray(self.scale, kind), dtype=kind)
        if self.offset != 0:
            y = y + np.asarray(self.offset, kind)
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = dy · scale."""
        return (dy * np.asarray(self.scale, dy.dtype),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The number times its scale, plus its offset."""
        scaled = Product((cell_of("x", x, cell), Constant("scale", _at(self.scale, cell))))
        return Sum((scaled, Constant("offset", _at(self.offset, cell))))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient times the scale."""
        return Product((cell_of("dy", dy, cell), Constant("scale", _at(self.scale, cell))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One number for all channels, and one for each."""
        yield Case(cls(1 / 255), ((2, 3, 4, 1),))
        yield Case(cls(2 / 255, -1.0), ((2, 5),))
        yield Case(cls((0.5, 0.25, 2.0), (-1.0, 0.0, 3.0)), ((2, 2, 3, 3),))
        yield Case(cls(1.0, (0.5, -0.5)), ((3, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Numbers that cannot be, and another count of channels."""
        yield Invalid(lambda: cls(math.nan), ArgumentError, "scale")
        yield Invalid(lambda: cls((1.0, 2.0)).output_shape((2, 2, 2, 3)), ShapeError, "channels")


def _at(factor: Factor, cell: tuple[int, ...]) -> float:
    """The factor of the cell's channel."""
    return float(factor[cell[-1]] if isinstance(factor, tuple) else factor)

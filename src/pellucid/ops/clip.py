"""Numbers held between two bounds.

    y = min(max(x, x_min), x_max)

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

∂L/∂x = dy where x_min ≤ x ≤ x_max, else 0.

Source: the Array API standard, `clip`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Expression, Product, cell_of


@dataclass(frozen=True)
class Clip(Operation):
    """Numbers held between two bounds; the module's docstring has the formula.

    Attributes:
        x_min: The lower bound; None for none.
        x_max: The upper bound; None for none. If it is below x_min, every number becomes x_max.
    """

    x_min: float | None = None
    x_max: float | None = None

    name: ClassVar[str] = "clip"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        for bound in (self.x_min, self.x_max):
            number = isinstance(bound, (int, float)) and not isinstance(bound, bool)
            if bound is not None and (not number or bound != bound):
                raise ArgumentError(f"clip: a bound must be a number or None, received {bound!r}.")

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        return x

    def forward(self, x: Array) -> Array:
        """Hold each number between the bounds."""
        y = x if self.x_min is None else np.maximum(x, np.asarray(self.x_min).astype(x.dtype))
        return y if self.x_max is None else np.minimum(y, np.asarray(self.x_max).astype(x.dtype))

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy where the number is its own value."""
        return (dy * (x == y),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The number, held."""
        return Call("clip", (cell_of("x", x, cell),), self._of_one)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient behind it, through a gate that is open between the bounds."""
        pixel = cell_of("x", x, cell)
        gate = Call("clip'", (pixel,), lambda value: float(self._of_one(value) == value))
        return Product((cell_of("dy", dy, cell), gate))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both bounds, one, none."""
        for bounds in ((-0.5, 1.0), (None, 0.5), (0.0, None), (None, None)):
            yield Case(cls(*bounds), ((3, 4),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Bounds that are no numbers."""
        yield Invalid(lambda: cls("0"), ArgumentError, "bound")  # type: ignore[arg-type]
        yield Invalid(lambda: cls(float("nan")), ArgumentError, "bound")

    def _of_one(self, value: float) -> float:
        return float(self.forward(np.asarray(value)))

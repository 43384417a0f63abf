"""Numbers in another type.

    y = x, in the type `dtype`

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

To whole numbers the fraction is cut off; to truth values, what is not 0 is true. The gradient goes
through to floating-point numbers as it is, and does not go through to any others.

Source: the Array API standard, `astype`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Constant, Expression, Product, cell_of


@dataclass(frozen=True)
class Cast(Operation):
    """Numbers in another type; the module's docstring has the formula.

    Attributes:
        dtype: The type: "float32", "int64", "bool" ….
    """

    dtype: str

    name: ClassVar[str] = "cast"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        try:
            kind = np.dtype(self.dtype)
        except TypeError:
            kind = np.dtype(object)
        if kind.kind not in "biuf":
            raise ArgumentError(
                f"cast: dtype must be a type of numbers such as 'float32' or 'int32', received "
                f"{self.dtype!r}."
            )
        object.__setattr__(self, "dtype", kind.name)

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        return x

    def output_dtype(self, *dtypes: str) -> str:
        """Return the type asked for."""
        return self.dtype

    def forward(self, x: Array) -> Array:
        """Convert each number."""
        return x.astype(self.dtype)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy in the type of x, or zeros where y has no fractions."""
        if not self._passes:
            return (np.zeros(x.shape, dy.dtype),)
        return (dy.astype(x.dtype) if x.dtype.kind == "f" else dy,)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The number, converted."""
        pixel = cell_of("x", x, cell)
        kind = np.dtype(self.dtype)
        return Call(self.dtype, (pixel,), lambda value: float(np.asarray(value).astype(kind)))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient behind it, or nothing of it."""
        above = cell_of("dy", dy, cell)
        return above if self._passes else Product((above, Constant("no slope", 0.0)))

    @property
    def _passes(self) -> bool:
        return np.dtype(self.dtype).kind == "f"

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Floats, whole numbers and truth values."""
        yield Case(cls("float64"), ((2, 3),))
        yield Case(cls("int32"), ((2, 3, 2),))
        yield Case(cls("bool"), ((3,),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """What is no type of numbers."""
        yield Invalid(lambda: cls("complex64"), ArgumentError, "type of numbers")
        yield Invalid(lambda: cls("number"), ArgumentError, "type of numbers")

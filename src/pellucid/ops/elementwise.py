"""An elementary function, applied to each number alone: logarithm, root, sine ….

    y[i] = f(x[i])        ∂L/∂x[i] = ∂L/∂y[i] · f′(x[i])

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

Formula, derivative and source of each function are in the table of `_elementwise.py`. Activation
functions, which take parameters and never give NaN, are in `activation.py`.

Source: each function's own, named there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import NameLookupError, unknown_name
from pellucid.ops._activations import Function
from pellucid.ops._elementwise import ELEMENTWISE
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Expression, Product, cell_of
from pellucid.ops.activation import of_one


@dataclass(frozen=True)
class Elementwise(Operation):
    """An elementary function by name; the module's docstring has the formula.

    Attributes:
        function: "log", "sqrt" …: a name in `ELEMENTWISE`.
    """

    function: str

    name: ClassVar[str] = "elementwise"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        if self.function not in ELEMENTWISE:
            raise unknown_name("elementary function", self.function, ELEMENTWISE)

    @property
    def definition(self) -> Function:
        """The function's line in the table: its formula, derivative and source."""
        return ELEMENTWISE[self.function]

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        return x

    def forward(self, x: Array) -> Array:
        """Apply f."""
        with np.errstate(all="ignore"):
            return self.definition.f(x)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = dy · f′(x)."""
        with np.errstate(all="ignore"):
            return (dy * self.definition.derivative(x, y),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The function of the one number."""
        return Call(self.function, (cell_of("x", x, cell),), of_one(self.forward))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient behind it, times the slope."""
        slope = Call(f"{self.function}'", (cell_of("x", x, cell),), of_one(self._derivative))
        return Product((cell_of("dy", dy, cell), slope))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every function, where it is smooth."""
        for function in ELEMENTWISE:
            yield _case(cls(function))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """A name that is none."""
        yield Invalid(lambda: cls("sqr"), NameLookupError, "Did you mean")

    def _derivative(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.definition.derivative(x, self.definition.f(x))


def _case(op: Elementwise) -> Case:
    """Return the case of one function, with inputs in its domain and away from its kinks."""

    def make(generator: np.random.Generator) -> tuple[Array | None, ...]:
        low, high = op.definition.domain or (-3.0, 3.0)
        x = generator.uniform(low, high, (3, 4))
        for kink in op.definition.kinks():
            x = np.where(np.abs(x - kink) < 0.05, kink + 0.1, x)
        return (x,)

    return Case(op, ((3, 4),), make)

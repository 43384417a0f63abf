"""Numbers into probabilities: positive, adding up to 1, in the order of the numbers.

    y[i] = exp(x[i]) / Σ_j exp(x[j])        i and j along `axis`

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

The largest x is subtracted from all before exp: the quotient stays the same, and nothing overflows.

Source: Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs", 1990.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import axis_index
from pellucid.ops._stable import exponentials
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class Softmax(Operation):
    """Probabilities from numbers; the module's docstring has the formula.

    Attributes:
        axis: The axis along which the probabilities add up to 1.
    """

    axis: int = -1

    name: ClassVar[str] = "softmax"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        axis_index(self.name, self.axis, x)
        return x

    def forward(self, x: Array) -> Array:
        """Divide each exponential by their sum."""
        _, powers, total = exponentials(x, self.axis)
        powers /= total
        return powers

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = y · (dy − Σ_j dy[j]·y[j])."""
        return (y * (dy - (dy * y).sum(axis=self.axis, keepdims=True)),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The exponential of the one number, divided by the sum of all."""
        return probability("x", x, cell, self.axis)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The probability, times how far its dy is above the mean that the probabilities weigh."""
        shares = [
            Product((cell_of("dy", dy, place), cell_of("y", y, place)))
            for place in lane(cell, x, self.axis)
        ]
        mean = Product((Constant("−1", -1.0), Named("weighted mean of dy", Sum(shares))))
        return Product((cell_of("y", y, cell), Sum((cell_of("dy", dy, cell), mean))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every axis, one class, numbers far apart."""
        yield Case(cls(), ((3, 5),))
        yield Case(cls(axis=1), ((2, 3, 4),))
        yield Case(cls(axis=-2), ((1, 2, 3, 2),))
        yield Case(cls(), ((4,),))
        yield Case(cls(), ((2, 1),))
        yield Case(cls(), ((2, 4),), lambda generator: (generator.normal(30, 3, (2, 4)),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """An axis that is not there."""
        yield Invalid(lambda: cls(axis=2).output_shape((3, 4)), ShapeError, "no axis 2")


def lane(cell: tuple[int, ...], x: Array, axis: int) -> list[tuple[int, ...]]:
    """Return every cell along `axis` through `cell`."""
    axis %= x.ndim
    return [(*cell[:axis], i, *cell[axis + 1 :]) for i in range(x.shape[axis])]


def shifted(tensor: str, x: Array, cell: tuple[int, ...], axis: int) -> list[Expression]:
    """Return x − max(x) for each cell along `axis` through `cell`."""
    places = lane(cell, x, axis)
    largest = max(places, key=lambda place: float(x[place]))
    minus = Product((Constant("−1", -1.0), Named("largest", cell_of(tensor, x, largest))))
    return [Sum((cell_of(tensor, x, place), minus)) for place in places]


def total_of(numbers: list[Expression]) -> Named:
    """Return Σ exp(number)."""
    return Named("sum", Sum([Call("exp", (number,), math.exp) for number in numbers]))


def probability(tensor: str, x: Array, cell: tuple[int, ...], axis: int) -> Expression:
    """Return the softmax of x along `axis` at `cell`, as an account."""
    numbers = shifted(tensor, x, cell, axis)
    power = Call("exp", (numbers[cell[axis]],), math.exp)
    return Call("divide", (power, total_of(numbers)), lambda a, b: a / b)

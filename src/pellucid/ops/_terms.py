"""The account of one number: a small tree of cells, products and sums that evaluates itself.

Every operation says of each cell of its output, and of each cell of its gradients, how the number
was made. It does so in seven words:

| word       | meaning                                                        |
|------------|----------------------------------------------------------------|
| `Cell`     | one number of one tensor, by name and index                    |
| `Constant` | a number that is not in a tensor: 1/n, a slope, the padding's 0 |
| `Sum`      | terms added up                                                 |
| `Product`  | factors multiplied                                             |
| `Maximum`  | candidates of which the largest wins, the first among equals   |
| `Call`     | a named function of one or more numbers: relu, exp, sqrt       |
| `Named`    | an intermediate worth a name of its own: a mean, a variance    |

`value` recombines the tree in double precision (`math.fsum` for sums), so that what is told about
a number can be checked against the number itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Union

import numpy as np

__all__ = [
    "Call",
    "Cell",
    "Constant",
    "Expression",
    "Maximum",
    "Named",
    "Product",
    "Sum",
    "cell_of",
]

Index = tuple[int, ...]
Expression = Union["Cell", "Constant", "Sum", "Product", "Maximum", "Call", "Named"]


@dataclass(frozen=True)
class Cell:
    """One number of one tensor: `tensor[index]`, which is `value`."""

    tensor: str
    index: Index
    value: float

    def cells(self) -> Iterator[Cell]:
        """Yield this cell."""
        yield self


@dataclass(frozen=True)
class Constant:
    """A number with a name that stands in no tensor, such as 1/n."""

    name: str
    value: float

    def cells(self) -> Iterator[Cell]:
        """Yield nothing: a constant comes from no tensor."""
        return iter(())


@dataclass(frozen=True)
class Sum:
    """The sum of `terms`."""

    terms: Sequence[Expression]

    @cached_property
    def value(self) -> float:
        """The sum, correctly rounded."""
        return math.fsum(term.value for term in self.terms)

    def cells(self) -> Iterator[Cell]:
        """Yield every cell below, in order."""
        for term in self.terms:
            yield from term.cells()


@dataclass(frozen=True)
class Product:
    """The product of `factors`."""

    factors: Sequence[Expression]

    @cached_property
    def value(self) -> float:
        """The product."""
        return math.prod(factor.value for factor in self.factors)

    def cells(self) -> Iterator[Cell]:
        """Yield every cell below, in order."""
        for factor in self.factors:
            yield from factor.cells()


@dataclass(frozen=True)
class Maximum:
    """The largest of `candidates`; among equals the first one wins."""

    candidates: Sequence[Expression]

    @cached_property
    def winner(self) -> int:
        """The position of the candidate that wins."""
        values = [candidate.value for candidate in self.candidates]
        return values.index(max(values))

    @property
    def value(self) -> float:
        """The winner's value."""
        return self.candidates[self.winner].value

    def cells(self) -> Iterator[Cell]:
        """Yield every cell below, in order, losers included."""
        for candidate in self.candidates:
            yield from candidate.cells()


@dataclass(frozen=True)
class Call:
    """`function(arguments…)`, a function of one or more numbers, by name."""

    function: str
    arguments: Sequence[Expression]
    evaluate: Callable[..., float]

    @cached_property
    def value(self) -> float:
        """The function's value."""
        return float(self.evaluate(*(argument.value for argument in self.arguments)))

    def cells(self) -> Iterator[Cell]:
        """Yield every cell below, in order."""
        for argument in self.arguments:
            yield from argument.cells()


@dataclass(frozen=True)
class Named:
    """An intermediate result with a name of its own: the mean of a batch, a normaliser."""

    name: str
    expression: Expression

    @property
    def value(self) -> float:
        """The value of the expression it names."""
        return self.expression.value

    def cells(self) -> Iterator[Cell]:
        """Yield every cell below, in order."""
        return self.expression.cells()


def cell_of(tensor: str, array: np.ndarray, index: Sequence[int]) -> Cell:
    """Return `Cell(tensor, index, array[index])`."""
    place = tuple(int(i) for i in index)
    return Cell(tensor, place, float(array[place]))

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
from typing import Any, Union, overload

import numpy as np
import numpy.typing as npt

__all__ = [
    "Call",
    "Cell",
    "Column",
    "Constant",
    "Expression",
    "Maximum",
    "Named",
    "Product",
    "Sum",
    "Table",
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
        if isinstance(self.terms, Table):
            return math.fsum(self.terms.values)
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


Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Column:
    """One factor of every row of a `Table`: cells of one tensor.

    Attributes:
        tensor: The tensor's name.
        array: Its numbers.
        index: For each of its axes the index, one for all rows or one for each; below 0 in the
            padding, where the factor is 0.
    """

    tensor: str
    array: Numbers
    index: tuple[int | Numbers, ...]

    @cached_property
    def is_padding(self) -> Numbers | None:
        """Which rows lie in the padding; None if none does."""
        below = [i < 0 for i in self.index if isinstance(i, np.ndarray) and np.any(i < 0)]
        return np.logical_or.reduce(below) if below else None

    @cached_property
    def values(self) -> Numbers:
        """The factor in every row."""
        found = np.asarray(self.array[self.index], np.float64)
        return found if self.is_padding is None else np.where(self.is_padding, 0.0, found)

    def indices_met(self) -> list[list[int]]:
        """Return, for each axis, the indices on which there are cells, each once."""
        inside = slice(None) if self.is_padding is None else ~self.is_padding
        if self.is_padding is not None and self.is_padding.all():
            return [[] for _ in self.index]
        return [
            np.unique(i[inside]).tolist() if isinstance(i, np.ndarray) else [i] for i in self.index
        ]

    def rows(self, place: Index) -> list[int]:
        """Return the rows whose factor is the cell at `place`."""
        same = [np.equal(i, at) for i, at in zip(self.index, place, strict=True)]
        return np.flatnonzero(np.logical_and.reduce(np.broadcast_arrays(*same))).tolist()

    def at(self, row: int) -> Cell | Constant:
        """Return the factor in one row."""
        if self.is_padding is not None and self.is_padding[row]:
            return Constant("padding", 0.0)
        place = tuple(int(i[row]) if isinstance(i, np.ndarray) else i for i in self.index)
        return cell_of(self.tensor, self.array, place)


class Table(Sequence[Expression]):
    """The terms of a long sum, each a product of cells, made when they are looked at.

    Args:
        rows: How many products there are.
        columns: Their factors; with a single one the terms are its cells themselves.
        tail: Terms that follow after the products: a bias.
    """

    def __init__(self, rows: int, *columns: Column, tail: Sequence[Expression] = ()) -> None:
        self.rows = rows
        self.columns = columns
        self.tail = tuple(tail)

    @cached_property
    def values(self) -> list[float]:
        """The terms' values."""
        products = np.ones(self.rows)
        for column in self.columns:
            products = products * column.values
        return [*products.tolist(), *(term.value for term in self.tail)]

    def __len__(self) -> int:
        return self.rows + len(self.tail)

    @overload
    def __getitem__(self, position: int) -> Expression: ...
    @overload
    def __getitem__(self, position: slice) -> list[Expression]: ...
    def __getitem__(self, position: int | slice) -> Expression | list[Expression]:
        if isinstance(position, slice):
            return [self._at(i) for i in range(*position.indices(len(self)))]
        return self._at(range(len(self))[position])

    def _at(self, position: int) -> Expression:
        if position >= self.rows:
            return self.tail[position - self.rows]
        if len(self.columns) == 1:
            return self.columns[0].at(position)
        return Product([column.at(position) for column in self.columns])


def cell_of(tensor: str, array: np.ndarray, index: Sequence[int]) -> Cell:
    """Return `Cell(tensor, index, array[index])`."""
    place = tuple(map(int, index))
    return Cell(tensor, place, float(array[place]))

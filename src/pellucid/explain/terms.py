"""The terms of a ledger: what was added up, compared, or read, each with its address."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from pellucid.explain.address import Address
from pellucid.explain.formula import Located, located, number, text
from pellucid.ops._terms import (
    Call,
    Cell,
    Constant,
    Expression,
    Maximum,
    Named,
    Product,
    Sum,
    Table,
)

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["Factor", "Part", "Place", "Term", "Terms", "note_of", "taken_apart"]


@dataclass(frozen=True)
class Place:
    """Where the cells of one of an operation's tensors are in the trace."""

    tensor: str
    batched: bool
    quantity: str = ""

    @property
    def name(self) -> str:
        """What a cell's address has before its index and after it."""
        return f"{self.tensor}.{self.quantity}" if self.quantity else self.tensor

    def holds(self, address: Address) -> bool:
        """Whether an address is one of these cells."""
        return (self.tensor, self.quantity) == (address.tensor, address.quantity)

    def address(self, index: tuple[int, ...]) -> Address:
        """Return the address of `tensor[index]`."""
        if self.batched:
            return Address(self.tensor, index[1:], index[0], self.quantity)
        return Address(self.tensor, index, None, self.quantity)


@dataclass(frozen=True)
class Part:
    """An account as an operation gives it, and where its tensors are in the trace."""

    expression: Expression
    places: Mapping[str, Place]

    def locate(self, cell: Cell) -> Located:
        """Return the cell with its address."""
        if isinstance(cell, Located):
            return cell
        place = self.places[cell.tensor]
        return Located(place.name, cell.index, cell.value, place.address(cell.index))

    def name(self, cell: Cell) -> str:
        """Return the cell's address as text."""
        return str(self.locate(cell).address)

    @cached_property
    def located(self) -> Expression:
        """The account with addresses."""
        return located(self.expression, self.locate)


@dataclass(frozen=True)
class Factor:
    """One factor of a term.

    Attributes:
        label: Its address, or its name if it stands in no tensor.
        value: Its value.
        address: Its address; None for a constant, a function or a named intermediate.
        expression: How it is made, with addresses.
    """

    label: str
    value: float
    address: Address | None
    expression: Expression

    def to_dict(self) -> dict[str, Any]:
        """Return the factor as JSON."""
        address = None if self.address is None else str(self.address)
        return {"label": self.label, "value": self.value, "address": address}


@dataclass(frozen=True)
class Term:
    """One term of a ledger: a product in a sum, a candidate for a maximum, an argument.

    Attributes:
        position: Its place among the terms, from 0.
        value: Its value.
        factors: What is multiplied; a single one if nothing is.
        note: "winner", "loser", "tie", "gate open", "gate shut", "padding", or "".
        expression: How it is made, with addresses.
        main: The address to follow: for a number towards the input, for a gradient towards the
            loss; None if the term is made of constants.
    """

    position: int
    value: float
    factors: tuple[Factor, ...]
    note: str
    expression: Expression
    main: Address | None

    @property
    def addresses(self) -> list[Address]:
        """The addresses of all cells in the term, in order, each once."""
        cells = self.expression.cells()
        return list(dict.fromkeys(c.address for c in cells if isinstance(c, Located)))

    @property
    def formula(self) -> str:
        """The term with addresses."""
        return text(self.expression)

    @property
    def formula_with_numbers(self) -> str:
        """The term with numbers."""
        return text(self.expression, numbers=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the term as JSON."""
        return {
            "position": self.position,
            "value": self.value,
            "note": self.note,
            "main": None if self.main is None else str(self.main),
            "factors": [factor.to_dict() for factor in self.factors],
        }


class Terms(Sequence[Term]):
    """The terms of a ledger, each made when it is looked at."""

    def __init__(
        self, trace: Trace, how: str, runs: Sequence[tuple[Sequence[Expression], Part]]
    ) -> None:
        self._trace = trace
        self._how = how
        self._runs = runs

    def __len__(self) -> int:
        return sum(len(run) for run, _ in self._runs)

    @overload
    def __getitem__(self, position: int) -> Term: ...
    @overload
    def __getitem__(self, position: slice) -> list[Term]: ...
    def __getitem__(self, position: int | slice) -> Term | list[Term]:
        if isinstance(position, slice):
            return [self._make(i) for i in range(*position.indices(len(self)))]
        return self._make(range(len(self))[position])

    def __iter__(self) -> Iterator[Term]:
        return (self._make(i) for i in range(len(self)))

    @cached_property
    def values(self) -> list[float]:
        """The terms' values."""
        found: list[float] = []
        for run, _ in self._runs:
            found += run.values if isinstance(run, Table) else [term.value for term in run]
        return found

    def largest(self, count: int) -> list[Term]:
        """Return the terms that are largest in size, the largest first."""
        values = self.values
        order = heapq.nsmallest(count, range(len(values)), key=lambda i: (-abs(values[i]), i))
        return [self._make(i) for i in order]

    def containing(self, address: Address) -> list[Term]:
        """Return the terms that a number stands in."""
        found = []
        start = 0
        for run, part in self._runs:
            names = {n for n, p in part.places.items() if p.holds(address)}
            if isinstance(run, Table):
                rows = {
                    row for c in run.columns if c.tensor in names for row in c.rows(address.cell)
                }
                tail = range(run.rows, len(run))
            else:
                rows, tail = set(), range(len(run))
            for i in tail:
                if any(c.tensor in names and c.index == address.cell for c in run[i].cells()):
                    rows.add(i)
            found += [self._make(start + row) for row in sorted(rows)]
            start += len(run)
        return found

    def raw(self, position: int) -> Expression:
        """Return a term as the operation gave it, without addresses."""
        return self._find(position)[0]

    def _find(self, position: int) -> tuple[Expression, Part]:
        for run, part in self._runs:
            if position < len(run):
                return run[position], part
            position -= len(run)
        raise IndexError(position)

    def _make(self, position: int) -> Term:
        raw, part = self._find(position)
        expression = located(raw, part.locate)
        factors = tuple(_factor(factor) for factor in _factors(expression))
        return Term(
            position,
            raw.value,
            factors,
            self._note(position, expression),
            expression,
            self._main(expression),
        )

    def _note(self, position: int, expression: Expression) -> str:
        if self._how == "maximum":
            values = self.values
            best = max(values)
            if values[position] != best:
                return "loser"
            winner = values.index(best)
            tied = values.count(best) > 1
            return ("winner, tied" if tied else "winner") if position == winner else "tie"
        return note_of(expression)

    def _main(self, expression: Expression) -> Address | None:
        cells = [c.address for c in expression.cells() if isinstance(c, Located)]
        gradients = [address for address in cells if address.is_gradient]
        made = [a for a in cells if self._trace.tensors[a.tensor].kind in ("result", "input")]
        return next(iter((*gradients, *made, *cells)), None)


def note_of(expression: Expression) -> str:
    """Return what a product's factors say of it: a gate, a winner, padding."""
    for factor in _factors(expression):
        match factor:
            case Constant(name) if name in ("padding", "winner", "loser"):
                return name
            case Call(function) if function.endswith("'"):
                if factor.value in (0.0, 1.0):
                    return "gate open" if factor.value else "gate shut"
                return f"slope {number(factor.value, 4)}"
    return ""


def taken_apart(parts: Sequence[Part]) -> tuple[str, list[tuple[Sequence[Expression], Part]]]:
    """Return how an account is made, and its terms, part by part."""
    if not parts:
        return "given", []
    if len(parts) > 1:
        return "sum", [(_summands(part.expression), part) for part in parts]
    part = parts[0]
    expression = part.expression
    while isinstance(expression, Named):
        expression = expression.expression
    match expression:
        case Sum():
            return "sum", [(_summands(expression), part)]
        case Product():
            terms = _summands(expression)
            how = "product" if len(terms) == 1 and terms[0] is expression else "sum"
            return how, [(terms, part)]
        case Maximum(candidates):
            return "maximum", [(candidates, part)]
        case Call(_, arguments):
            return "function", [(arguments, part)]
        case Cell():
            return "copy", [([expression], part)]
        case Constant():
            return "constant", [([expression], part)]


def _summands(expression: Expression) -> Sequence[Expression]:
    """The terms of a sum, and of a sum times something: a · (b + c) is a · b + a · c."""
    while isinstance(expression, Named):
        expression = expression.expression
    if isinstance(expression, Sum):
        if isinstance(expression.terms, Table):
            return expression.terms
        found: list[Expression] = []
        for term in expression.terms:
            found.extend(_summands(term) if isinstance(term, Sum) else (term,))
        return found
    if isinstance(expression, Product):
        sums = [i for i, factor in enumerate(expression.factors) if isinstance(factor, Sum)]
        if len(sums) == 1:
            at = sums[0]
            before, after = expression.factors[:at], expression.factors[at + 1 :]
            return [
                Product((*before, *_factors(term), *after))
                for term in _summands(expression.factors[at])
            ]
    return [expression]


def _factors(expression: Expression) -> Sequence[Expression]:
    return expression.factors if isinstance(expression, Product) else (expression,)


def _factor(expression: Expression) -> Factor:
    address = expression.address if isinstance(expression, Located) else None
    return Factor(text(expression), expression.value, address, expression)

"""The account of one number: its formula, every term with its address, the running sum, the total.

A ledger is read off the operation that made the number (`terms`) or that handed its gradient back
(`gradient_terms`); it knows no operation by name.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from pellucid.errors import ArgumentError
from pellucid.explain.address import Address
from pellucid.explain.formula import Located, definitions, located, number, text
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
    from pellucid.explain.correlation import Correlation, Scatter
    from pellucid.explain.trace import Trace
    from pellucid.explain.verification import Verification

__all__ = ["Definition", "Factor", "Ledger", "Part", "Place", "Term", "Terms"]


@dataclass(frozen=True)
class Place:
    """Where the cells of one of an operation's tensors are in the trace."""

    tensor: str
    batched: bool
    quantity: str = ""

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
        name = f"{place.tensor}.{place.quantity}" if place.quantity else place.tensor
        return Located(name, cell.index, cell.value, place.address(cell.index))

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


@dataclass(frozen=True)
class Definition:
    """A named intermediate of a ledger: a mean, a variance, a probability."""

    name: str
    value: float
    formula: str
    formula_with_numbers: str

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as JSON."""
        return dict(vars(self))


class Terms(Sequence[Term]):
    """The terms of a ledger, each made when it is looked at."""

    def __init__(self, ledger: Ledger, runs: Sequence[tuple[Sequence[Expression], Part]]) -> None:
        self._ledger = ledger
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

    def _raw(self, position: int) -> tuple[Expression, Part]:
        for run, part in self._runs:
            if position < len(run):
                return run[position], part
            position -= len(run)
        raise IndexError(position)

    def _make(self, position: int) -> Term:
        raw, part = self._raw(position)
        expression = located(raw, part.locate)
        factors = tuple(_factor(factor) for factor in _factors(expression))
        return Term(
            position,
            raw.value,
            factors,
            self._ledger._note(position, expression),
            expression,
            self._ledger._main(expression),
        )


class Ledger:
    """The account of one number of a trace.

    Attributes:
        address: The number's address.
        value: The number, as the engine recorded it.
        how: How it was made: "sum", "product", "maximum", "function", "copy" (it is another number
            moved), "constant", or "given" (it came with the input, the weights or the target).
        operation: The operation that made it, or handed the gradient back; "" if none did.
        layer: The layer that did; "" outside layers.
        notes: Whatever else a reader should know.
    """

    def __init__(
        self,
        trace: Trace,
        address: Address,
        value: float | None,
        parts: Sequence[Part],
        *,
        operation: str = "",
        layer: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        self.trace = trace
        self.address = address
        self.operation = operation
        self.layer = layer
        self.notes = list(notes)
        self._parts = list(parts)
        self.how, self._runs = _taken_apart(self._parts)
        self.value = self.total if value is None else value

    @cached_property
    def total(self) -> float:
        """The terms recombined in double precision; the value itself for a number given."""
        if not self._parts:
            return self.value
        return math.fsum(part.expression.value for part in self._parts)

    @cached_property
    def terms(self) -> Terms:
        """The terms; none for a number that was given."""
        return Terms(self, self._runs)

    @cached_property
    def running(self) -> list[float]:
        """What it comes to after each term; empty where terms are not added or compared."""
        if self.how == "maximum":
            return list(itertools.accumulate(self.terms.values, max))
        if self.how in ("sum", "product", "copy"):
            return list(itertools.accumulate(self.terms.values))
        return []

    @cached_property
    def expression(self) -> Expression:
        """The whole account as a tree, its cells with their addresses."""
        if len(self._parts) == 1:
            return self._parts[0].located
        if not self._parts:
            return Located(self.address.tensor, self.address.cell, self.value, self.address)
        return Sum([part.located for part in self._parts])

    @property
    def formula(self) -> str:
        """The account as one line, with addresses: "y[0] = x[0] · w[0] + b"."""
        made = self._text() if self._parts else "given"
        return f"{self.address} = {made}"

    @property
    def formula_with_numbers(self) -> str:
        """The account as one line, with numbers."""
        if not self._parts:
            return f"{self.address} = {number(self.value)}"
        return f"{self.address} = {self._text(numbers=True)} = {number(self.total)}"

    @cached_property
    def definitions(self) -> list[Definition]:
        """The intermediates that the formula mentions by name, the inner ones first."""
        found: dict[tuple[str, float], Definition] = {}
        for part in self._parts:
            for named in definitions(part.expression):
                found.setdefault(
                    (named.name, named.value),
                    Definition(
                        named.name,
                        named.value,
                        text(named.expression, name=part.name),
                        text(named.expression, numbers=True),
                    ),
                )
        return list(found.values())

    @property
    def addresses(self) -> list[Address]:
        """Every number that this one was made of, each once."""
        cells = self.expression.cells() if self._parts else iter(())
        return list(dict.fromkeys(c.address for c in cells if isinstance(c, Located)))

    @property
    def magnitude(self) -> float:
        """Σ |terms|: what rounding errors are measured against."""
        return math.fsum(abs(value) for value in self.terms.values)

    def follow(self, term: int | None = None, factor: int | None = None) -> Ledger:
        """Return the ledger of a number that this one was made of.

        Args:
            term: Which term; by default the winner of a maximum, else the largest in size.
            factor: Which of the term's cells, in the order of `term.addresses`; by default the one
                that leads towards the input, or for a gradient towards the loss.

        Raises:
            ArgumentError: There is no such term or factor, or nothing to follow.
        """
        if not len(self.terms):
            raise ArgumentError(f"{self.address} is given: there is nothing before it to follow.")
        if term is None:
            term = self._leading()
        if not -len(self.terms) <= term < len(self.terms):
            raise ArgumentError(
                f"{self.address} has the terms 0–{len(self.terms) - 1}, received {term}."
            )
        chosen = self.terms[term]
        if factor is None:
            if chosen.main is None:
                raise ArgumentError(
                    f"Term {term} of {self.address} is {chosen.formula}: it comes from no tensor."
                )
            return self.trace[chosen.main]
        addresses = chosen.addresses
        if not -len(addresses) <= factor < len(addresses):
            raise ArgumentError(
                f"Term {term} of {self.address} has {len(addresses)} cells: "
                f"{', '.join(map(str, addresses))}; received {factor}."
            )
        return self.trace[addresses[factor]]

    def scatter(self) -> Scatter:
        """Return the gradient of what a convolution reads as what each output cell hands back.

        Raises:
            ArgumentError: Its terms are not each an output's gradient times a weight.
        """
        from pellucid.explain.correlation import scatter

        return scatter(self)

    def correlation(self) -> Correlation:
        """Return the gradient of what a convolution reads as a correlation.

        It is the output's gradient correlated with the kernel turned by 180°: the same terms as
        `scatter` has, in another order.

        Raises:
            ArgumentError: Its terms are not each an output's gradient times a kernel's weight.
        """
        from pellucid.explain.correlation import correlation

        return correlation(self)

    def verify(self, finite_difference: bool = False) -> Verification:
        """Check the number: its terms recombined, the engines, for a gradient finite differences.

        Args:
            finite_difference: Whether to compare a gradient with a central difference in double
                precision, which runs the network a few times from this number on.
        """
        from pellucid.explain.verification import verify

        return verify(self, finite_difference)

    def to_dict(self, terms: int | None = None) -> dict[str, Any]:
        """Return the ledger as JSON.

        Args:
            terms: How many terms to list, the largest in size; by default all, in order.
        """
        chosen = list(self.terms) if terms is None else self.terms.largest(terms)
        shown = math.fsum(term.value for term in chosen)
        return {
            "address": str(self.address),
            "value": self.value,
            "total": self.total,
            "how": self.how,
            "operation": self.operation,
            "layer": self.layer,
            "formula": self.formula,
            "formula_with_numbers": self.formula_with_numbers,
            "definitions": [definition.to_dict() for definition in self.definitions],
            "count": len(self.terms),
            "terms": [term.to_dict() for term in chosen],
            "others": {
                "count": len(self.terms) - len(chosen),
                "sum": math.fsum((*self.terms.values, -shown)) if self.how == "sum" else None,
            },
            "notes": self.notes,
        }

    def __repr__(self) -> str:
        return (
            f"<Ledger {self.address} = {number(self.value)}: {self.how}, {len(self.terms)} terms>"
        )

    def _text(self, numbers: bool = False) -> str:
        if len(self._parts) > 1:
            return text(self.expression, numbers)
        part = self._parts[0]
        return text(part.expression, numbers, part.name)

    def _leading(self) -> int:
        values = self.terms.values
        if self.how == "maximum":
            return values.index(max(values))
        order = sorted(range(len(values)), key=lambda i: -abs(values[i]))
        return next((i for i in order if _has_cell(self.terms._raw(i)[0])), order[0])

    def _note(self, position: int, expression: Expression) -> str:
        if self.how == "maximum":
            values = self.terms.values
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
        made = [a for a in cells if self.trace.tensors[a.tensor].kind in ("result", "input")]
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


def _taken_apart(parts: Sequence[Part]) -> tuple[str, list[tuple[Sequence[Expression], Part]]]:
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


def _has_cell(expression: Expression) -> bool:
    return next(iter(expression.cells()), None) is not None

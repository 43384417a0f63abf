"""The account of one number: its formula, every term with its address, the running sum, the total.

A ledger is read off the operation that made the number (`terms`) or that handed its gradient back
(`gradient_terms`); it knows no operation by name.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pellucid.errors import ArgumentError
from pellucid.explain.address import Address
from pellucid.explain.formula import Located, definitions, number, text
from pellucid.explain.terms import Factor, Part, Place, Term, Terms, taken_apart
from pellucid.ops._terms import Expression, Sum

if TYPE_CHECKING:
    from pellucid.explain.correlation import Correlation, Scatter
    from pellucid.explain.trace import Trace
    from pellucid.explain.verification import Verification

__all__ = ["Definition", "Factor", "Ledger", "Part", "Place", "Term", "Terms"]


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
        self.how, self._runs = taken_apart(self._parts)
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
        return Terms(self.trace, self.how, self._runs)

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

    def _repr_html_(self) -> str:
        return self.trace.notebook_html(self.address)

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
        return next((i for i in order if _has_cell(self.terms.raw(i))), order[0])


def _has_cell(expression: Expression) -> bool:
    return next(iter(expression.cells()), None) is not None

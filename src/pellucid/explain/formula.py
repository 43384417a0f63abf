"""Accounts as text: with addresses, or with the numbers in their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pellucid.explain.address import Address
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

__all__ = ["Located", "definitions", "located", "number", "text"]

_ADDED, _MULTIPLIED, _ATOM = range(3)
_MOST_TERMS = 8
_MINUS_ONE = ("-1", "−1")
_SIGNS = (" − ", " + ")


@dataclass(frozen=True)
class Located(Cell):
    """A cell that knows its address in the trace; `tensor` is the address without its index."""

    address: Address


def located(expression: Expression, locate: Callable[[Cell], Expression]) -> Expression:
    """Return the same account with `locate(cell)` for every cell."""
    match expression:
        case Cell():
            return locate(expression)
        case Constant():
            return expression
        case Sum(terms):
            return Sum([located(term, locate) for term in terms])
        case Product(factors):
            return Product([located(factor, locate) for factor in factors])
        case Maximum(candidates):
            return Maximum([located(candidate, locate) for candidate in candidates])
        case Call(function, arguments, evaluate):
            return Call(function, [located(a, locate) for a in arguments], evaluate)
        case Named(name, named):
            return Named(name, located(named, locate))


def number(value: float, digits: int = 6) -> str:
    """Return a number with so many significant digits, and a real minus sign.

    Example:
        >>> number(-0.123456789), number(3.0)
        ('−0.123457', '3')
    """
    return f"{value:.{digits}g}".replace("-", "−")


def text(
    expression: Expression,
    numbers: bool = False,
    name: Callable[[Cell], str] | None = None,
) -> str:
    """Return the account as one line; of a long sum only the first terms and the last.

    Args:
        expression: The account; intermediates that have a name appear by name (or value).
        numbers: Whether to write values instead of addresses and names.
        name: What to call a cell; by default its address, if it has one.

    Example:
        >>> from pellucid.ops._terms import Cell, Product, Sum
        >>> pair = Product((Cell("x", (0,), 2.0), Cell("w", (1,), -0.5)))
        >>> text(Sum((pair, Cell("b", (), 1.0)))), text(pair, numbers=True)
        ('x[0] · w[1] + b', '2 × (−0.5)')
    """
    return _Writer(numbers, name or _cell_name).render(expression)[0]


def definitions(expression: Expression) -> list[Named]:
    """Return the named intermediates of an account, each once, the inner ones first."""
    found: dict[str, Named] = {}
    for named in _named(expression):
        found.setdefault(f"{named.name} = {number(named.value, 17)}", named)
    return list(found.values())


def _named(expression: Expression) -> Iterator[Named]:
    match expression:
        case Sum(Table(tail=parts)):
            for part in parts:
                yield from _named(part)
        case Sum(parts) | Product(parts) | Maximum(parts) | Call(arguments=parts):
            for part in parts:
                yield from _named(part)
        case Named(_, inner):
            yield from _named(inner)
            yield expression
        case Cell() | Constant():
            return


def _cell_name(cell: Cell) -> str:
    if isinstance(cell, Located):
        return str(cell.address)
    return f"{cell.tensor}[{','.join(map(str, cell.index))}]" if cell.index else cell.tensor


@dataclass(frozen=True)
class _Writer:
    """Writes accounts, each with how tightly it binds: a sum within a product is bracketed."""

    numbers: bool
    name: Callable[[Cell], str]

    def render(self, expression: Expression) -> tuple[str, int]:
        match expression:
            case Sum(terms):
                return self._sum(terms)
            case Product(factors):
                return self._product(factors)
            case Maximum(candidates):
                shown = [self.render(c)[0] for c in candidates[:_MOST_TERMS]]
                if len(candidates) > _MOST_TERMS:
                    shown.append(f"… {len(candidates)} in all")
                return f"max({', '.join(shown)})", _ATOM
            case Call(function, arguments):
                return _call(function, [self.render(argument) for argument in arguments])
            case Named(name, inner):
                simple = isinstance(inner, Cell)
                return self.render(inner) if simple else self._atom(name, inner.value)
            case Constant(name, value):
                compound = not self.numbers and any(sign in name for sign in _SIGNS)
                return self._atom(name, value)[0], _ADDED if compound else _ATOM
            case Cell():
                return self._atom("" if self.numbers else self.name(expression), expression.value)

    def _atom(self, name: str, value: float) -> tuple[str, int]:
        if self.numbers:
            return number(value), _ATOM
        return (f"−{name[1:]}" if name.startswith("-") else name), _ATOM

    def _sum(self, terms: Sequence[Expression]) -> tuple[str, int]:
        if not len(terms):
            return "0", _ATOM
        if len(terms) == 1:
            return self.render(terms[0])
        chosen: list[Expression | None] = []
        if len(terms) > _MOST_TERMS:
            chosen = [*terms[:3], None, terms[-1]]
        line = ""
        for term in chosen or terms:
            sign, shown = "+", f"… ({len(terms) - 4} more)"
            if term is not None:
                negative, positive = _without_minus(term)
                shown, level = self.render(positive)
                sign = "−" if negative else "+"
                if negative and level == _ADDED:
                    shown = f"({shown})"
                if shown.startswith("−"):
                    sign, shown = ("+" if negative else "−"), shown[1:]
            line += (f" {sign} " if line else "−" if sign == "−" else "") + shown
        return line, _ADDED

    def _product(self, factors: Sequence[Expression]) -> tuple[str, int]:
        if len(factors) == 1:
            return self.render(factors[0])
        shown = []
        for position, factor in enumerate(factors):
            part, level = self.render(factor)
            wrapped = level == _ADDED or (position > 0 and part.startswith("−"))
            shown.append(f"({part})" if wrapped else part)
        return (" × " if self.numbers else " · ").join(shown), _MULTIPLIED


def _without_minus(term: Expression) -> tuple[bool, Expression]:
    """Split −1 · x into the sign and x."""
    if isinstance(term, Product) and len(term.factors) > 1:
        first, *others = term.factors
        if isinstance(first, Constant) and first.name in _MINUS_ONE:
            return True, others[0] if len(others) == 1 else Product(others)
    return False, term


def _call(function: str, parts: list[tuple[str, int]]) -> tuple[str, int]:
    if function == "divide" and len(parts) == 2:
        above, below = parts
        top = f"({above[0]})" if above[1] == _ADDED else above[0]
        bottom = below[0] if below[1] == _ATOM else f"({below[0]})"
        return f"{top} / {bottom}", _MULTIPLIED
    inside = ", ".join(part for part, _ in parts)
    if function == "square":
        return f"({inside})²", _ATOM
    if function == "1/sqrt":
        return f"1 / √({inside})", _MULTIPLIED
    if function == "sqrt":
        return f"√({inside})", _ATOM
    if function == "|w|":
        return f"|{inside}|", _ATOM
    return f"{function.replace(chr(39), '′')}({inside})", _ATOM

"""Accounts as LaTeX's mathematics; `explain.formula` writes the same as plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pellucid.explain.formula import Located, number
from pellucid.explain.narration.latex import escaped
from pellucid.ops._terms import Call, Cell, Constant, Expression, Maximum, Named, Product, Sum

__all__ = ["equation", "name", "value"]

_SHOWN = 3
_CALLS = {
    "sqrt": r"\sqrt{%s}",
    "1/sqrt": r"\frac{1}{\sqrt{%s}}",
    "square": r"\left(%s\right)^2",
    "exp": r"e^{%s}",
}


def equation(address: str, expression: Expression, numbers: bool = False) -> str:
    """Return "address = account", a sum of several terms broken into lines.

    Args:
        address: What is explained.
        expression: How it is made.
        numbers: Whether to write values instead of names.
    """
    while isinstance(expression, Named):
        expression = expression.expression
    left = name(address)
    if isinstance(expression, Sum) and len(expression.terms) > 1:
        lines = _summands(expression.terms, numbers)
        inner = " \\\\\n&".join(lines)
        return f"\\begin{{aligned}}\n{left} ={{}}& {inner}\n\\end{{aligned}}"
    return f"{left} = {_render(expression, numbers)}"


def name(text: str) -> str:
    """Return an address or a name as LaTeX prints it within a formula."""
    return rf"\text{{\texttt{{{escaped(text)}}}}}"


def value(of: float) -> str:
    """Return a number as LaTeX's mathematics."""
    shown = number(of).replace("−", "-")
    return re.sub(r"e([+-]?)0*(\d+)$", r" \\cdot 10^{\1\2}", shown).replace("{+", "{")


def _summands(terms: Sequence[Expression], numbers: bool) -> list[str]:
    more = len(terms) - _SHOWN - 1
    shown = [*terms[:_SHOWN], terms[-1]] if more > 1 else terms
    lines = [_render(term, numbers) for term in shown]
    if more > 1:
        lines.insert(_SHOWN, rf"\dots\ \text{{({more} more)}}")
    first, *others = lines
    return [first, *(line if line.startswith("-") else f"+ {line}" for line in others)]


def _render(expression: Expression, numbers: bool) -> str:
    match expression:
        case Cell():
            shown = (
                str(expression.address) if isinstance(expression, Located) else _cell(expression)
            )
            return _atom(shown, expression.value, numbers)
        case Constant(label, constant):
            return _atom(label, constant, numbers)
        case Named(label, inner):
            if isinstance(inner, Cell):
                return _render(inner, numbers)
            return _atom(label, inner.value, numbers)
        case Sum(terms):
            return " ".join(_summands(terms, numbers))
        case Product(factors):
            sign = r" \times " if numbers else r" \cdot "
            parts = [_render(factor, numbers) for factor in factors]
            return sign.join(
                rf"\left({part}\right)"
                if isinstance(factor, Sum) or (k and part.startswith("-"))
                else part
                for k, (factor, part) in enumerate(zip(factors, parts, strict=True))
            )
        case Maximum(candidates):
            listed = r", \\ ".join(_render(c, numbers) for c in candidates[:8])
            dots = r", \\ \dots" if len(candidates) > 8 else ""
            column = rf"\begin{{array}}{{l}} {listed}{dots} \end{{array}}"
            return rf"\max\left\{{ {column} \right\}}"
        case Call(function, arguments):
            parts = [_render(argument, numbers) for argument in arguments]
            if function == "divide" and len(parts) == 2:
                return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
            if function in _CALLS:
                return _CALLS[function] % ", ".join(parts)
            called = escaped(function.replace("'", "′"))
            return rf"\text{{{called}}}\left({', '.join(parts)}\right)"


def _cell(cell: Cell) -> str:
    return f"{cell.tensor}[{','.join(map(str, cell.index))}]" if cell.index else cell.tensor


def _atom(label: str, of: float, numbers: bool) -> str:
    if numbers:
        return value(of)
    return f"-{name(label[1:])}" if label.startswith("-") else name(label)

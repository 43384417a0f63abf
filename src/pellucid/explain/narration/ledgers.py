"""The account of one number, told: what it is, how it was made, from which numbers."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pellucid.explain.formula import Located, definitions, text
from pellucid.explain.ledger import Term as LedgerTerm
from pellucid.explain.narration import formulas
from pellucid.explain.narration.blocks import (
    Block,
    Formula,
    Heading,
    Matrix,
    Note,
    Paragraph,
    Story,
    Table,
    Term,
    Terms,
)
from pellucid.explain.narration.correlations import both_ways
from pellucid.explain.narration.numbers import number
from pellucid.ops._registry import operations
from pellucid.ops._terms import Named

if TYPE_CHECKING:
    from pellucid.explain.address import Address
    from pellucid.explain.ledger import Ledger

__all__ = ["NOTES", "ledger_blocks", "ledger_story", "meaning", "terms_block"]

MOST_TERMS = 8
_WIDEST_WINDOW = 12
_MOST_NUMBERS = 1_000_000
"""A network that makes more numbers is not run again and again to try a small change."""

_CHECKS = {
    "terms": "its terms, in double precision",
    "reference": "the reference engine",
    "compiled": "the compiled engine",
    "finite difference": "a small change, tried",
}
_MADE = {
    "product": "It is a product.",
    "function": "It is a function of {count}.",
    "copy": "It is another number, moved to this place.",
    "constant": "It is a constant.",
}
NOTES = {
    "winner": "wins",
    "winner, tied": "wins: the first among equals",
    "tie": "equal, but not the first",
    "loser": "loses",
}
"""What a term's note is called in a story; others are called as they are."""


def ledger_story(ledger: Ledger, most: int = MOST_TERMS) -> Story:
    """Return the story of one number.

    Args:
        ledger: Its ledger.
        most: How many terms to list, the largest in size.
    """
    story = Story(f"{ledger.address} = {number(ledger.value)}")
    story.extend(ledger_blocks(ledger, most))
    story.extend(both_ways(ledger))
    if ledger.terms:
        story.add(Heading("Is it so?"), *_verified(ledger))
    onward = _onward(ledger)
    if onward:
        story.add(Heading("Where to go from here"), *map(Paragraph, onward))
    return story


def ledger_blocks(ledger: Ledger, most: int = MOST_TERMS) -> Iterator[Block]:
    """Yield what there is to say about one number: words, formula, numbers."""
    yield Paragraph(" ".join(_sentences(ledger)))
    for note in ledger.notes:
        yield Note(note)
    if not ledger.terms:
        return
    expression = ledger.expression
    yield Formula(ledger.formula, formulas.equation(str(ledger.address), expression))
    for named in _mentioned(ledger):
        plain = f"{named.name} = {text(named.expression)} = {number(named.value)}"
        latex = formulas.equation(named.name, named.expression)
        yield Formula(plain, rf"{latex} = {formulas.value(named.value)}")
    window = window_of(ledger)
    if window is not None:
        yield window
    if len(ledger.terms) == 1:
        with_numbers = formulas.equation(str(ledger.address), expression, numbers=True)
        result = formulas.value(ledger.total)
        yield Formula(ledger.formula_with_numbers, f"{with_numbers} = {result}")
    else:
        yield terms_block(ledger, most)


def terms_block(ledger: Ledger, most: int = MOST_TERMS) -> Terms:
    """Return a ledger's terms: all in order if they are few, else the largest and the others' sum.

    Args:
        ledger: The ledger.
        most: How many terms to list; a remainder of two is listed as well.
    """
    count = len(ledger.terms)
    is_short = count <= most + 2
    chosen = list(ledger.terms) if is_short else ledger.terms.largest(most)
    if ledger.how == "sum" and not is_short:
        chosen = [term for term in chosen if term.value] or chosen[:1]
    rest = None
    if ledger.how == "sum" and count > len(chosen):
        rest = math.fsum((*ledger.terms.values, *(-term.value for term in chosen)))
    lines = tuple(
        Term(term.formula, term.formula_with_numbers, term.value, NOTES.get(term.note, term.note))
        for term in chosen
    )
    return Terms(str(ledger.address), lines, ledger.total, count, rest, ledger.how == "sum")


def meaning(operation: str) -> str:
    """Return what an operation does, in the words of its own file; "" if it has none.

    Example:
        >>> meaning("max_pool2d")
        'Max pooling: every output pixel is the largest of a window of input pixels'
    """
    found = operations().get(operation)
    if found is None:
        return ""
    module = importlib.import_module(found.__module__)
    first = (module.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(first.split()).split(". ")[0].rstrip(".")


def window_of(ledger: Ledger) -> Matrix | None:
    """Return the matrix that a number was read from, its window marked, if it is from one."""
    places = [address for term in ledger.terms[:4096] if (address := _place(term)) is not None]
    if len(places) < 2 or len({_plane(address) for address in places}) > 64:
        return None
    tensor = places[0].tensor
    shape = ledger.trace.tensors[tensor].shape
    if len(shape) != 3 or any(a.tensor != tensor for a in places):
        return None
    strongest = _place(max(ledger.terms[:4096], key=lambda term: abs(term.value))) or places[0]
    _, _, channel = strongest.index or (0, 0, 0)
    cells = [a.index for a in places if a.index and a.index[2] == channel]
    rows, columns = ([cell[axis] for cell in cells] for axis in (0, 1))
    window = slice(min(rows), max(rows) + 1), slice(min(columns), max(columns) + 1)
    if max(s.stop - s.start for s in window) > _WIDEST_WINDOW:
        return None
    whole = ledger.trace.array(_whole(strongest))
    caption = "" if shape[2] == 1 else f"channel {channel} of {shape[2]}"
    most = tuple(min(_WIDEST_WINDOW, s.stop - s.start + 2) for s in window)
    return Matrix.of(
        np.asarray(whole)[:, :, channel],
        str(_whole(strongest)),
        window=window,
        caption=caption,
        most=(max(most[0], 5), max(most[1], 7)),
    )


def _place(term: LedgerTerm) -> Address | None:
    """Return the cell of a tensor with rows and columns that a term reads first."""
    for factor in term.factors:
        if isinstance(factor.expression, Located) and factor.address is not None:
            if factor.address.index is not None and len(factor.address.index) == 3:
                return factor.address
            return None
    return None


def _plane(address: Address) -> tuple[str, int]:
    return address.tensor, (address.index or (0,))[-1]


def _whole(address: Address) -> Address:
    return replace(address, index=None)


def _sentences(ledger: Ledger) -> Iterator[str]:
    yield f"`{ledger.address}` is {number(ledger.value)}."
    address, count = ledger.address, len(ledger.terms)
    if not count:
        return
    if address.is_gradient:
        direction = "up" if ledger.value > 0 else "down"
        if ledger.value:
            yield (
                f"If `{address.plain}` grew by a little, the loss would go {direction} by "
                f"{number(abs(ledger.value), 4)} times that little."
            )
        else:
            yield f"A small change of `{address.plain}` does not change the loss."
    else:
        said = meaning(ledger.operation)
        if said:
            where = f"Layer `{ledger.layer}` made it" if ledger.layer else "It was made"
            yield f"{where} by an operation called {ledger.operation}. {_sentence(said)}."
    if ledger.how == "sum" and count > 1:
        kind = "contributions" if address.is_gradient else "terms"
        yield f"It is the sum of {count:,} {kind}."
    elif ledger.how == "maximum":
        yield f"It is the largest of {count:,} numbers."
    elif ledger.how in _MADE:
        yield _MADE[ledger.how].format(count="one number" if count == 1 else f"{count} numbers")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _verified(ledger: Ledger) -> Iterator[Block]:
    results = [t for t in ledger.trace.tensors.values() if t.kind == "result"]
    size = sum(math.prod(t.shape) * (t.samples or 1) for t in results)
    is_quick = size <= _MOST_NUMBERS
    made = ledger.verify(finite_difference=ledger.address.is_gradient and is_quick)
    yield Paragraph(
        f"The network, in single precision, recorded {number(made.value, 9)}. What other ways to "
        f"the same number come to, and how far that is off, in units of its last binary place "
        f"(ulp):"
    )
    rows = tuple(
        (
            _CHECKS.get(check.name, check.name),
            number(check.value, 9),
            f"{number(check.ulp, 3)} ulp",
            "agrees" if check.passed else "DIFFERS",
        )
        for check in made.checks
    )
    yield Table(("way", "number", "off by", ""), rows, left=frozenset({0, 3}))


def _mentioned(ledger: Ledger) -> list[Named]:
    """Return the intermediates that the formula, or another intermediate, mentions by name."""
    found = definitions(ledger.expression)
    texts = [ledger.formula, *(text(named.expression) for named in found)]
    return [named for named in found if any(named.name in one for one in texts)]


def _onward(ledger: Ledger) -> list[str]:
    chosen = ledger.terms.largest(4) if len(ledger.terms) > 4 else list(ledger.terms)
    own = str(ledger.address)
    mains = list(dict.fromkeys(str(term.main) for term in chosen if term.main is not None))
    every = dict.fromkeys(str(address) for term in chosen for address in term.addresses)
    others = [address for address in every if address not in (*mains, own)][:4]
    direction = "Towards the loss" if ledger.address.is_gradient else "Towards the input"
    lists = ((direction, [m for m in mains if m != own]), ("What they are combined with", others))
    return [f"{what}: {', '.join(f'`{a}`' for a in listed)}." for what, listed in lists if listed]

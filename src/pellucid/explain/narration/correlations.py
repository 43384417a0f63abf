"""The gradient of what a convolution reads, told both ways: as scatter and as correlation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pellucid.errors import ArgumentError
from pellucid.explain.narration.blocks import (
    Block,
    Equation,
    Heading,
    Matrix,
    Paragraph,
    Table,
)
from pellucid.explain.narration.numbers import number

if TYPE_CHECKING:
    from pellucid.explain.correlation import Correlation, Scatter
    from pellucid.explain.ledger import Ledger

__all__ = ["both_ways"]

_MOST_TERMS = 10_000
_MOST_SHARES = 12


def both_ways(ledger: Ledger) -> Iterator[Block]:
    """Yield the two ways to a convolution's input gradient; nothing for any other number."""
    if not ledger.address.is_gradient or not 1 < len(ledger.terms) <= _MOST_TERMS:
        return
    try:
        shares, seen = ledger.scatter(), ledger.correlation()
    except ArgumentError:  # it is the gradient of something else
        return
    if seen.planes[0].kernel.ndim != 2:
        return
    yield Heading("Seen both ways")
    yield from _scatter(shares)
    yield from _correlation(seen)
    yield Paragraph(
        f"They are the same products in another order: {number(shares.total, 9)} and "
        f"{number(seen.total, 9)}."
    )


def _scatter(shares: Scatter) -> Iterator[Block]:
    yield Paragraph(
        "As scatter: every output cell that read this number hands back its own gradient times "
        "the weight that it used."
    )
    rows = tuple(
        (str(list(share.place)), number(share.value, 4), number(share.running, 4))
        for share in shares.shares[:_MOST_SHARES]
    )
    left = len(shares.shares) - len(rows)
    caption = "rounded to 4 digits" + (f"; {left} more places follow" if left else "")
    yield Table(("output cells at", "hand back", "so far"), rows, caption)


def _correlation(seen: Correlation) -> Iterator[Block]:
    plane = max(seen.planes, key=lambda plane: abs(plane.total))
    turned = "turned by 180°" if seen.is_turned else "as it is"
    several = (
        f" There are {len(seen.planes)} output channels; this is the one that gives most, "
        f"{number(plane.total, 4)}."
        if len(seen.planes) > 1
        else ""
    )
    yield Paragraph(
        f"As correlation: the window of output gradients around this place, times the kernel "
        f"{turned}.{several}"
    )
    parts = (
        Matrix.of(plane.window, "gradients"),
        "×",
        Matrix.of(plane.kernel, "kernel, turned" if seen.is_turned else "kernel"),
        "=",
        Matrix.of(plane.products + 0.0, "products"),
    )
    yield Equation(parts)

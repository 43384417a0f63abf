"""Results as text: tables and bars that are legible with and without colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

    from pellucid.cli._assessment import Assessment

__all__ = ["bar", "classes_table", "mistakes_lines", "probability_lines"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_MOST_CLASSES = 40


def bar(share: float, width: int) -> str:
    """Return a bar of text, exact to an eighth of a character.

    Example:
        >>> bar(0.5, 4)
        '██'
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def probability_lines(
    shares: Any, class_names: tuple[str, ...], top: int, width: int = 30
) -> list[str]:
    """Return the `top` most probable classes, each with its probability and a bar."""
    order = np.argsort(-shares, kind="stable")[:top]
    longest = min(24, max(len(class_names[i]) for i in order))
    lines = (
        f"{class_names[i][:24]:<{longest}}  {shares[i]:7.2%}  {bar(float(shares[i]), width)}"
        for i in order
    )
    return [line.rstrip() for line in lines]


def classes_table(found: Assessment) -> Table:
    """Return each class's counts, recall, precision, and what it was most often taken for."""
    from rich.markup import escape
    from rich.table import Table

    names, matrix = found.class_names or (), found.matrix
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("class", overflow="fold", max_width=24)
    for title in ("samples", "right", "recall", "precision"):
        table.add_column(title, justify="right")
    table.add_column("most often taken for", overflow="fold")
    for index, name in enumerate(names[:_MOST_CLASSES]):
        count, right, called = matrix[index].sum(), matrix[index, index], matrix[:, index].sum()
        others = matrix[index].copy()
        others[index] = 0
        other = int(others.argmax())
        table.add_row(
            escape(name),
            f"{count:,}",
            f"{right:,}",
            f"{right / count:.1%}" if count else "–",
            f"{right / called:.1%}" if called else "–",
            f"{escape(names[other])} ({others[other]:,}×)" if others[other] else "",
        )
    if len(names) > _MOST_CLASSES:
        table.add_row("…", f"{len(names) - _MOST_CLASSES} more", "", "", "", "")
    return table


def mistakes_lines(found: Assessment, place: Callable[[int], str], most: int = 5) -> list[str]:
    """Return the worst mistakes, one in a line."""
    if not found.mistakes:
        return ["", "No mistakes."]
    names = found.class_names or ()
    return ["", "The worst mistakes"] + [
        f"  {place(m.row)}: said {names[m.predicted]} ({m.probability:.1%}), is {names[m.true]}"
        for m in found.mistakes[:most]
    ]

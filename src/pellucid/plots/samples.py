"""Pictures with what the model said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.errors import ShapeError
from pellucid.plots._style import (
    ACCENT,
    GREY,
    SECOND,
    Array,
    figure,
    grid_width,
    headline,
    place,
    row_count,
    show_image,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_mistakes", "plot_predictions"]

_CELL, _GAP, _TOP, _WORDS = 1.0, 0.28, 0.95, 0.34
_MOST_LETTERS = 12


def plot_mistakes(
    images: Sequence[npt.ArrayLike] | Array,
    true: Sequence[int],
    predicted: Sequence[int],
    probabilities: Sequence[float],
    class_names: Sequence[str] | None = None,
    *,
    columns: int = 6,
    title: str = "The worst mistakes",
) -> Figure:
    """Draw pictures that were taken for something else, in the order given.

    Args:
        images: The pictures, each (H, W, C) or (H, W).
        true: What each one is: class numbers.
        predicted: What it was taken for.
        probabilities: How sure the model was of that, from 0 to 1.
        class_names: The classes' names; their numbers by default.
        columns: Pictures in a row.
        title: The headline.

    Raises:
        ShapeError: There are not as many of the one as of the other.
        MissingPackageError: matplotlib is not installed.
    """
    _require_as_many(images, true=true, predicted=predicted, probabilities=probabilities)
    words = [
        (f"said {_name(p, class_names)}, {q:.0%}", f"is {_name(t, class_names)}", SECOND)
        for t, p, q in zip(true, predicted, probabilities, strict=True)
    ]
    subtitle = (
        "Where the model was surest of a wrong answer: what it said, how sure it was, what it is"
        if len(words)
        else "There are none."
    )
    return _drawn(images, words, columns, title, subtitle)


def plot_predictions(
    images: Sequence[npt.ArrayLike] | Array,
    probabilities: npt.ArrayLike,
    true: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    columns: int = 6,
    title: str = "What the model says",
) -> Figure:
    """Draw pictures with the most probable class of each, wrong ones in orange.

    Args:
        images: The pictures, each (H, W, C) or (H, W).
        probabilities: What the model says of them, (N, classes).
        true: What they are, if that is known.
        class_names: The classes' names; their numbers by default.
        columns: Pictures in a row.
        title: The headline.

    Raises:
        ShapeError: There are not as many of the one as of the other.
        MissingPackageError: matplotlib is not installed.
    """
    shares = np.asarray(probabilities, np.float64)
    if shares.ndim != 2:
        raise ShapeError(f"Expected probabilities (N, classes), received shape {shares.shape}.")
    _require_as_many(images, probabilities=shares, **({} if true is None else {"true": true}))
    best = shares.argmax(axis=1)
    words = []
    for index, choice in enumerate(best):
        wrong = true is not None and true[index] != choice
        words.append(
            (
                f"{_name(int(choice), class_names)}, {shares[index, choice]:.0%}",
                f"is {_name(true[index], class_names)}" if wrong and true is not None else "",
                SECOND if wrong else ACCENT,
            )
        )
    return _drawn(images, words, columns, title, "The most probable class, and its probability")


def _drawn(
    images: Sequence[npt.ArrayLike] | Array,
    words: list[tuple[str, str, str]],
    columns: int,
    title: str,
    subtitle: str,
) -> Figure:
    columns = max(1, min(columns, len(words)))
    rows = row_count(len(words), columns)
    height = _TOP + rows * (_CELL + _GAP + _WORDS) + 0.1
    with figure(max(grid_width(columns, _CELL, _GAP), 6.6), height) as fig:
        headline(fig, title, subtitle)
        for index, (first, second, colour) in enumerate(words):
            row, column = divmod(index, columns)
            axes = place(fig, column, row, _CELL, _GAP, _TOP, _WORDS)
            show_image(axes, np.asarray(images[index]))
            for line, (text, ink) in enumerate(((first, colour), (second, GREY))):
                axes.annotate(
                    text,
                    (0, 0),
                    (0, -5 - 11 * line),
                    xycoords="axes fraction",
                    textcoords="offset points",
                    size=8,
                    color=ink,
                    va="top",
                    annotation_clip=False,
                )
    return fig


def _name(number: int, class_names: Sequence[str] | None) -> str:
    name = str(number) if class_names is None else str(class_names[number])
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def _require_as_many(
    images: Sequence[npt.ArrayLike] | Array, **others: Sequence[object] | Array
) -> None:
    for name, other in others.items():
        if len(other) != len(images):
            raise ShapeError(
                f"Expected as many {name} as images; received {len(other)} and {len(images)}."
            )

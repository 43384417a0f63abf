"""The confusion matrix, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import ShapeError
from pellucid.plots._style import ACCENT, GREY, INK, SECOND, Array, figure, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_confusion_matrix"]

_MOST_NUMBERS = 30
"""With more classes than this, counts would be too small to read."""


def plot_confusion_matrix(
    matrix: npt.ArrayLike, class_names: Sequence[str] | None = None, *, title: str | None = None
) -> Figure:
    """Draw how often each class was taken for each: right in blue, wrong in orange.

    Args:
        matrix: Counts (classes, classes): rows are true classes, columns predicted ones.
        class_names: The classes' names; their numbers by default.
        title: The headline.

    Raises:
        ShapeError: The matrix is not square, or there is not one name for each class.
        MissingPackageError: matplotlib is not installed.
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"Expected a square matrix of counts, received shape {counts.shape}.")
    classes = len(counts)
    names = [str(n) for n in (range(classes) if class_names is None else class_names)]
    if len(names) != classes:
        raise ShapeError(f"Expected {classes} class names, received {len(names)}.")
    total, right = int(counts.sum()), int(np.trace(counts))
    longest = max(len(name) for name in names)
    left = 0.55 + 0.085 * min(longest, 24)
    cell = min(0.48, max(7.0 / classes, 0.12))
    side = classes * cell
    top = 1.15 + (0.06 * min(longest, 24) if longest > 3 else 0.0)
    width, height = max(left + side + 1.25, 5.0), top + side + 0.35
    with figure(width, height) as fig:
        headline(
            fig,
            title or "What was taken for what",
            f"{right:,} of {total:,} right ({right / max(total, 1):.1%}), {total - right:,} wrong",
        )
        axes = fig.add_axes((left / width, 0.35 / height, side / width, side / height))
        _draw_cells(axes, counts)
        _label(axes, names, longest)
        _draw_recall(axes, counts)
    return fig


def _draw_cells(axes: Axes, counts: Array) -> None:
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = np.where(np.eye(classes, dtype=bool), 0, shares)
    worst = max(float(wrong.max()), 1e-9)
    right_map = LinearSegmentedColormap.from_list("right", ["#fbfbfb", ACCENT])
    wrong_map = LinearSegmentedColormap.from_list("wrong", ["#fbfbfb", SECOND])
    colours = np.zeros((classes, classes, 3))
    for row in range(classes):
        for column in range(classes):
            share = float(shares[row, column])
            # Mistakes are rare: without a scale of their own none would be seen.
            map_, level = (right_map, share) if row == column else (wrong_map, 0.75 * share / worst)
            colours[row, column] = map_(level)[:3]
    axes.imshow(colours, interpolation="nearest")
    for edge in np.arange(classes + 1) - 0.5:
        axes.axhline(edge, color="white", linewidth=1)
        axes.axvline(edge, color="white", linewidth=1)
    if classes > _MOST_NUMBERS:
        return
    size = 8.5 if classes <= 12 else 6.5 if classes <= 20 else 5
    for row in range(classes):
        for column in range(classes):
            if not counts[row, column]:
                continue
            red, green, blue = colours[row, column]
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            axes.text(
                column,
                row,
                f"{int(counts[row, column]):,}",
                color="white" if dark else to_rgb(INK),
                size=size,
                ha="center",
                va="center_baseline",
            )


def _label(axes: Axes, names: Sequence[str], longest: int) -> None:
    short = [name if len(name) <= 24 else name[:23] + "…" for name in names]
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    turned: dict[str, Any] = {"rotation": 40, "ha": "left"} if longest > 3 else {}
    axes.set_xticks(range(len(names)), short, **turned)
    axes.set_yticks(range(len(names)), short)
    axes.set_xlabel("predicted", loc="left", labelpad=6)
    axes.set_ylabel("true", loc="top", labelpad=6)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_recall(axes: Axes, counts: Array) -> None:
    """Write beside each row which share of that class was recognised."""
    classes = len(counts)
    edge = classes - 0.5
    unit = 0.14 * max(classes, 6) / 6
    axes.text(edge + unit, -0.75, "recognised", size=8, color=GREY, clip_on=False)
    for row in range(classes):
        count = counts[row].sum()
        if not count:
            continue
        share = counts[row, row] / count
        axes.text(edge + unit, row, f"{share:.1%}", size=8, va="center_baseline", clip_on=False)

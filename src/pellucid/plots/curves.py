"""Training as curves, and predicted numbers against true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, ShapeError
from pellucid.plots._style import ACCENT, GREY, SECOND, figure, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_history", "plot_regression"]

_AS_SHARE = ("accuracy", "acc", "precision", "recall")


def plot_history(history: Any, *, title: str = "Training, epoch by epoch") -> Figure:
    """Draw loss and metrics over the epochs, training and validation together.

    Args:
        history: What `fit` returned, or its `history`: {name: [value, …]}.
        title: The headline.

    Raises:
        ArgumentError: The history is empty.
        MissingPackageError: matplotlib is not installed.
    """
    values: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    names = [name for name in values if not name.startswith("val_")]
    names = [name for name in names if name != "learning_rate"] or names
    if not names or not values[names[0]]:
        raise ArgumentError("Expected a history of at least one epoch; this one is empty.")
    count = len(values[names[0]])
    left, panel, between, bottom, tall = 0.8, 2.9, 2.1, 0.55, 2.05
    width = left + len(names) * (panel + between) - between + 1.35
    height = bottom + tall + 1.1
    with figure(width, height) as fig:
        last = {
            name: values[name][-1] for name in (f"val_{names[-1]}", names[-1]) if name in values
        }
        name, value = next(iter(last.items()))
        headline(
            fig,
            title,
            f"{count} epoch{'s' if count != 1 else ''}; in the end {_said(name, value)}",
        )
        for index, name in enumerate(names):
            x = left + index * (panel + between)
            axes = fig.add_axes((x / width, bottom / height, panel / width, tall / height))
            _draw_curves(axes, name, values)
    return fig


def _said(name: str, value: float) -> str:
    spoken = name.replace("val_", "validation ").replace("_", " ")
    return f"{spoken} {_shown(name, value)}"


def _shown(name: str, value: float) -> str:
    share = any(word in name for word in _AS_SHARE)
    return f"{value:.1%}" if share and 0 <= value <= 1 else f"{value:.3g}"


def _draw_curves(axes: Axes, name: str, values: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    curves = [(name, ACCENT, "training")]
    if f"val_{name}" in values:
        curves.append((f"val_{name}", SECOND, "validation"))
    ends = []
    for key, colour, label in curves:
        numbers = np.asarray(values[key], np.float64)
        epochs = np.arange(1, len(numbers) + 1)
        axes.plot(epochs, numbers, color=colour, linewidth=2, marker="o", markersize=3.5)
        ends.append((float(numbers[-1]), f"{label} {_shown(name, float(numbers[-1]))}", colour))
    axes.set_title(name.replace("_", " "), pad=8)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if any(word in name for word in _AS_SHARE):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    _label_ends(axes, ends)


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write each curve's name at its end, moved apart where two would touch."""
    low, high = axes.get_ylim()
    least = 0.085 * (high - low)
    placed: list[float] = []
    for value, text, colour in sorted(ends):
        y = max(value, placed[-1] + least) if placed else value
        placed.append(y)
        axes.annotate(
            text,
            (1.02, y),
            xycoords=("axes fraction", "data"),
            color=colour,
            size=8.5,
            va="center",
            annotation_clip=False,
        )


def plot_regression(
    true: npt.ArrayLike, predicted: npt.ArrayLike, *, name: str = "value", title: str | None = None
) -> Figure:
    """Draw predicted numbers against true ones; on the line they are equal.

    Args:
        true: The true numbers, (N,) or (N, 1).
        predicted: The predicted ones, likewise.
        name: What the numbers are.
        title: The headline.

    Raises:
        ShapeError: There are not as many of the one as of the other.
        MissingPackageError: matplotlib is not installed.
    """
    x, y = (np.asarray(numbers, np.float64).reshape(-1) for numbers in (true, predicted))
    if x.shape != y.shape or not x.size:
        raise ShapeError(
            f"Expected as many predicted as true numbers, at least one; received {len(y)} and "
            f"{len(x)}."
        )
    with figure(4.8, 4.9) as fig:
        headline(
            fig,
            title or f"{name}: predicted and true",
            f"{len(x):,} samples; off by {np.abs(x - y).mean():.3g} on average",
        )
        axes = fig.add_axes((0.15, 0.11, 0.78, 0.69))
        low, high = min(x.min(), y.min()), max(x.max(), y.max())
        margin = 0.04 * (high - low) or 1.0
        axes.plot([low, high], [low, high], color=GREY, linewidth=1)
        axes.scatter(x, y, s=14, color=ACCENT, alpha=0.5, linewidths=0)
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel(f"true {name}")
        axes.set_ylabel(f"predicted {name}")
        axes.grid()
        axes.set_axisbelow(True)
    return fig

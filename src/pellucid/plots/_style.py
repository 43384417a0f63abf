"""One look for every figure: calm, light, legible, and safe for colour-blind readers."""

from __future__ import annotations

import importlib.util
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import MissingPackageError
from pellucid.formats import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "ACCENT",
    "GREY",
    "INK",
    "SECOND",
    "Array",
    "diverging",
    "figure",
    "headline",
    "is_available",
    "row_count",
    "save",
    "scale_bar",
    "sequential",
    "show_image",
]

Array = np.ndarray[Any, Any]

INK = "#22262b"
GREY = "#6b727b"
FAINT = "#d5d9de"
ACCENT = "#0072b2"
SECOND = "#d55e00"
"""Blue and vermilion of Okabe and Ito's palette: told apart with any colour vision."""

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": GREY,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.size": 9,
    "grid.color": "#eceef1",
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelsize": 8.5,
    "xtick.major.size": 0,
    "ytick.color": GREY,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 0,
}

_MARGIN = 0.35
"""Inches left free around what is drawn."""

DPI = 144


def is_available() -> bool:
    """Tell whether matplotlib is installed, without loading it."""
    return importlib.util.find_spec("matplotlib") is not None


@contextmanager
def _styled() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingPackageError(
            'Plots need matplotlib, which is not installed: pip install "pellucid[plot]"'
        ) from error
    with matplotlib.rc_context(_STYLE):
        yield


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Give a new figure of that many inches, and Pellucid's style while it is being drawn.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    with _styled():
        from matplotlib.figure import Figure

        yield Figure(figsize=(width, height), dpi=DPI)


def headline(fig: Figure, title: str, subtitle: str = "") -> None:
    """Write what the figure shows into its upper left corner."""
    width, height = fig.get_size_inches()
    x = _MARGIN / width
    fig.text(x, 1 - 0.26 / height, title, size=12, weight="bold", va="top")
    if subtitle:
        fig.text(x, 1 - 0.53 / height, subtitle, size=9, color=GREY, va="top")


def save(fig: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())


def diverging() -> Colormap:
    """Orange below zero, white at zero, blue above it."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#7a2f00", "#d55e00", "#f4b183", "#fbfbfb", "#8fc3e6", "#0072b2", "#003a5c"]
    return LinearSegmentedColormap.from_list("pellucid_diverging", colours)


def sequential() -> Colormap:
    """White for zero, dark blue for the most."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#fbfbfb", "#cfe3f1", "#8fc3e6", "#3a93cb", "#0072b2", "#003a5c"]
    return LinearSegmentedColormap.from_list("pellucid_sequential", colours)


def row_count(count: int, columns: int) -> int:
    """Return how many rows `count` things take."""
    return math.ceil(count / columns)


def show_image(axes: Axes, image: Array) -> None:
    """Draw a picture (H, W, C) or (H, W) with 1, 3 or 4 channels, without any axes around it.

    Numbers from 0 to 1 or from 0 to 255 are shown as they are, others from the least to the most.
    """
    pixels = np.asarray(image, np.float32)
    if pixels.ndim == 3 and pixels.shape[-1] not in (3, 4):
        pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels.mean(axis=-1)
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    shown = np.clip((pixels - low) / ((high - low) or 1.0), 0, 1)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    bare(axes)


def bare(axes: Axes) -> None:
    """Take away ticks and leave a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)
        spine.set_linewidth(0.6)


def scale_bar(fig: Figure, mappable: Any, below: float, label: str) -> None:
    """Draw the colours' scale, `below` inches above the figure's lower edge, from the left."""
    width, height = fig.get_size_inches()
    axes = fig.add_axes((_MARGIN / width, below / height, 2.4 / width, 0.11 / height))
    bar = fig.colorbar(mappable, cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    low, high = mappable.get_clim()
    ticks = [low, 0.0, high] if low < 0 < high else [low, high]
    bar.set_ticks(ticks, labels=[f"{tick:.2g}".replace("-", "−") for tick in ticks])
    bar.ax.tick_params(labelsize=8, length=0, pad=3)
    labels = bar.ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    fig.text(
        (_MARGIN + 2.4 + 0.2) / width,
        (below + 0.055) / height,
        label,
        size=8.5,
        color=GREY,
        va="center",
    )


def place(
    fig: Figure, column: int, row: int, cell: float, gap: float, top: float, extra: float = 0.0
) -> Axes:
    """Return axes of `cell` × `cell` inches in a grid that begins `top` inches from above.

    Args:
        fig: The figure.
        column: Which column, from 0.
        row: Which row, from 0.
        cell: The side of a square.
        gap: Inches between two squares.
        top: Inches above the first row.
        extra: Inches for words below each row.
    """
    width, height = fig.get_size_inches()
    left = _MARGIN + column * (cell + gap)
    bottom = height - top - row * (cell + gap + extra) - cell
    return fig.add_axes((left / width, bottom / height, cell / width, cell / height))


def grid_width(columns: int, cell: float, gap: float) -> float:
    """Return how many inches a grid takes, with the margins."""
    return 2 * _MARGIN + columns * cell + (columns - 1) * gap

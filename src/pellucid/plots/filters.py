"""What a convolution has learned, and what it makes of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError, NotBuiltError, ShapeError
from pellucid.layers import Conv2D, Conv2DTranspose, DepthwiseConv2D, Layer
from pellucid.models import Model
from pellucid.plots._style import (
    Array,
    bare,
    diverging,
    figure,
    grid_width,
    headline,
    place,
    row_count,
    scale_bar,
    sequential,
    show_image,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "convolutions",
    "feature_maps",
    "find_layer",
    "kernel_of",
    "plot_feature_maps",
    "plot_filters",
]

_CONVOLUTIONS = (Conv2D, Conv2DTranspose, DepthwiseConv2D)
_MOST = 128
"""More filters or maps than this are not drawn: nobody could look at them."""


def convolutions(model: Model) -> list[Layer]:
    """Return the model's convolutions, those of models inside it included, in order."""
    found: list[Layer] = []
    for layer in model.layers:
        if isinstance(layer, Model):
            found += convolutions(layer)
        elif isinstance(layer, _CONVOLUTIONS):
            found.append(layer)
    return found


def find_layer(model: Model, layer: str | Layer | None) -> Layer:
    """Return a layer by its name, or the first convolution.

    Raises:
        NameLookupError: There is no layer of that name.
        ArgumentError: The model has no convolution.
    """
    if isinstance(layer, Layer):
        return layer
    found = convolutions(model)
    if layer is not None:
        inner = [one for one in found if one.name == layer]
        return inner[0] if inner else model.get_layer(layer)
    if not found:
        names = ", ".join(one.name for one in model.layers)
        raise ArgumentError(f"{model.name} has no convolution. Its layers are {names}.")
    return found[0]


def plot_filters(
    model: Model | Array,
    layer: str | Layer | None = None,
    *,
    channel: int | None = None,
    columns: int = 8,
    title: str | None = None,
) -> Figure:
    """Draw the filters of a convolution as a grid, all on one scale: orange −, white 0, blue +.

    Args:
        model: A model, or a kernel (H, W, channels, filters) itself.
        layer: Which convolution, by name; the first by default.
        channel: Which of the channels that a filter reads; the mean over all by default.
        columns: Filters in a row.
        title: The headline; by default it says what is shown.

    Raises:
        ArgumentError: The layer has no filters, or no such channel.
        MissingPackageError: matplotlib is not installed.
    """
    kernel, name = kernel_of(model, layer)
    height, width, channels, count = kernel.shape
    if channel is not None and not 0 <= channel < channels:
        raise ArgumentError(f"Expected a channel from 0 to {channels - 1}, received {channel}.")
    shown = kernel.mean(axis=2) if channel is None else kernel[:, :, channel]
    drawn = min(count, _MOST)
    limit = float(np.abs(shown[..., :drawn]).max()) or 1.0
    columns = min(columns, drawn)
    cell, gap, top, extra = 0.92, 0.12, 0.92, 0.16
    rows = row_count(drawn, columns)
    total = top + rows * (cell + gap + extra) + 0.5
    with figure(max(grid_width(columns, cell, gap), 5.2), total) as fig:
        of = "" if channels == 1 else f" × {channels}"
        headline(
            fig,
            title or f"{'What' if not name else name + ': what'} the {count} filters look for",
            f"{height} × {width}{of} weights each"
            + ("" if drawn == count else f"; the first {drawn}")
            + (
                ""
                if channels == 1
                else f"; the mean over the {channels} channels"
                if channel is None
                else f"; channel {channel}"
            ),
        )
        image: Any = None
        for index in range(drawn):
            row, column = divmod(index, columns)
            axes = place(fig, column, row, cell, gap, top, extra)
            image = axes.imshow(
                shown[..., index], cmap=diverging(), vmin=-limit, vmax=limit, aspect="auto"
            )
            bare(axes)
            axes.set_xlabel(str(index), labelpad=2, size=7.5)
        scale_bar(fig, image, 0.34, "weight")
    return fig


def kernel_of(model: Model | Array, layer: str | Layer | None) -> tuple[Array, str]:
    """Return a convolution's kernel as (H, W, channels, filters), and the layer's name."""
    if not isinstance(model, Model):
        kernel = np.asarray(model, np.float32)
        if kernel.ndim != 4:
            raise ShapeError(
                f"Expected a kernel of shape (H, W, channels, filters), received {kernel.shape}."
            )
        return kernel, ""
    chosen = find_layer(model, layer)
    if not isinstance(chosen, _CONVOLUTIONS):
        known = ", ".join(one.name for one in convolutions(model)) or "none"
        raise ArgumentError(
            f"{chosen.name} has no filters: it is no convolution. Convolutions: {known}."
        )
    if not chosen.built:
        raise NotBuiltError(f"{chosen.name} has no filters yet: build the model first.")
    kernel = chosen.get_weights()[0]
    if isinstance(chosen, DepthwiseConv2D):  # (H, W, channels, multiplier): each filter reads one
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    elif isinstance(chosen, Conv2DTranspose):  # (H, W, filters, channels)
        kernel = kernel.swapaxes(2, 3)
    return kernel, chosen.name


def feature_maps(model: Model, image: Array, layer: str | Layer | None = None) -> Array:
    """Return what a layer makes of one picture: (H, W, maps).

    Args:
        model: The model.
        image: A picture as the model takes it, (H, W, C) or (1, H, W, C).
        layer: Which layer, by name; the first convolution by default.

    Raises:
        ShapeError: The picture does not fit, or the layer makes no maps.
    """
    chosen = find_layer(model, layer)
    batch = np.asarray(image)
    if batch.ndim == len(model.input_shape) - 1:
        batch = batch[None]
    if len(batch) != 1:
        raise ShapeError(f"Expected one picture, received {len(batch)}.")
    made = Model(model.input, chosen.output).predict(batch, verbose=0)
    if made.ndim != 4:
        raise ShapeError(
            f"{chosen.name} makes no feature maps (H, W, maps) but {made.shape[1:]} numbers. "
            f"Choose a layer before the first Flatten."
        )
    maps: Array = made[0]
    return maps


def plot_feature_maps(
    model: Model,
    image: Array,
    layer: str | Layer | None = None,
    *,
    columns: int = 8,
    title: str | None = None,
) -> Figure:
    """Draw what a layer makes of one picture, map by map, all on one scale.

    Args:
        model: The model.
        image: A picture as the model takes it, (H, W, C) or (1, H, W, C).
        layer: Which layer, by name; the first convolution by default.
        columns: Maps in a row.
        title: The headline; by default it says what is shown.

    Raises:
        ShapeError: The picture does not fit, or the layer makes no maps.
        MissingPackageError: matplotlib is not installed.
    """
    chosen = find_layer(model, layer)
    maps = feature_maps(model, image, chosen)
    height, width, count = maps.shape
    drawn = min(count, _MOST)
    low, high = float(maps[..., :drawn].min()), float(maps[..., :drawn].max())
    signed = low < 0
    limit = max(abs(low), abs(high)) or 1.0
    columns = min(columns, drawn)
    cell, gap, top, extra = 0.92, 0.12, 0.92, 0.16
    rows = row_count(drawn, columns)
    total = top + rows * (cell + gap + extra) + 0.5
    picture = np.asarray(image)
    picture = picture[0] if picture.ndim == 4 else picture
    # The picture itself stands at the left, a column of its own.
    offset = 2
    with figure(grid_width(columns + offset, cell, gap), total) as fig:
        headline(
            fig,
            title or f"{chosen.name}: what its {count} filters see in this picture",
            f"{height} × {width} each" + ("" if drawn == count else f"; the first {drawn}"),
        )
        source = place(fig, 0, 0, 1.7, gap, top)
        show_image(source, picture)
        source.set_xlabel("the picture", labelpad=3, size=8)
        shown: Any = None
        for index in range(drawn):
            row, column = divmod(index, columns)
            axes = place(fig, column + offset, row, cell, gap, top, extra)
            shown = axes.imshow(
                maps[..., index],
                cmap=diverging() if signed else sequential(),
                vmin=-limit if signed else 0,
                vmax=limit,
                interpolation="nearest",
            )
            bare(axes)
            axes.set_xlabel(str(index), labelpad=2, size=7.5)
        scale_bar(fig, shown, 0.34, "activation")
    return fig

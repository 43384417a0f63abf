"""Resizing as Keras has it: stretched, or cropped or padded to the right proportions first."""

from __future__ import annotations

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import Operation, Shape
from pellucid.ops._window import Pair
from pellucid.ops.cropping2d import Cropping2D
from pellucid.ops.pad import Pad
from pellucid.ops.resize import Resize

__all__ = ["resizing"]


def resizing(
    name: str,
    shape: Shape,
    size: Pair,
    interpolation: str,
    antialias: bool,
    crop_to_aspect_ratio: bool,
    pad_to_aspect_ratio: bool,
    fill_mode: str,
    fill_value: float,
) -> list[Operation]:
    """Return the operations, one after the other, that bring images (N, H, W, C) to `size`.

    Args:
        name: Who asks, for the messages.
        shape: The images' shape.
        size: The output's height and width.
        interpolation: As of `Resize`.
        antialias: As of `Resize`.
        crop_to_aspect_ratio: Whether to cut off, on both sides, what does not fit the proportions.
        pad_to_aspect_ratio: Whether to add, on both sides, what lacks in the proportions.
        fill_mode: "constant", the only one.
        fill_value: What is added.

    Raises:
        ArgumentError: Both ways to keep the proportions are wanted, or another `fill_mode`.
        ShapeError: The proportions of the images are not known.
    """
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError(
            f"{name}: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True."
        )
    if fill_mode != "constant":
        raise ArgumentError(f"{name}: fill_mode must be 'constant', received {fill_mode!r}.")
    stretch = Resize(size, None, interpolation, antialias=antialias)
    if not (crop_to_aspect_ratio or pad_to_aspect_ratio):
        return [stretch]
    if len(shape) != 4 or shape[1] is None or shape[2] is None:
        raise ShapeError(
            f"{name}: images (N, H, W, C) of known height and width are needed to keep their "
            f"proportions, received shape {shape}."
        )
    height, width = shape[1], shape[2]
    # The height that the width asks for, and the width that the height asks for.
    fitting = int(width * size[0] / size[1]), int(height * size[1] / size[0])
    if crop_to_aspect_ratio:
        left = [max(min(a, b), 1) for a, b in zip((height, width), fitting, strict=True)]
        cut = [(a - b, (a - b) // 2) for a, b in zip((height, width), left, strict=True)]
        (rows, top), (columns, first) = cut
        return [Cropping2D(((top, rows - top), (first, columns - first))), stretch]
    top, first = (max(b - a, 0) // 2 for a, b in zip((height, width), fitting, strict=True))
    return [Pad(((top, top), (first, first), (0, 0)), "constant", fill_value), stretch]

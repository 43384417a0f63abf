"""The attributes that convolutions and poolings share: windows, strides, dilations, padding."""

from __future__ import annotations

from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._builder import Call
from pellucid.formats.onnx._layout import Tensor
from pellucid.ops._window import Padding, Pair, Windows

__all__ = ["NO_ZEROS", "explicit_pads", "image_size", "pair", "window_padding"]

NO_ZEROS = ((0, 0), (0, 0))


def pair(call: Call, name: str, default: Pair | None) -> Pair:
    """Return an attribute of two numbers, (height, width)."""
    found = call.attributes.wholes(name, None)
    if found is None:
        if default is None:
            raise UnsupportedError(f"its attribute {name} is missing")
        return default
    if len(found) != 2:
        raise UnsupportedError(
            f"{name}={found} is of {len(found)} dimensions; only images, of two, are supported"
        )
    return found[0], found[1]


def image_size(images: Tensor) -> tuple[int, int]:
    """Return the height and width of images that lie as they do here."""
    height, width = images.keras.shape[1:3]
    if height is None or width is None:
        raise UnsupportedError("the height and width of its input are not known")
    return height, width


def explicit_pads(call: Call) -> tuple[Pair, Pair]:
    """Return the attribute `pads`, which is (top, left, bottom, right)."""
    pads = call.attributes.wholes("pads", [0, 0, 0, 0])
    if len(pads) != 4:
        raise UnsupportedError(
            f"pads={pads} is not of two dimensions; only images, of two, are supported"
        )
    return (pads[0], pads[2]), (pads[1], pads[3])


def window_padding(
    call: Call, size: Pair, window: Pair, strides: Pair, dilation: Pair, more: tuple[Pair, Pair]
) -> Padding:
    """Return the padding of a window: "valid", "same", or the number of cells on each side.

    Args:
        call: The node.
        size: The image's height and width.
        window: The window's.
        strides: How far it moves.
        dilation: The distance between its taps.
        more: Zeros that a node before it puts around the image.
    """
    way = call.attributes.text("auto_pad", "NOTSET")
    pads = explicit_pads(call)
    if way not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"auto_pad={way!r} is not known")
    if way == "VALID":
        pads = NO_ZEROS
    like = Windows.over(call.node.operator, size, window, strides, "same", dilation).padding
    if way == "SAME_UPPER":
        pads = like
    elif way == "SAME_LOWER":
        (top, bottom), (left, right) = like
        pads = ((bottom, top), (right, left))
    (top, bottom), (left, right) = pads
    (above, below), (before, after) = more
    pads = ((top + above, bottom + below), (left + before, right + after))
    if pads == NO_ZEROS:
        return "valid"
    return "same" if pads == like else pads

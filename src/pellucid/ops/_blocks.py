"""Blocks of pixels and runs of channels: the one rearrangement of depth to space and back."""

from __future__ import annotations

from typing import Any

from pellucid.errors import ArgumentError
from pellucid.ops._operation import Array

__all__ = ["check_blocks", "depth_place", "space_place", "to_depth", "to_space"]

MODES = ("DCR", "CRD")


def check_blocks(op: str, block_size: Any, mode: Any) -> None:
    """Raise ArgumentError unless these are a whole number and one of the two orders."""
    if not isinstance(block_size, int) or block_size < 1:
        raise ArgumentError(
            f"{op}: block_size must be a whole number of at least 1, received {block_size!r}."
        )
    if mode not in MODES:
        raise ArgumentError(f"{op}: mode must be 'DCR' or 'CRD', received {mode!r}.")


def to_space(x: Array, b: int, mode: str) -> Array:
    """(N, H, W, b·b·C) → (N, H·b, W·b, C)."""
    n, h, w, channels = x.shape
    c = channels // (b * b)
    if mode == "DCR":
        blocks = x.reshape(n, h, w, b, b, c).transpose(0, 1, 3, 2, 4, 5)
    else:
        blocks = x.reshape(n, h, w, c, b, b).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, h * b, w * b, c)


def to_depth(x: Array, b: int, mode: str) -> Array:
    """(N, H·b, W·b, C) → (N, H, W, b·b·C): undoes `to_space`."""
    n, height, width, c = x.shape
    blocks = x.reshape(n, height // b, b, width // b, b, c)
    order = (0, 1, 3, 2, 4, 5) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return blocks.transpose(order).reshape(n, height // b, width // b, b * b * c)


def depth_place(cell: tuple[int, ...], b: int, c: int, mode: str) -> tuple[int, ...]:
    """Return where a pixel of the large image with c channels is among the runs of channels."""
    n, i, j, k = cell
    inside = i % b * b + j % b
    return n, i // b, j // b, inside * c + k if mode == "DCR" else k * b * b + inside


def space_place(cell: tuple[int, ...], b: int, c: int, mode: str) -> tuple[int, ...]:
    """Return where a number of the deep image is in the large one: undoes `depth_place`."""
    n, i, j, k = cell
    inside, channel = divmod(k, c) if mode == "DCR" else reversed(divmod(k, b * b))
    return n, i * b + inside // b, j * b + inside % b, channel

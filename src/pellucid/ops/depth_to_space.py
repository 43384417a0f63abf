"""Depth to space: the channels of every pixel laid out as a block of pixels.

    DCR:  y[n, h·b + p, w·b + q, c] = x[n, h, w, (p·b + q)·C + c]
    CRD:  y[n, h·b + p, w·b + q, c] = x[n, h, w, c·b·b + p·b + q]

for a block of b × b pixels: a run of channels for each pixel of the block (DCR: depth, column,
row), or a run of the block's pixels for each channel (CRD: column, row, depth).

| tensor | shape            |
|--------|------------------|
| x      | (N, H, W, b·b·C) |
| y      | (N, H·b, W·b, C) |

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network", CVPR, 2016; DCR is TensorFlow's and Keras' order, CRD PyTorch's
(PixelShuffle), both are ONNX'.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._blocks import check_blocks, depth_place, space_place, to_depth, to_space
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Expression, cell_of


@dataclass(frozen=True)
class DepthToSpace(Operation):
    """Depth to space; the module's docstring has the formula.

    Attributes:
        block_size: b, the height and width of a block.
        mode: 'DCR' or 'CRD'.
    """

    block_size: int
    mode: str = "DCR"

    name: ClassVar[str] = "depth_to_space"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_blocks(self.name, self.block_size, self.mode)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, H·b, W·b, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        n, height, width, channels = x
        b = self.block_size
        if channels is None or channels % (b * b):
            raise ShapeError(
                f"{self.name}: expected a number of channels that blocks of {b}×{b} divide, "
                f"received shape {x}."
            )
        sizes = (None if size is None else size * b for size in (height, width))
        return (n, *sizes, channels // (b * b))

    def forward(self, x: Array) -> Array:
        """Lay out the channels."""
        return to_space(x, self.block_size, self.mode)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Put the gradients of a block back into its pixel's channels."""
        return (to_depth(dy, self.block_size, self.mode),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The number that came here."""
        b = self.block_size
        return cell_of("x", x, depth_place(cell, b, x.shape[3] // (b * b), self.mode))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient where the number went."""
        return cell_of("dy", dy, space_place(cell, self.block_size, dy.shape[3], self.mode))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both orders; blocks of several sizes; one channel and more."""
        for mode in ("DCR", "CRD"):
            yield Case(cls(2, mode), ((2, 3, 2, 12),))
            yield Case(cls(3, mode), ((1, 1, 2, 9),))
        yield Case(cls(1), ((2, 2, 3, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(0), ArgumentError, "block_size")
        yield Invalid(lambda: cls(2, "RCD"), ArgumentError, "'CRD'")
        yield Invalid(lambda: cls(2).output_shape((1, 3, 4)), ShapeError, "4 axes")
        yield Invalid(lambda: cls(2).output_shape((1, 3, 3, 6)), ShapeError, "channels")

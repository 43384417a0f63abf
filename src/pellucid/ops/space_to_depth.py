"""Space to depth: every block of pixels laid out as the channels of one pixel.

    DCR:  y[n, h, w, (p·b + q)·C + c] = x[n, h·b + p, w·b + q, c]
    CRD:  y[n, h, w, c·b·b + p·b + q] = x[n, h·b + p, w·b + q, c]

for a block of b × b pixels: it undoes `depth_to_space` of the same block and order.

| tensor | shape            |
|--------|------------------|
| x      | (N, H·b, W·b, C) |
| y      | (N, H, W, b·b·C) |

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network", CVPR, 2016; DCR is the order of TensorFlow, Keras and ONNX, CRD
PyTorch's (PixelUnshuffle).
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
class SpaceToDepth(Operation):
    """Space to depth; the module's docstring has the formula.

    Attributes:
        block_size: b, the height and width of a block.
        mode: 'DCR' or 'CRD'.
    """

    block_size: int
    mode: str = "DCR"

    name: ClassVar[str] = "space_to_depth"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        check_blocks(self.name, self.block_size, self.mode)

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, H, W, b·b·C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        b = self.block_size
        if any(size is not None and size % b for size in x[1:3]) or x[3] is None:
            raise ShapeError(
                f"{self.name}: expected a height and width that blocks of {b}×{b} divide, and a "
                f"known number of channels, received shape {x}."
            )
        sizes = (None if size is None else size // b for size in x[1:3])
        return (x[0], *sizes, b * b * x[3])

    def forward(self, x: Array) -> Array:
        """Lay out the blocks."""
        return to_depth(x, self.block_size, self.mode)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Put the gradients of a pixel's channels back into its block."""
        return (to_space(dy, self.block_size, self.mode),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The number that came here."""
        return cell_of("x", x, space_place(cell, self.block_size, x.shape[3], self.mode))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient where the number went."""
        return cell_of("dy", dy, depth_place(cell, self.block_size, x.shape[3], self.mode))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both orders; blocks of several sizes; one channel and more."""
        for mode in ("DCR", "CRD"):
            yield Case(cls(2, mode), ((2, 4, 6, 3),))
            yield Case(cls(3, mode), ((1, 3, 6, 1),))
        yield Case(cls(1), ((2, 2, 3, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(0), ArgumentError, "block_size")
        yield Invalid(lambda: cls(2, "RCD"), ArgumentError, "'CRD'")
        yield Invalid(lambda: cls(2).output_shape((1, 4, 4)), ShapeError, "4 axes")
        yield Invalid(lambda: cls(2).output_shape((1, 4, 5, 1)), ShapeError, "divide")

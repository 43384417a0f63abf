"""One-dimensional convolution: a kernel slid along rows of vectors.

    y[n, i, o] = bias[o] + Σ_k Σ_c x[n, i·stride − before + k·dilation, c] · kernel[k, c, o]

It is the two-dimensional convolution of images that are one pixel wide (`conv2d.py`, where groups,
paddings and the gradients are explained), and is computed as that.

| tensor | shape              |
|--------|--------------------|
| x      | (N, L, C)          |
| kernel | (K, C / groups, O) |
| bias   | (O,)               |
| y      | (N, OL, O)         |

Source: as for two dimensions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Column, Expression, Sum, Table
from pellucid.ops._window import Padding, Pair
from pellucid.ops.conv2d import Conv2D

_WIDTH = {"x": 2, "y": 2, "dy": 2, "kernel": 1}
"""Which axis of the images is one pixel wide."""


@dataclass(frozen=True)
class Conv1D(Operation):
    """One-dimensional convolution; the module's docstring has the formula.

    Attributes:
        stride: How far the window moves.
        padding: 'valid', 'same' or (before, after).
        dilation_rate: The distance between the window's taps.
        groups: The number of runs that the channels are split into.
    """

    stride: int = 1
    padding: str | Pair = "valid"
    dilation_rate: int = 1
    groups: int = 1

    name: ClassVar[str] = "conv1d"
    inputs: ClassVar[tuple[str, ...]] = ("x", "kernel", "bias")
    optional: ClassVar[frozenset[str]] = frozenset({"bias"})

    def __post_init__(self) -> None:
        _ = self.of_images

    @cached_property
    def of_images(self) -> Conv2D:
        """The convolution of images one pixel wide that does the same."""
        around: Padding = self.padding if isinstance(self.padding, str) else (self.padding, (0, 0))
        return Conv2D((self.stride, 1), around, (self.dilation_rate, 1), self.groups)

    def output_shape(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> Shape:
        """Return (N, OL, O)."""
        require_rank(self, "x", x, 3, "(N, L, C)")
        require_rank(self, "kernel", kernel, 3, "(K, C / groups, O)")
        made = self.of_images.output_shape((*x[:2], 1, x[2]), (kernel[0], 1, *kernel[1:]), bias)
        return (*made[:2], made[3])

    def forward(self, x: Array, kernel: Array, bias: Array | None = None) -> Array:
        """Multiply every window by the kernel."""
        return self.of_images.forward(*_images(x, kernel), bias)[:, :, 0]

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        kernel: Array,
        bias: Array | None = None,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x, kernel and bias, as of images one pixel wide."""
        dx, dkernel, dbias = self.of_images.backward(
            dy[:, :, None], y[:, :, None], *_images(x, kernel), bias, wrt=wrt
        )
        return (
            None if dx is None else dx[:, :, 0],
            None if dkernel is None else dkernel[:, 0],
            dbias,
        )

    def terms(
        self, cell: tuple[int, ...], x: Array, kernel: Array, bias: Array | None = None
    ) -> Expression:
        """The products of one window, tap by tap, and the bias."""
        wide = (cell[0], cell[1], 0, cell[2])
        found = self.of_images.terms(wide, *_images(x, kernel), bias)
        return _narrow(found, {"x": x, "kernel": kernel})

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        x: Array,
        kernel: Array,
        bias: Array | None = None,
    ) -> Expression:
        """For x: each output that read the number; for a weight: each place where it was used."""
        wide = cell if wrt == "bias" else (*cell[: _WIDTH[wrt]], 0, *cell[_WIDTH[wrt] :])
        found = self.of_images.gradient_terms(
            wrt, wide, dy[:, :, None], y[:, :, None], *_images(x, kernel), bias
        )
        return _narrow(found, {"x": x, "kernel": kernel, "dy": dy})

    def multiply_adds(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> int:
        """N · OL · O · K · C / groups."""
        return self.of_images.multiply_adds((*x[:2], 1, x[2]), (kernel[0], 1, *kernel[1:]), bias)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Strides, paddings, dilations, groups, with and without bias."""
        yield Case(cls(), ((2, 6, 3), (3, 3, 4), (4,)))
        yield Case(cls(padding="same"), ((1, 5, 1), (2, 1, 2), None))
        yield Case(cls(stride=2, padding="same"), ((2, 8, 2), (3, 2, 3), (3,)))
        yield Case(cls(stride=2, padding=(3, 1)), ((1, 5, 2), (2, 2, 2), None))
        yield Case(cls(dilation_rate=3, padding=(6, 0)), ((2, 9, 2), (3, 2, 2), (2,)))
        yield Case(cls(groups=2), ((2, 5, 4), (2, 2, 6), (6,)))
        yield Case(cls(), ((1, 4, 2), (4, 2, 1), (1,)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(stride=0), ArgumentError, "strides")
        yield Invalid(lambda: cls(padding="causal"), ArgumentError, "'valid', 'same'")
        yield Invalid(lambda: cls().output_shape((1, 5, 5, 1), (3, 1, 1)), ShapeError, "3 axes")
        yield Invalid(lambda: cls().output_shape((1, 5, 2), (3, 1, 1)), ShapeError, "channels")
        yield Invalid(lambda: cls().output_shape((1, 5, 1), (3, 1, 2), (3,)), ShapeError, "bias")


def _images(x: Array, kernel: Array) -> tuple[Array, Array]:
    return x[:, :, None], kernel[:, None]


def _narrow(account: Expression, arrays: dict[str, Array]) -> Expression:
    """The account without the axis of one pixel."""
    assert isinstance(account, Sum)
    assert isinstance(account.terms, Table)
    columns = []
    for column in account.terms.columns:
        width = _WIDTH[column.tensor]
        index = tuple(i for axis, i in enumerate(column.index) if axis != width)
        columns.append(Column(column.tensor, arrays[column.tensor], index))
    return Sum(Table(account.terms.rows, *columns, tail=account.terms.tail))

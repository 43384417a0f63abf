"""Depthwise convolution: every channel is convolved with kernels of its own, M of them.

    y[n, i, j, c·M + m] = bias[c·M + m]
                        + Σ_ky Σ_kx  x[n, i·s + ky·d − p, j·s + kx·d − p, c] · kernel[ky, kx, c, m]

with stride s, dilation d and padding p along each axis; outside the image x is 0. M is called the
depth multiplier. No channel reads another: a pointwise convolution usually follows, to mix them.

| tensor | shape                     |
|--------|---------------------------|
| x      | (N, H, W, C)              |
| kernel | (KH, KW, C, M)            |
| bias   | (C · M,), may be left out |
| y      | (N, OH, OW, C · M)        |

Source: Sifre and Mallat, "Rotation, Scaling and Deformation Invariant Scattering for Texture
Discrimination", CVPR, 2013; Chollet, "Xception: Deep Learning with Depthwise Separable
Convolutions", CVPR, 2017. The layout and 'same' padding are TensorFlow's.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    known,
    require_rank,
)
from pellucid.ops._terms import Column, Constant, Expression, Product, Sum, Table, cell_of
from pellucid.ops._window import (
    Padding,
    Pair,
    Windows,
    check_padding,
    check_pair,
    output_sizes,
)


@dataclass(frozen=True)
class DepthwiseConv2D(Operation):
    """Depthwise convolution; the module's docstring has the formula.

    Attributes:
        strides: How far the window moves, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)).
        dilation_rate: The distance between the window's taps, (down, right).
    """

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Pair = (1, 1)

    name: ClassVar[str] = "depthwise_conv2d"
    inputs: ClassVar[tuple[str, ...]] = ("x", "kernel", "bias")
    optional: ClassVar[frozenset[str]] = frozenset({"bias"})

    def __post_init__(self) -> None:
        check_pair(self.name, "strides", self.strides)
        check_padding(self.name, self.padding)
        check_pair(self.name, "dilation_rate", self.dilation_rate)

    def output_shape(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> Shape:
        """Return (N, OH, OW, C · M)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        require_rank(self, "kernel", kernel, 4, "(KH, KW, C, M)")
        channels, multiplier = known(kernel[2:])
        if x[3] != channels:
            raise ShapeError(
                f"{self.name}: x has {x[3]} channels, but a kernel of shape {kernel} reads "
                f"{channels}."
            )
        filters = channels * multiplier
        if bias is not None and bias != (filters,):
            raise ShapeError(
                f"{self.name}: expected a bias of shape ({filters},), received {bias}."
            )
        return (x[0], *output_sizes(x, lambda x: self._windows(x, kernel).output), filters)

    def forward(self, x: Array, kernel: Array, bias: Array | None = None) -> Array:
        """Add up, tap after tap, what the tap meets times its weight."""
        windows = self._windows(x.shape, kernel.shape)
        padded = _repeat(windows.pad(x), kernel)
        weights = kernel.reshape(*kernel.shape[:2], -1)
        y = np.zeros((len(x), *windows.output, weights.shape[2]), x.dtype)
        for ky, kx, place in windows.taps():
            y += padded[place] * weights[ky, kx]
        if bias is not None:
            y += bias
        return y

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
        """Return the gradients of x, kernel and bias.

        dx      = every dy[n, i, j, c·M + m] handed back to its window, times kernel[…, c, m]
        dkernel = Σ_{n,i,j} what the tap meets in window (n, i, j) · dy[n, i, j, c·M + m]
        dbias   = Σ_{n,i,j} dy[n, i, j, c·M + m]
        """
        dx = dkernel = dbias = None
        windows = self._windows(x.shape, kernel.shape)
        weights = kernel.reshape(*kernel.shape[:2], -1)
        if "x" in wrt:
            padded_dx = windows.zeros(len(x), weights.shape[2], dy.dtype)
            for ky, kx, place in windows.taps():
                padded_dx[place] += dy * weights[ky, kx]
            repeated_dx = windows.crop(padded_dx)
            multiplier = kernel.shape[3]
            dx = reduce(np.add, [repeated_dx[..., m::multiplier] for m in range(multiplier)])
        if "kernel" in wrt:
            padded = _repeat(windows.pad(x), kernel)
            dkernel = np.empty(kernel.shape, dy.dtype)
            for ky, kx, place in windows.taps():
                by_sample = np.einsum("nijo,nijo->no", padded[place], dy)
                dkernel[ky, kx] = by_sample.sum(axis=0).reshape(kernel.shape[2:])
        if bias is not None and "bias" in wrt:
            dbias = dy.sum(axis=(0, 1, 2))
        return dx, dkernel, dbias

    def terms(
        self, cell: tuple[int, ...], x: Array, kernel: Array, bias: Array | None = None
    ) -> Expression:
        """The products of one window of one channel, row by row, and the bias."""
        n, i, j, o = cell
        c, m = divmod(o, kernel.shape[3])
        windows = self._windows(x.shape, kernel.shape)
        products: list[Expression] = []
        for ky, row in windows.rows.taps(i):
            for kx, column in windows.columns.taps(j):
                pixel: Expression = Constant("padding", 0.0)
                if row is not None and column is not None:
                    pixel = cell_of("x", x, (n, row, column, c))
                products.append(Product((pixel, cell_of("kernel", kernel, (ky, kx, c, m)))))
        if bias is not None:
            products.append(cell_of("bias", bias, (o,)))
        return Sum(products)

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
        """For x: each output that read the pixel; for a weight: each place where it was used."""
        n, i, j = np.indices(dy.shape[:3]).reshape(3, -1)
        if wrt == "bias":
            return Sum(Table(len(n), Column("dy", dy, (n, i, j, cell[0]))))
        windows = self._windows(x.shape, kernel.shape)
        multiplier = kernel.shape[3]
        if wrt == "x":
            sample, row, column, c = cell
            products: list[Expression] = []
            for place, ky in windows.rows.positions(row):
                for across, kx in windows.columns.positions(column):
                    for m in range(multiplier):
                        weight = cell_of("kernel", kernel, (ky, kx, c, m))
                        o = c * multiplier + m
                        products.append(
                            Product((cell_of("dy", dy, (sample, place, across, o)), weight))
                        )
            return Sum(products)
        ky, kx, c, m = cell
        met = windows.rows.met_by(ky)[i], windows.columns.met_by(kx)[j]
        above = Column("dy", dy, (n, i, j, c * multiplier + m))
        return Sum(Table(len(n), above, Column("x", x, (n, *met, c))))

    def multiply_adds(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> int:
        """N · OH · OW · C · M · KH · KW."""
        return math.prod((*known(self.output_shape(x, kernel)), *known(kernel[:2])))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Strides, paddings, dilations, multipliers, odd and non-square sizes."""
        yield Case(cls(), ((2, 5, 6, 3), (3, 3, 3, 1), (3,)))
        yield Case(cls(padding="same"), ((1, 5, 4, 2), (3, 2, 2, 2), (4,)))
        yield Case(cls(strides=(2, 3), padding="same"), ((2, 7, 8, 2), (4, 3, 2, 3), None))
        yield Case(cls((2, 1), ((1, 0), (2, 3))), ((1, 6, 5, 1), (2, 5, 1, 2), None))
        yield Case(cls(dilation_rate=(2, 3)), ((2, 7, 9, 2), (3, 2, 2, 1), (2,)))
        yield Case(cls(padding="same", dilation_rate=(2, 2)), ((1, 5, 5, 1), (3, 3, 1, 1), None))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(strides=(0, 1)), ArgumentError, "strides")
        yield Invalid(lambda: cls(padding="full"), ArgumentError, "'valid', 'same'")
        yield Invalid(lambda: cls(dilation_rate=(1, -1)), ArgumentError, "dilation_rate")
        yield Invalid(lambda: cls().output_shape((1, 5, 5), (3, 3, 1, 1)), ShapeError, "4 axes")
        yield Invalid(
            lambda: cls().output_shape((1, 5, 5, 2), (3, 3, 1, 1)), ShapeError, "channels"
        )
        yield Invalid(lambda: cls().output_shape((1, 2, 5, 1), (3, 3, 1, 1)), ShapeError, "height")
        yield Invalid(
            lambda: cls().output_shape((1, 5, 5, 2), (3, 3, 2, 2), (2,)), ShapeError, "bias"
        )

    def _windows(self, x: Shape, kernel: Shape) -> Windows:
        taps = known(kernel[:2])
        return Windows.over(
            self.name,
            (x[1], x[2]),
            (taps[0], taps[1]),
            self.strides,
            self.padding,
            self.dilation_rate,
        )


def _repeat(x: Array, kernel: Array) -> Array:
    """Every channel of x M times, so that each output channel has an input channel of its own."""
    return x if kernel.shape[3] == 1 else x.repeat(kernel.shape[3], axis=3)

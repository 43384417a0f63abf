"""Transposed convolution: every input pixel paints the kernel, times itself, onto the output.

    y[n, i, j, o] = bias[o] + Σ  x[n, h, w, c] · kernel[ky, kx, o, c]

over all h, w, c, ky, kx with h·s + ky·d − p = i and w·s + kx·d − p = j: stride s, dilation d, and p
rows or columns cut off before the first. With `groups` g > 1 the channels are split into g runs,
and output o is painted by the inputs of its own run only. It is what a convolution with this kernel
does to gradients, from its output back to its input; hence the name.

With the kernel's extent e = (K − 1)·d + 1 along an axis, the output's size is

| padding         | output_padding | size                                            |
|-----------------|----------------|-------------------------------------------------|
| valid           | none           | (H − 1)·s + max(e, s)                           |
| valid           | given          | (H − 1)·s + e + output_padding                  |
| same            | none           | H·s                                             |
| same            | given          | (H − 1)·s + e mod 2 + output_padding            |
| (before, after) | none is 0      | (H − 1)·s + e − before − after + output_padding |

where explicit padding says how many rows and columns are cut off on each side.

| tensor | shape                   |
|--------|-------------------------|
| x      | (N, H, W, C)            |
| kernel | (KH, KW, O / groups, C) |
| bias   | (O,), may be left out   |
| y      | (N, OH, OW, O)          |

Source: Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional Networks", CVPR, 2010; Dumoulin and
Visin, "A Guide to Convolution Arithmetic for Deep Learning", arXiv:1603.07285, 2016. The layout and
the named paddings' sizes are Keras', explicit padding is ONNX' (ConvTranspose) and PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
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
    Axis,
    Padding,
    Pair,
    Windows,
    check_padding,
    check_pair,
    output_sizes,
)


@dataclass(frozen=True)
class Conv2DTranspose(Operation):
    """Transposed convolution; the module's docstring has the formula.

    Attributes:
        strides: How far apart two neighbouring pixels paint, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)), what is cut off.
        output_padding: How many rows and columns the output has beyond what the formula gives for
            0, each fewer than the stride (with explicit padding: than the stride or the dilation);
            None for the padding's own choice.
        dilation_rate: The distance between the kernel's taps, (down, right).
        groups: The number of runs that the channels are split into.
    """

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    output_padding: Pair | None = None
    dilation_rate: Pair = (1, 1)
    groups: int = 1

    name: ClassVar[str] = "conv2d_transpose"
    inputs: ClassVar[tuple[str, ...]] = ("x", "kernel", "bias")
    optional: ClassVar[frozenset[str]] = frozenset({"bias"})

    def __post_init__(self) -> None:
        check_pair(self.name, "strides", self.strides)
        check_pair(self.name, "dilation_rate", self.dilation_rate)
        check_padding(self.name, self.padding)
        if not isinstance(self.groups, int) or self.groups < 1:
            raise ArgumentError(
                f"{self.name}: groups must be a whole number of at least 1, "
                f"received {self.groups!r}."
            )
        if self.output_padding is not None:
            check_pair(self.name, "output_padding", self.output_padding, least=0)
            limits = self.strides
            if not isinstance(self.padding, str):
                limits = (
                    max(limits[0], self.dilation_rate[0]),
                    max(limits[1], self.dilation_rate[1]),
                )
            if any(o >= s for o, s in zip(self.output_padding, limits, strict=True)):
                raise ArgumentError(
                    f"{self.name}: output_padding must be less than strides {self.strides}, "
                    f"received {self.output_padding}."
                )

    def output_shape(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> Shape:
        """Return (N, OH, OW, O)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        require_rank(self, "kernel", kernel, 4, "(KH, KW, O / groups, C)")
        per_group, channels = known(kernel[2:])
        filters = per_group * self.groups
        if x[3] != channels:
            raise ShapeError(
                f"{self.name}: x has {x[3]} channels, but a kernel of shape {kernel} reads "
                f"{channels}."
            )
        if channels % self.groups:
            raise ShapeError(
                f"{self.name}: {channels} channels cannot be split into {self.groups} groups."
            )
        if bias is not None and bias != (filters,):
            raise ShapeError(
                f"{self.name}: expected a bias of shape ({filters},), received {bias}."
            )
        return (x[0], *output_sizes(x, lambda x: self._painted(x, kernel)), filters)

    def forward(self, x: Array, kernel: Array, bias: Array | None = None) -> Array:
        """Multiply the image by tap after tap of the kernel; add each result where the tap lies."""
        windows = self._windows(x.shape, kernel.shape)
        rows = self._grouped(x)
        taps = self._taps(kernel)
        painted = windows.zeros(len(x), kernel.shape[2] * self.groups, x.dtype)
        for ky, kx, place in windows.taps():
            together = _side_by_side(rows @ taps[ky, kx].swapaxes(1, 2))
            painted[place] += together.reshape(*x.shape[:3], painted.shape[3])
        y = windows.crop(painted)
        return y if bias is None else y + bias

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

        dx      = the convolution of dy with the kernel
        dkernel = Σ_{n,h,w} window[n, h, w] of dy · x[n, h, w, c]
        dbias   = Σ_{n,i,j} dy[n, i, j, o]
        """
        dx = dkernel = dbias = None
        if "x" in wrt or "kernel" in wrt:
            taps = self._taps(kernel)
            matrix = taps.transpose(2, 0, 1, 3, 4).reshape(self.groups, -1, taps.shape[-1])
            view = self._windows(x.shape, kernel.shape).view(dy)
            split = view.reshape(*view.shape[:5], *taps.shape[2:4]).transpose(5, 0, 1, 2, 3, 4, 6)
            patches = split.reshape(self.groups, -1, matrix.shape[1])
            if "x" in wrt:
                dx = _side_by_side(patches @ matrix).reshape(x.shape)
            if "kernel" in wrt:
                by_group = patches.swapaxes(1, 2) @ self._grouped(x)
                dkernel = _side_by_side(by_group).reshape(kernel.shape)
        if bias is not None and "bias" in wrt:
            dbias = dy.sum(axis=(0, 1, 2))
        return dx, dkernel, dbias

    def terms(
        self, cell: tuple[int, ...], x: Array, kernel: Array, bias: Array | None = None
    ) -> Expression:
        """The products of every pixel that paints on this cell, row by row, and the bias."""
        n, i, j, o = cell
        windows = self._windows(x.shape, kernel.shape)
        group, filter_ = divmod(o, kernel.shape[2])
        per_group = x.shape[3] // self.groups
        products: list[Expression] = [
            Product(
                (cell_of("x", x, (n, h, w, c)), cell_of("kernel", kernel, (ky, kx, filter_, c)))
            )
            for h, ky in windows.rows.positions(i)
            for w, kx in windows.columns.positions(j)
            for c in range(group * per_group, (group + 1) * per_group)
        ]
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
        """For x: each output that the pixel painted on; for a weight: each place it was used."""
        if wrt == "bias":
            places = np.indices(dy.shape[:3]).reshape(3, -1)
            return Sum(Table(places.shape[1], Column("dy", dy, (*places, cell[0]))))
        windows = self._windows(x.shape, kernel.shape)
        products: list[Expression] = []
        # The first of the outputs that channel c paints on.
        first = cell[3] // (x.shape[3] // self.groups) * kernel.shape[2]
        if wrt == "x":
            n, h, w, c = cell
            for ky, row in windows.rows.taps(h):
                for kx, column in windows.columns.taps(w):
                    for o in range(kernel.shape[2]):
                        weight = cell_of("kernel", kernel, (ky, kx, o, c))
                        products.append(Product((_above(dy, n, row, column, first + o), weight)))
            return Sum(products)
        ky, kx, o, c = cell
        for n, h, w in np.ndindex(x.shape[:3]):
            above = _above(
                dy, n, windows.rows.meets(h, ky), windows.columns.meets(w, kx), first + o
            )
            products.append(Product((above, cell_of("x", x, (n, h, w, c)))))
        return Sum(products)

    def multiply_adds(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> int:
        """N · H · W · C · KH · KW · O / groups."""
        return math.prod((*known(x), *known(kernel[:3])))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Strides, both paddings, output padding, dilations, odd and non-square sizes."""
        yield Case(cls(), ((2, 3, 4, 3), (3, 3, 2, 3), (2,)))
        yield Case(cls((2, 2)), ((2, 3, 2, 2), (3, 2, 3, 2), None))
        yield Case(cls((2, 3), "same"), ((1, 4, 3, 2), (3, 2, 2, 2), (2,)))
        yield Case(cls((2, 2), "same"), ((2, 3, 3, 1), (5, 4, 2, 1), None))
        yield Case(cls((3, 2)), ((1, 3, 2, 2), (2, 1, 1, 2), (1,)))
        yield Case(cls((2, 3), "valid", (1, 2)), ((2, 2, 3, 1), (3, 3, 2, 1), None))
        yield Case(cls((2, 3), "same", (0, 2)), ((2, 3, 3, 2), (3, 4, 2, 2), (2,)))
        yield Case(cls(dilation_rate=(2, 3)), ((1, 3, 2, 2), (2, 3, 2, 2), None))
        yield Case(cls(padding="same", dilation_rate=(2, 1)), ((1, 4, 3, 1), (3, 3, 2, 1), (2,)))
        yield Case(cls((2, 3), ((1, 0), (2, 1))), ((2, 3, 2, 2), (3, 4, 2, 2), (2,)))
        yield Case(
            cls((1, 2), ((0, 3), (0, 0)), (1, 0), (2, 1), 2), ((1, 4, 2, 4), (2, 3, 1, 4), (2,))
        )
        yield Case(cls((2, 2), "same", groups=3), ((2, 2, 3, 3), (3, 2, 2, 3), (6,)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(strides=(0, 1)), ArgumentError, "strides")
        yield Invalid(lambda: cls(padding="full"), ArgumentError, "'valid', 'same'")
        yield Invalid(lambda: cls(groups=0), ArgumentError, "groups")
        yield Invalid(lambda: cls(output_padding=(1, 0)), ArgumentError, "output_padding")
        yield Invalid(lambda: cls().output_shape((1, 5, 5), (3, 3, 1, 1)), ShapeError, "4 axes")
        yield Invalid(
            lambda: cls().output_shape((1, 5, 5, 2), (3, 3, 2, 1)), ShapeError, "channels"
        )
        yield Invalid(
            lambda: cls(groups=2).output_shape((1, 5, 5, 3), (3, 3, 2, 3)), ShapeError, "groups"
        )
        yield Invalid(
            lambda: cls((2, 2), "same", (0, 0)).output_shape((1, 1, 2, 1), (2, 2, 1, 1)),
            ShapeError,
            "leaves nothing",
        )
        yield Invalid(
            lambda: cls().output_shape((1, 5, 5, 1), (3, 3, 2, 1), (1,)), ShapeError, "bias"
        )

    def _grouped(self, x: Array) -> Array:
        """The pixels of each group: (groups, N·H·W, C / groups)."""
        return x.reshape(-1, self.groups, x.shape[3] // self.groups).swapaxes(0, 1)

    def _taps(self, kernel: Array) -> Array:
        """The kernel, tap by tap and group by group: (KH, KW, groups, O / groups, C / groups)."""
        return kernel.reshape(*kernel.shape[:3], self.groups, -1).swapaxes(2, 3)

    def _painted(self, x: Shape, kernel: Shape) -> Pair:
        """The height and width of y, over which the windows lie."""
        windows = self._windows(x, kernel)
        return windows.rows.size, windows.columns.size

    def _windows(self, x: Shape, kernel: Shape) -> Windows:
        """The windows over the *output* in which the pixels of x paint."""
        (height, width), taps = known(x[1:3]), known(kernel[:2])
        return Windows(
            self._axis(0, "height", height, taps[0]), self._axis(1, "width", width, taps[1])
        )

    def _axis(self, which: int, name: str, size: int, taps: int) -> Axis:
        stride, dilation = self.strides[which], self.dilation_rate[which]
        more = None if self.output_padding is None else self.output_padding[which]
        extent = (taps - 1) * dilation + 1
        painted = (size - 1) * stride + extent
        before = 0
        if not isinstance(self.padding, str):
            before, after = self.padding[which]
            output = painted - before - after + (more or 0)
        elif self.padding == "valid":
            output = painted + (max(stride - extent, 0) if more is None else more)
        else:
            output = (size - 1) * stride + (stride if more is None else extent % 2 + more)
            # Half of what is cut off, rounded down; nothing where the output is larger instead.
            before = max((painted - output) // 2, 0)
        if output < 1:
            raise ShapeError(
                f"{self.name}: padding {self.padding} with output_padding {self.output_padding} "
                f"leaves nothing of an image's {name} of {size}. Leave one out, or use a larger "
                f"kernel."
            )
        return Axis(output, taps, stride, dilation, before, max(painted - output - before, 0))


def _side_by_side(rows: Array) -> Array:
    """(groups, R, C) → (R, groups·C)."""
    groups, count, channels = rows.shape
    return rows.swapaxes(0, 1).reshape(count, groups * channels)


def _above(dy: Array, n: int, row: int | None, column: int | None, o: int) -> Expression:
    """The gradient of an output pixel; 0 for one that was cut off."""
    if row is None or column is None:
        return Constant("cut off", 0.0)
    return cell_of("dy", dy, (n, row, column, o))

"""Two-dimensional convolution: every output pixel is a weighted sum of a window of input pixels.

    y[n, i, j, o] = bias[o]
                  + Σ_ky Σ_kx Σ_c  x[n, i·s + ky·d − p, j·s + kx·d − p, c] · kernel[ky, kx, c, o]

with stride s, dilation d and padding p along each axis; outside the image x is 0. With `groups`
g > 1 the channels are split into g runs, and output o reads only the inputs of its own run.

| tensor | shape                             |
|--------|-----------------------------------|
| x      | (N, H, W, C)                      |
| kernel | (KH, KW, C / groups, O)           |
| bias   | (O,), may be left out             |
| y      | (N, OH, OW, O)                    |

As in every deep-learning library this is cross-correlation: the kernel is not flipped.

Source: LeCun, Boser, Denker, Henderson, Howard, Hubbard, Jackel, "Backpropagation Applied to
Handwritten Zip Code Recognition", Neural Computation 1(4), 1989; the layout and 'same' padding are
TensorFlow's.
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
from pellucid.ops._terms import Column, Expression, Sum, Table, cell_of
from pellucid.ops._window import (
    Padding,
    Pair,
    Windows,
    check_padding,
    check_pair,
    output_sizes,
)


@dataclass(frozen=True)
class Conv2D(Operation):
    """Two-dimensional convolution; the module's docstring has the formula.

    Attributes:
        strides: How far the window moves, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)).
        dilation_rate: The distance between the window's taps, (down, right).
        groups: The number of runs that the channels are split into.
    """

    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Pair = (1, 1)
    groups: int = 1

    name: ClassVar[str] = "conv2d"
    inputs: ClassVar[tuple[str, ...]] = ("x", "kernel", "bias")
    optional: ClassVar[frozenset[str]] = frozenset({"bias"})

    def __post_init__(self) -> None:
        check_pair(self.name, "strides", self.strides)
        check_padding(self.name, self.padding)
        check_pair(self.name, "dilation_rate", self.dilation_rate)
        if not isinstance(self.groups, int) or self.groups < 1:
            raise ArgumentError(
                f"{self.name}: groups must be a whole number of at least 1, "
                f"received {self.groups!r}."
            )

    def output_shape(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> Shape:
        """Return (N, OH, OW, O)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        require_rank(self, "kernel", kernel, 4, "(KH, KW, C / groups, O)")
        channels, per_group, filters = x[3], kernel[2], kernel[3]
        if channels is None or per_group is None or channels != per_group * self.groups:
            raise ShapeError(
                f"conv2d: x has {channels} channels, but a kernel of shape {kernel} in "
                f"{self.groups} group(s) reads {(per_group or 0) * self.groups}."
            )
        if filters is None or filters % self.groups:
            raise ShapeError(
                f"conv2d: {filters} filters cannot be split into {self.groups} groups."
            )
        if bias is not None and bias != (filters,):
            raise ShapeError(f"conv2d: expected a bias of shape ({filters},), received {bias}.")
        return (x[0], *output_sizes(x, lambda x: self._windows(x, kernel).output), filters)

    def forward(self, x: Array, kernel: Array, bias: Array | None = None) -> Array:
        """Multiply every window by the kernel: one matrix product for each group."""
        rows = _ungroup(self._patches(x, kernel) @ self._matrix(kernel))
        oh, ow = self._windows(x.shape, kernel.shape).output
        y = rows.reshape(len(x), oh, ow, kernel.shape[3])
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

        dx      = every dy[n, i, j, o] handed back to its window as dy[n, i, j, o] · kernel[…, o]
        dkernel = Σ_{n,i,j} window[n, i, j] · dy[n, i, j, o]
        dbias   = Σ_{n,i,j} dy[n, i, j, o]
        """
        dx = dkernel = dbias = None
        grouped = _group(dy.reshape(-1, dy.shape[-1]), self.groups)
        if "x" in wrt:
            windows = self._windows(x.shape, kernel.shape)
            shares = _ungroup_taps(grouped @ self._matrix(kernel).swapaxes(1, 2), kernel.shape[:2])
            dx = windows.overlap_add(shares.reshape(*dy.shape[:3], *shares.shape[1:]))
        if "kernel" in wrt:
            by_group = self._patches(x, kernel).swapaxes(1, 2) @ grouped
            dkernel = _ungroup(by_group).reshape(kernel.shape)
        if bias is not None and "bias" in wrt:
            dbias = dy.sum(axis=(0, 1, 2))
        return dx, dkernel, dbias

    def terms(
        self, cell: tuple[int, ...], x: Array, kernel: Array, bias: Array | None = None
    ) -> Expression:
        """The products of one window, row by row, and the bias."""
        n, i, j, o = cell
        windows = self._windows(x.shape, kernel.shape)
        first = o // (kernel.shape[3] // self.groups) * kernel.shape[2]
        ky, kx, c = np.indices(kernel.shape[:3]).reshape(3, -1)
        row, column = windows.rows.met_from(i)[ky], windows.columns.met_from(j)[kx]
        pixels = Column("x", x, (n, row, column, first + c))
        weights = Column("kernel", kernel, (ky, kx, c, o))
        tail = () if bias is None else (cell_of("bias", bias, (o,)),)
        return Sum(Table(len(c), pixels, weights, tail=tail))

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
        per_group, filters = kernel.shape[2], kernel.shape[3] // self.groups
        if wrt == "x":
            group, c = divmod(cell[3], per_group)
            rows = np.array(list(windows.rows.positions(cell[1])), int).reshape(-1, 2)
            columns = np.array(list(windows.columns.positions(cell[2])), int).reshape(-1, 2)
            a, b, o = np.indices((len(rows), len(columns), filters)).reshape(3, -1)
            o += group * filters
            above = Column("dy", dy, (cell[0], rows[a, 0], columns[b, 0], o))
            return Sum(
                Table(len(o), above, Column("kernel", kernel, (rows[a, 1], columns[b, 1], c, o)))
            )
        ky, kx, c, filter_ = cell
        channel = filter_ // filters * per_group + c
        row, column = windows.rows.met_by(ky)[i], windows.columns.met_by(kx)[j]
        above = Column("dy", dy, (n, i, j, filter_))
        return Sum(Table(len(n), above, Column("x", x, (n, row, column, channel))))

    def multiply_adds(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> int:
        """N · OH · OW · O · KH · KW · C / groups."""
        return math.prod((*known(self.output_shape(x, kernel)), *known(kernel[:3])))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Strides, paddings, dilations, groups, odd and non-square sizes, with and without bias."""
        yield Case(cls(), ((2, 5, 6, 3), (3, 3, 3, 4), (4,)))
        yield Case(cls(padding="same"), ((1, 5, 4, 1), (3, 2, 1, 2), None))
        yield Case(cls(strides=(2, 3), padding="same"), ((2, 7, 8, 2), (4, 3, 2, 3), (3,)))
        yield Case(
            cls(strides=(2, 1), padding=((1, 0), (2, 3))), ((1, 6, 5, 2), (2, 5, 2, 2), None)
        )
        yield Case(cls(dilation_rate=(2, 3)), ((2, 7, 9, 2), (3, 2, 2, 2), (2,)))
        yield Case(cls(dilation_rate=(2, 2), padding="same"), ((1, 5, 5, 1), (3, 3, 1, 1), None))
        yield Case(cls(groups=2), ((2, 4, 5, 4), (2, 2, 2, 6), (6,)))
        yield Case(
            cls(groups=3, strides=(2, 2), padding="same"), ((1, 5, 5, 3), (3, 3, 1, 3), None)
        )
        yield Case(cls(), ((2, 3, 3, 2), (1, 1, 2, 5), (5,)))
        yield Case(cls(), ((1, 3, 5, 1), (3, 5, 1, 1), None))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(strides=(0, 1)), ArgumentError, "strides")
        yield Invalid(lambda: cls(padding="full"), ArgumentError, "'valid', 'same'")
        yield Invalid(lambda: cls(groups=0), ArgumentError, "groups")
        yield Invalid(lambda: cls().output_shape((1, 5, 5), (3, 3, 1, 1)), ShapeError, "4 axes")
        yield Invalid(
            lambda: cls().output_shape((1, 5, 5, 2), (3, 3, 1, 1)), ShapeError, "channels"
        )
        yield Invalid(lambda: cls().output_shape((1, 2, 5, 1), (3, 3, 1, 1)), ShapeError, "height")
        yield Invalid(
            lambda: cls(groups=2).output_shape((1, 5, 5, 2), (3, 3, 1, 3)), ShapeError, "groups"
        )
        yield Invalid(
            lambda: cls().output_shape((1, 5, 5, 1), (3, 3, 1, 2), (3,)), ShapeError, "bias"
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

    def _patches(self, x: Array, kernel: Array) -> Array:
        """Every window as a row: (groups, N·OH·OW, KH·KW·C/groups)."""
        view = self._windows(x.shape, kernel.shape).view(x)
        grouped = view.reshape(*view.shape[:5], self.groups, kernel.shape[2])
        by_group = grouped.transpose(5, 0, 1, 2, 3, 4, 6)
        return by_group.reshape(self.groups, -1, math.prod(kernel.shape[:3]))

    def _matrix(self, kernel: Array) -> Array:
        """The kernel as one matrix for each group: (groups, KH·KW·C/groups, O/groups)."""
        return _group(kernel.reshape(-1, kernel.shape[3]), self.groups)


def _group(rows: Array, groups: int) -> Array:
    """(R, groups·O) → (groups, R, O)."""
    return rows.reshape(len(rows), groups, -1).swapaxes(0, 1)


def _ungroup(rows: Array) -> Array:
    """(groups, R, O) → (R, groups·O)."""
    groups, count, filters = rows.shape
    return rows.swapaxes(0, 1).reshape(count, groups * filters)


def _ungroup_taps(rows: Array, taps: tuple[int, ...]) -> Array:
    """(groups, R, KH·KW·C) → (R, KH, KW, groups·C)."""
    groups, count, _ = rows.shape
    by_tap = rows.reshape(groups, count, *taps, -1).transpose(1, 2, 3, 0, 4)
    return by_tap.reshape(count, *taps, -1)

"""A dense (fully connected) layer's product: every output is a weighted sum of every input.

    y[…, u] = bias[u] + Σ_i x[…, i] · kernel[i, u]

| tensor | shape                 |
|--------|-----------------------|
| x      | (N, …, I)             |
| kernel | (I, U)                |
| bias   | (U,), may be left out |
| y      | (N, …, U)             |

Source: Rosenblatt, "The Perceptron", Psychological Review 65(6), 1958; its gradients: Rumelhart,
Hinton, Williams, "Learning Representations by Back-Propagating Errors", Nature 323, 1986.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
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


@dataclass(frozen=True)
class Dense(Operation):
    """The product with a matrix; the module's docstring has the formula."""

    name: ClassVar[str] = "dense"
    inputs: ClassVar[tuple[str, ...]] = ("x", "kernel", "bias")
    optional: ClassVar[frozenset[str]] = frozenset({"bias"})

    def output_shape(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> Shape:
        """Return (N, …, U)."""
        require_rank(self, "kernel", kernel, 2, "(I, U)")
        if len(x) < 2:
            raise ShapeError(
                f"dense: expected x with at least 2 axes (N, …, I), received shape {x}."
            )
        if x[-1] is None or x[-1] != kernel[0]:
            raise ShapeError(
                f"dense: the last axis of x has {x[-1]} cells, but a kernel of shape {kernel} "
                f"reads {kernel[0]}. x has shape {x}."
            )
        if bias is not None and bias != kernel[1:]:
            raise ShapeError(f"dense: expected a bias of shape {kernel[1:]}, received {bias}.")
        return (*x[:-1], kernel[1])

    def forward(self, x: Array, kernel: Array, bias: Array | None = None) -> Array:
        """Multiply every row of x by the kernel: one matrix product."""
        y = _rows(x) @ kernel
        if bias is not None:
            y += bias
        return y.reshape(*x.shape[:-1], kernel.shape[1])

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

        dx      = dy · kernelᵀ
        dkernel = xᵀ · dy, summed over all rows
        dbias   = Σ dy over all rows
        """
        dx = dkernel = dbias = None
        rows = _rows(dy)
        if "x" in wrt:
            dx = (rows @ kernel.T).reshape(x.shape)
        if "kernel" in wrt:
            dkernel = _rows(x).T @ rows
        if bias is not None and "bias" in wrt:
            dbias = rows.sum(axis=0)
        return dx, dkernel, dbias

    def terms(
        self, cell: tuple[int, ...], x: Array, kernel: Array, bias: Array | None = None
    ) -> Expression:
        """A product for each input, and the bias."""
        *row, u = cell
        i = np.arange(x.shape[-1])
        tail = () if bias is None else (cell_of("bias", bias, (u,)),)
        inputs, weights = Column("x", x, (*row, i)), Column("kernel", kernel, (i, u))
        return Sum(Table(len(i), inputs, weights, tail=tail))

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
        """For x: each output that read it; for a weight: each row that it was used on."""
        if wrt == "x":
            *row, i = cell
            u = np.arange(kernel.shape[1])
            above, weights = Column("dy", dy, (*row, u)), Column("kernel", kernel, (i, u))
            return Sum(Table(len(u), above, weights))
        rows = np.indices(dy.shape[:-1]).reshape(dy.ndim - 1, -1)
        above = Column("dy", dy, (*rows, cell[-1]))
        if wrt == "bias":
            return Sum(Table(rows.shape[1], above))
        return Sum(Table(rows.shape[1], above, Column("x", x, (*rows, cell[0]))))

    def multiply_adds(self, x: Shape, kernel: Shape, bias: Shape | None = None) -> int:
        """N · … · I · U."""
        return math.prod((*known(x[:-1]), *known(kernel)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Two and more axes, one row, one input, one output, with and without bias."""
        yield Case(cls(), ((4, 5), (5, 3), (3,)))
        yield Case(cls(), ((1, 7), (7, 2), None))
        yield Case(cls(), ((3, 1), (1, 4), (4,)))
        yield Case(cls(), ((2, 6), (6, 1), (1,)))
        yield Case(cls(), ((2, 3, 4), (4, 5), (5,)))
        yield Case(cls(), ((2, 2, 3, 4), (4, 2), None))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that do not fit."""
        yield Invalid(lambda: cls().output_shape((4,), (4, 2)), ShapeError, "at least 2 axes")
        yield Invalid(lambda: cls().output_shape((4, 3), (4, 2)), ShapeError, "last axis")
        yield Invalid(lambda: cls().output_shape((4, None), (4, 2)), ShapeError, "last axis")
        yield Invalid(lambda: cls().output_shape((4, 3), (3,)), ShapeError, "2 axes")
        yield Invalid(lambda: cls().output_shape((4, 3), (3, 2), (3,)), ShapeError, "bias")


def _rows(x: Array) -> Array:
    """(N, …, I) → (N·…, I)."""
    return x.reshape(-1, x.shape[-1])

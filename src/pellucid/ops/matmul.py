"""The product of matrices, or of stacks of matrices.

    y[…, i, j] = Σ_k x0[…, i, k] · x1[…, k, j]

| tensor | shape                                                     |
|--------|-----------------------------------------------------------|
| x0     | (…, I, K), or (K,) for a row                              |
| x1     | (…, K, J), or (K,) for a column                           |
| y      | (…, I, J); without I for a row, and J for a column        |

The axes in front spread to each other as NumPy's do. ∂L/∂x0 = dy · x1ᵀ, ∂L/∂x1 = x0ᵀ · dy, summed
over the axes that were spread.

Source: the Array API standard, `matmul`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._merge import folded, place_read, places_spread_to, spread
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape, known
from pellucid.ops._terms import Column, Expression, Sum, Table


@dataclass(frozen=True)
class MatMul(Operation):
    """The product of matrices; the module's docstring has the formula."""

    name: ClassVar[str] = "matmul"
    inputs: ClassVar[tuple[str, ...]] = ("x0", "x1")

    @property
    def batched(self) -> bool:
        """Axis 0 may be a matrix's own."""
        return False

    def output_shape(self, x0: Shape, x1: Shape) -> Shape:
        """Return (…, I, J)."""
        if x0 and x1:
            (first, second) = _matrix(x0, 0), _matrix(x1, 1)
            if first[-1] == second[-2] or None in (first[-1], second[-2]):
                stack = spread(self.name, (first[:-2], second[:-2]))
                rows = first[-2:-1] if len(x0) > 1 else ()
                return (*stack, *rows, *(second[-1:] if len(x1) > 1 else ()))
        raise ShapeError(
            f"matmul: expected (…, I, K) and (…, K, J), received the shapes {x0} and {x1}."
        )

    def forward(self, x0: Array, x1: Array) -> Array:
        """Multiply."""
        return np.asarray(np.matmul(x0, x1))

    def backward(
        self, dy: Array, y: Array, x0: Array, x1: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy · x1ᵀ and x0ᵀ · dy, each summed over the axes that were spread."""
        first, second = x0.reshape(_matrix(x0.shape, 0)), x1.reshape(_matrix(x1.shape, 1))
        above = dy.reshape(*self._stack(x0, x1), first.shape[-2], second.shape[-1])
        dx0 = dx1 = None
        if "x0" in wrt:
            dx0 = folded(above @ second.swapaxes(-1, -2), first.shape).reshape(x0.shape)
        if "x1" in wrt:
            dx1 = folded(first.swapaxes(-1, -2) @ above, second.shape).reshape(x1.shape)
        return dx0, dx1

    def terms(self, cell: tuple[int, ...], x0: Array, x1: Array) -> Expression:
        """A row times a column."""
        rest = list(cell)
        j = rest.pop() if x1.ndim > 1 else 0
        i = rest.pop() if x0.ndim > 1 else 0
        along = np.arange(x0.shape[-1])
        factors = (_column("x0", x0, rest, i, along), _column("x1", x1, rest, along, j))
        return Sum(Table(len(along), *factors))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x0: Array, x1: Array
    ) -> Expression:
        """Each product that the number had a part in: what it was multiplied by, times dy."""
        first = wrt == "x0"
        shapes = _matrix(x0.shape, 0), _matrix(x1.shape, 1)
        *own, row, column = _matrix(cell, 1 - first, fill=0)
        own_stack = shapes[not first][:-2]
        stacks = list(places_spread_to(tuple(own), own_stack, self._stack(x0, x1)))
        other = shapes[1][-1] if first else shapes[0][-2]
        stack = np.repeat(np.array(stacks, np.int64).reshape(len(stacks), -1), other, axis=0)
        along = list(stack.T)
        free = np.tile(np.arange(other), len(stacks))
        i, j = (row, free) if first else (free, column)
        ends = ([i] if x0.ndim > 1 else []) + ([j] if x1.ndim > 1 else [])
        above = Column("dy", dy, (*along, *ends))
        factor = _column("x1", x1, along, column, j) if first else _column("x0", x0, along, i, row)
        return Sum(Table(len(free), above, factor))

    def multiply_adds(self, x0: tuple[int, ...], x1: tuple[int, ...]) -> int:
        """I · K · J for each pair of matrices."""
        shape = self.output_shape(x0, x1)
        return math.prod(n or 0 for n in shape) * x0[-1]

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Matrices, stacks of them, spread stacks, rows and columns."""
        yield Case(cls(), ((2, 3), (3, 4)))
        yield Case(cls(), ((2, 2, 3), (2, 3, 2)))
        yield Case(cls(), ((2, 1, 3, 2), (4, 2, 3)))
        yield Case(cls(), ((2, 2, 3), (3, 2)))
        yield Case(cls(), ((3,), (2, 3, 2)))
        yield Case(cls(), ((2, 2, 3), (3,)))
        yield Case(cls(), ((3,), (3,)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Matrices that do not fit, numbers that are none."""
        yield Invalid(lambda: cls().output_shape((2, 3), (2, 3)), ShapeError, "(…, K, J)")
        yield Invalid(lambda: cls().output_shape((), (2, 3)), ShapeError, "(…, I, K)")
        yield Invalid(lambda: cls().output_shape((2, 2, 3), (3, 3, 2)), ShapeError, "merged")

    def _stack(self, x0: Array, x1: Array) -> tuple[int, ...]:
        """The sizes of the axes in front, once they are spread."""
        return known(spread(self.name, (x0.shape[:-2], x1.shape[:-2])))


def _matrix(sizes: tuple[Any, ...], which: int, fill: int = 1) -> tuple[Any, ...]:
    """A row as the first of two matrices has it, a column as the second has it."""
    if len(sizes) > 1:
        return sizes
    return (*sizes, fill) if which else (fill, *sizes)


def _column(name: str, x: Array, stack: Sequence[Any], row: Any, column: Any) -> Column:
    """One factor of every product: cells of a matrix in the spread stack."""
    if x.ndim == 1:
        return Column(name, x, (column if name == "x0" else row,))
    return Column(name, x, (*place_read(tuple(stack), x.shape[:-2]), row, column))

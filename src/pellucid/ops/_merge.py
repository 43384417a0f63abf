"""Merging tensors number by number: what add, multiply, maximum … share.

The shapes must be the same, or 1 where they differ; a tensor with fewer axes gets axes of size 1
after its first (the batch), as in Keras' merge layers. The gradient of a tensor that was spread
over an axis is summed over that axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, TypeVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Cell, Expression, Product, Sum, cell_of

__all__ = ["Merge"]

Size = TypeVar("Size")


class Merge(Operation):
    """The base of the operations that merge tensors number by number.

    A subclass says how numbers are merged (`merge`, `merge_terms`) and what the gradient of the
    result is multiplied by for each of them (`share`, `share_terms`).
    """

    inputs: ClassVar[tuple[str, ...]] = ("x",)
    variadic: ClassVar[bool] = True

    def merge(self, tensors: list[Array]) -> Array:
        """Return the result, for tensors with the same number of axes."""
        raise NotImplementedError  # every subclass has its own

    def share(self, i: int, dy: Array, y: Array, tensors: list[Array]) -> Array:
        """Return the gradient of tensor i before it is summed over the axes it was spread over."""
        raise NotImplementedError  # every subclass has its own

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """Return how one number of the result is made."""
        raise NotImplementedError  # every subclass has its own

    def share_terms(self, i: int, cells: list[Cell]) -> Expression | None:
        """Return what dy is multiplied by for number i; None for nothing."""
        raise NotImplementedError  # every subclass has its own

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape that all shapes spread to."""
        if not shapes:
            raise ShapeError(f"{self.name}: expected at least one tensor, received none.")
        rank = max(len(shape) for shape in shapes)
        sizes: list[int | None] = []
        for column in zip(*(_expanded(shape, rank, 1) for shape in shapes), strict=True):
            distinct = {n for n in column if n != 1}
            if len(distinct - {None}) > 1:
                listed = ", ".join(str(shape) for shape in shapes)
                raise ShapeError(
                    f"{self.name}: the shapes {listed} cannot be merged: along each axis the sizes "
                    f"must be the same, or 1."
                )
            sizes.append(None if None in distinct else max(distinct - {None}, default=1))
        return tuple(sizes)

    def forward(self, *tensors: Array) -> Array:
        """Merge the numbers that stand in the same place."""
        return self.merge(_aligned(tensors))

    def backward(
        self, dy: Array, y: Array, *tensors: Array, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return the gradient of each tensor, summed over the axes that it was spread over."""
        aligned = _aligned(tensors)
        return tuple(
            _folded(self.share(i, dy, y, aligned), x.shape) if name in wrt else None
            for i, (name, x) in enumerate(zip(self.input_names(len(tensors)), tensors, strict=True))
        )

    def terms(self, cell: tuple[int, ...], *tensors: Array) -> Expression:
        """The numbers that stand in the same place."""
        return self.merge_terms(self._cells(cell, tensors))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, *tensors: Array
    ) -> Expression:
        """A share of dy wherever the number was used."""
        i = self.input_names(len(tensors)).index(wrt)
        shape = _expanded(tensors[i].shape, y.ndim, 1)
        place = _expanded(cell, y.ndim, 0)
        spread = [
            range(m) if n == 1 else (at,) for n, m, at in zip(shape, y.shape, place, strict=True)
        ]
        terms: list[Expression] = []
        for used in itertools.product(*spread):
            share = self.share_terms(i, self._cells(used, tensors))
            above = cell_of("dy", dy, used)
            terms.append(above if share is None else Product((above, share)))
        return terms[0] if len(terms) == 1 else Sum(terms)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Two and three tensors, and tensors that are spread over the batch, rows or channels."""
        yield Case(cls(), ((2, 3, 4), (2, 3, 4)))
        yield Case(cls(), ((2, 3, 4, 2), (2, 1, 1, 2)))
        yield Case(cls(), ((3, 1), (1, 4)))
        yield Case(cls(), ((2, 4), (2, 3, 4)))
        if cls.variadic:
            yield Case(cls(), ((2, 3), (2, 3), (2, 3)))
            yield Case(cls(), ((2, 3), (2, 1), (1, 3), (2, 3)))
            yield Case(cls(), ((2, 3),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that do not fit."""
        yield Invalid(lambda: cls().output_shape((2, 3), (2, 4)), ShapeError, "same, or 1")
        yield Invalid(lambda: cls().output_shape((2, 3), (2, 4, 2)), ShapeError, "same, or 1")

    def _cells(self, cell: tuple[int, ...], tensors: Sequence[Array]) -> list[Cell]:
        """The cell of each tensor that is read for `cell` of the result."""
        cells = []
        for name, x in zip(self.input_names(len(tensors)), tensors, strict=True):
            missing = len(cell) - x.ndim
            own = (*cell[:1], *cell[1 + missing :]) if x.ndim else ()
            place = [0 if n == 1 else i for i, n in zip(own, x.shape, strict=True)]
            cells.append(cell_of(name, x, place))
        return cells


def _expanded(shape: tuple[Size, ...], rank: int, fill: Size) -> tuple[Size, ...]:
    """(N, …) with `fill` after the first, up to `rank` entries."""
    return (*shape[:1], *(fill,) * (rank - len(shape)), *shape[1:])


def _aligned(tensors: Sequence[Array]) -> list[Array]:
    """The tensors with the same number of axes."""
    rank = max(x.ndim for x in tensors)
    return [x if x.ndim == rank else x.reshape(*_expanded(x.shape, rank, 1)) for x in tensors]


def _folded(gradient: Array, shape: tuple[int, ...]) -> Array:
    """The gradient summed over the axes that a tensor of `shape` was spread over."""
    sizes = _expanded(shape, gradient.ndim, 1)
    axes = tuple(i for i, n in enumerate(sizes) if n == 1 and gradient.shape[i] != 1)
    return np.asarray(gradient.sum(axis=axes) if axes else gradient).reshape(shape)

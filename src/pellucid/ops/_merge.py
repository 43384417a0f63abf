"""Merging tensors number by number: what add, multiply, maximum … share.

The shapes must be the same, or 1 where they differ; a tensor with fewer axes gets axes of size 1 in
front, as in NumPy. The gradient of a tensor that was spread over an axis is summed over that axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Cell, Expression, Product, Sum, cell_of

__all__ = [
    "Merge",
    "away_from_zero",
    "folded",
    "place_read",
    "places_spread_to",
    "positive",
    "spread",
]


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

    @property
    def batched(self) -> bool:
        """Axis 0 is an axis as any other."""
        return False

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape that all shapes spread to."""
        if not shapes:
            raise ShapeError(f"{self.name}: expected at least one tensor, received none.")
        return spread(self.name, shapes)

    def forward(self, *tensors: Array) -> Array:
        """Merge the numbers that stand in the same place."""
        return self.merge(list(tensors))

    def backward(
        self, dy: Array, y: Array, *tensors: Array, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return the gradient of each tensor, summed over the axes that it was spread over."""
        return tuple(
            folded(self.share(i, dy, y, list(tensors)), x.shape)
            if name in wrt and name not in self.constant
            else None
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
        terms: list[Expression] = []
        for used in places_spread_to(cell, tensors[i].shape, y.shape):
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
        yield Case(cls(), ((2, 3, 4), (4,)))
        yield Case(cls(), ((3, 1), (2, 3, 4)))
        if cls.variadic:
            yield Case(cls(), ((2, 3), (2, 3), (2, 3)))
            yield Case(cls(), ((2, 3), (2, 1), (1, 3), (2, 3)))
            yield Case(cls(), ((2, 3),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that do not fit."""
        yield Invalid(lambda: cls().output_shape((2, 3), (2, 4)), ShapeError, "same, or 1")
        yield Invalid(lambda: cls().output_shape((2, 4, 2), (2, 3)), ShapeError, "same, or 1")

    def _cells(self, cell: tuple[int, ...], tensors: Sequence[Array]) -> list[Cell]:
        """The cell of each tensor that is read for `cell` of the result."""
        names = self.input_names(len(tensors))
        return [
            cell_of(name, x, place_read(cell, x.shape))
            for name, x in zip(names, tensors, strict=True)
        ]


def spread(op: str, shapes: Sequence[Shape]) -> Shape:
    """Return the shape that all shapes spread to; ShapeError if there is none."""
    rank = max(len(shape) for shape in shapes)
    sizes: list[int | None] = []
    for column in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        distinct = {n for n in column if n != 1}
        known = distinct - {None}
        if len(known) > 1:
            listed = ", ".join(str(shape) for shape in shapes)
            raise ShapeError(
                f"{op}: the shapes {listed} cannot be merged: along each axis, counted from the "
                f"last, the sizes must be the same, or 1."
            )
        sizes.append(None if None in distinct else max(known, default=1))
    return tuple(sizes)


def folded(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient summed over the axes that a tensor of `shape` was spread over."""
    sizes = (1,) * (gradient.ndim - len(shape)) + shape
    axes = tuple(i for i, n in enumerate(sizes) if n == 1 and gradient.shape[i] != 1)
    return np.asarray(gradient.sum(axis=axes) if axes else gradient).reshape(shape)


def place_read(cell: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """Return the cell of a tensor of `shape` that stands at `cell` once it is spread."""
    own = cell[len(cell) - len(shape) :]
    return [0 if n == 1 else i for i, n in zip(own, shape, strict=True)]


def places_spread_to(
    cell: tuple[int, ...], shape: tuple[int, ...], spread_shape: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    """Yield every place that the cell of a tensor of `shape` stands at once it is spread."""
    missing = len(spread_shape) - len(shape)
    sizes, own = (1,) * missing + shape, (0,) * missing + cell
    columns = zip(sizes, spread_shape, own, strict=True)
    return itertools.product(*(range(m) if n == 1 else (i,) for n, m, i in columns))


def away_from_zero(case: Case) -> Case:
    """Return the case with numbers whose size is from ½ to 2."""
    return Case(case.op, case.shapes, lambda g: tuple(_signed(g, s) for s in case.shapes))


def positive(case: Case) -> Case:
    """Return the case with numbers from ½ to 2."""
    return Case(case.op, case.shapes, lambda g: tuple(np.abs(_signed(g, s)) for s in case.shapes))


def _signed(generator: np.random.Generator, shape: tuple[int, ...] | None) -> Array:
    signs: Array = generator.choice([-1.0, 1.0], shape)
    return signs * generator.uniform(0.5, 2.0, shape)

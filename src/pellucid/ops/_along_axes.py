"""Normalising each sample along one axis or several: what such operations share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import Array, Operation, Shape
from pellucid.ops._terms import Cell, cell_of

__all__ = ["AlongAxes"]


@dataclass(frozen=True)
class AlongAxes(Operation):
    """An operation on groups of numbers that differ only in their place along `axis`.

    Attributes:
        axis: The axis to normalise over, or several, in ascending order.
        epsilon: ε, which keeps the divisor away from 0.
    """

    axis: int | tuple[int, ...] = -1
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        if not self._listed or not all(isinstance(axis, int) for axis in self._listed):
            raise ArgumentError(
                f"{self.name}: axis must be an axis or a tuple of axes, received {self.axis!r}."
            )
        if not self.epsilon > 0:
            raise ArgumentError(
                f"{self.name}: epsilon must be more than 0, received {self.epsilon!r}."
            )

    def check_shapes(self, x: Shape, **weights: Shape | None) -> None:
        """Raise ShapeError unless x has the axes, and each weight their sizes."""
        rank = len(x)
        inside = all(-rank <= axis < rank for axis in self._listed)
        axes = self._axes(rank) if rank else ()
        if rank < 2 or not inside or axes != tuple(sorted(set(axes))) or axes[0] == 0:
            raise ShapeError(
                f"{self.name}: expected an axis other than the batch, or several in ascending "
                f"order, of an x with two axes or more, received axis={self.axis} for shape {x}."
            )
        expected = tuple(x[axis] for axis in axes)
        if None in expected:
            raise ShapeError(
                f"{self.name}: the size along axis {self.axis} must be known, received shape {x}."
            )
        for name, shape in weights.items():
            if shape is not None and shape != expected:
                raise ShapeError(
                    f"{self.name}: expected {name} of shape {expected}, the sizes of x {x} along "
                    f"axis {self.axis}, received {shape}."
                )

    @property
    def _listed(self) -> tuple[int, ...]:
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The axes to normalise over, counted from the first."""
        return tuple(axis % rank for axis in self._listed)

    def _others(self, rank: int) -> tuple[int, ...]:
        """All other axes."""
        axes = self._axes(rank)
        return tuple(axis for axis in range(rank) if axis not in axes)

    def _aligned(self, weight: Array, rank: int) -> Array:
        """`weight` with an axis of size 1 for each axis of x that is not normalised."""
        return np.expand_dims(weight, self._others(rank))

    def _group(self, x: Array, cell: tuple[int, ...]) -> list[Cell]:
        """The cells of x that are normalised together with `cell`."""
        axes = self._axes(x.ndim)
        ranges = [range(x.shape[i]) if i in axes else [at] for i, at in enumerate(cell)]
        return [cell_of("x", x, place) for place in itertools.product(*ranges)]

    def _weight(self, cell: tuple[int, ...]) -> tuple[int, ...]:
        """The place in a weight that belongs to a cell of x."""
        return tuple(cell[axis] for axis in self._axes(len(cell)))

    def _users(self, cell: tuple[int, ...], dy: Array) -> list[Cell]:
        """The cells of dy that a cell of a weight contributed to."""
        fixed = dict(zip(self._axes(dy.ndim), cell, strict=True))
        users = [[fixed[i]] if i in fixed else range(n) for i, n in enumerate(dy.shape)]
        return [cell_of("dy", dy, place) for place in itertools.product(*users)]

"""Many numbers made one: their sum, mean, maximum …, along some axes.

    sum        y = Σ x               ∂L/∂x = dy
    mean       y = Σ x / m           ∂L/∂x = dy / m
    max, min   y = the largest or    ∂L/∂x = dy for the first that is, else 0
               smallest x
    prod       y = Π x               ∂L/∂x = dy · Π of the others
    logsumexp  y = log Σ exp(x)      ∂L/∂x = dy · exp(x − y)

over the m numbers that differ only in their place along `axes`.

| tensor | shape                                                     |
|--------|-----------------------------------------------------------|
| x      | any                                                       |
| y      | x's without `axes`, or with 1 along them where `keepdims` |

Source: the Array API standard, "Statistical Functions"; ONNX, `ReduceLogSumExp`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import (
    Call,
    Cell,
    Column,
    Constant,
    Expression,
    Maximum,
    Product,
    Sum,
    Table,
    cell_of,
)


@dataclass(frozen=True)
class Reduce(Operation):
    """Many numbers made one; the module's docstring has the formulas.

    Attributes:
        function: "sum", "mean", "max", "min", "prod" or "logsumexp".
        axes: The axes along which, counted from 0; None for all.
        keepdims: Whether the axes stay, with size 1.
    """

    function: str
    axes: tuple[int, ...] | None = None
    keepdims: bool = False

    name: ClassVar[str] = "reduce"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        if self.function not in _FORWARD:
            raise ArgumentError(
                f"reduce: function must be one of {', '.join(_FORWARD)}, received "
                f"{self.function!r}."
            )
        axes = self.axes
        if axes is not None and (
            not isinstance(axes, tuple)
            or not all(type(axis) is int and axis >= 0 for axis in axes)
            or len(set(axes)) != len(axes)
        ):
            raise ArgumentError(
                f"reduce: axes must be a tuple of different axes counted from 0, or None for all, "
                f"received {axes!r}."
            )

    @property
    def batched(self) -> bool:
        """Whether each sample is reduced alone."""
        return self.axes is not None and 0 not in self.axes

    def output_shape(self, x: Shape) -> Shape:
        """Return x's shape without the axes."""
        axes = self._axes(len(x))
        if axes and axes[-1] >= len(x):
            raise ShapeError(f"reduce: there is no axis {axes[-1]} in x of shape {x}.")
        if self.keepdims:
            return tuple(1 if i in axes else n for i, n in enumerate(x))
        return tuple(n for i, n in enumerate(x) if i not in axes)

    def forward(self, x: Array) -> Array:
        """Make one of many."""
        return np.asarray(_FORWARD[self.function](x, self._axes(x.ndim), self.keepdims))

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return each number's share of dy."""
        axes = self._axes(x.ndim)
        kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
        above = np.broadcast_to(dy.reshape(kept), x.shape)
        if self.function == "sum":
            return (above,)
        if self.function == "mean":
            return (above / self._count(x.shape),)
        if self.function == "logsumexp":
            return (above * np.exp(x - y.reshape(kept)),)
        rows = _as_rows(x, axes)
        shares = _others(rows) if self.function == "prod" else _winners(rows, self._best)
        return (above * _from_rows(shares, x.shape, axes),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """All the numbers that differ only in their place along the axes."""
        if self.function in ("sum", "mean"):
            total = Sum(self._table(cell, x))
            if self.function == "sum":
                return total
            return Product((Constant("1/m", 1 / self._count(x.shape)), total))
        cells = self._cells(self._place(cell, x.ndim), x)
        if self.function == "max":
            return Maximum(cells)
        if self.function == "prod":
            return Product(cells)
        return Call(self.function, cells, _MIN if self.function == "min" else _log_sum_exp)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The share of the one gradient."""
        axes = self._axes(x.ndim)
        made = [0 if i in axes else n for i, n in enumerate(cell)]
        place = made if self.keepdims else [n for i, n in enumerate(made) if i not in axes]
        above = cell_of("dy", dy, place)
        if self.function == "sum":
            return above
        if self.function == "mean":
            return Product((Constant("1/m", 1 / self._count(x.shape)), above))
        if self.function == "logsumexp":
            numbers = (cell_of("x", x, cell), cell_of("y", y, place))
            return Product((above, Call("exp(x − y)", numbers, lambda a, b: float(np.exp(a - b)))))
        cells = self._cells(tuple(made), x)
        own = next(i for i, other in enumerate(cells) if other.index == cell)
        if self.function == "prod":
            return Product((above, *cells[:own], *cells[own + 1 :]))
        first = self._best([other.value for other in cells]) == own
        which = "largest" if self.function == "max" else "smallest"
        return Product((above, Constant(f"is the {which}" if first else "is not", float(first))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every function along rows and columns, all axes, the batch, none."""
        for function in _FORWARD:
            yield Case(cls(function, (1, 2)), ((2, 3, 4, 2),))
            yield Case(cls(function, (2,), keepdims=True), ((2, 3, 4),))
            yield Case(cls(function), ((3, 4),))
        yield Case(cls("mean", (0, 2)), ((3, 2, 4),))
        yield Case(cls("max", None, keepdims=True), ((2, 3),))
        yield Case(cls("sum", ()), ((2, 3),))
        yield Case(cls("prod", (1,)), ((2, 3),), lambda _: (np.array([[0.0, 2, 3], [0, 0, 1]]),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Functions and axes that are not there."""
        yield Invalid(lambda: cls("median"), ArgumentError, "one of sum")
        yield Invalid(lambda: cls("sum", (-1,)), ArgumentError, "counted from 0")
        yield Invalid(lambda: cls("sum", (2,)).output_shape((2, 3)), ShapeError, "no axis 2")

    def _axes(self, rank: int) -> tuple[int, ...]:
        return tuple(range(rank)) if self.axes is None else tuple(sorted(self.axes))

    def _count(self, shape: tuple[int, ...]) -> int:
        return int(np.prod([shape[axis] for axis in self._axes(len(shape))], dtype=np.int64))

    @property
    def _best(self) -> Callable[..., Any]:
        return np.argmax if self.function == "max" else np.argmin

    def _place(self, cell: tuple[int, ...], rank: int) -> tuple[int, ...]:
        """The first of the numbers that are made one."""
        if self.keepdims:
            return cell
        axes, rest = self._axes(rank), iter(cell)
        return tuple(0 if i in axes else next(rest) for i in range(rank))

    def _cells(self, first: tuple[int, ...], x: Array) -> list[Cell]:
        axes = self._axes(x.ndim)
        places = [range(n) if i in axes else (first[i],) for i, n in enumerate(x.shape)]
        return [cell_of("x", x, place) for place in itertools.product(*places)]

    def _table(self, cell: tuple[int, ...], x: Array) -> Sequence[Expression]:
        axes, first = self._axes(x.ndim), self._place(cell, x.ndim)
        if not axes:
            return [cell_of("x", x, cell)]
        along = iter(np.indices([x.shape[axis] for axis in axes]).reshape(len(axes), -1))
        index = tuple(next(along) if i in axes else n for i, n in enumerate(first))
        return Table(self._count(x.shape), Column("x", x, index))


def _log_sum_exp(*numbers: float) -> float:
    largest = max(numbers)
    return float(largest + np.log(np.sum(np.exp(np.array(numbers) - largest))))


def _forward_log_sum_exp(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    largest = x.max(axis=axes, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, np.zeros_like(largest))
    with np.errstate(divide="ignore"):
        y: Array = np.log(np.exp(x - largest).sum(axis=axes, keepdims=True)) + largest
    return y if keepdims else y.squeeze(axes)


_MIN: Callable[..., float] = lambda *numbers: min(numbers)  # noqa: E731 (min takes no single one)

_FORWARD: dict[str, Callable[[Array, tuple[int, ...], bool], Array]] = {
    "sum": lambda x, axes, keepdims: x.sum(axis=axes, keepdims=keepdims),
    "mean": lambda x, axes, keepdims: x.mean(axis=axes, keepdims=keepdims),
    "max": lambda x, axes, keepdims: x.max(axis=axes, keepdims=keepdims),
    "min": lambda x, axes, keepdims: x.min(axis=axes, keepdims=keepdims),
    "prod": lambda x, axes, keepdims: x.prod(axis=axes, keepdims=keepdims),
    "logsumexp": _forward_log_sum_exp,
}


def _as_rows(x: Array, axes: tuple[int, ...]) -> Array:
    """Return x with the numbers that are made one in rows, in order."""
    moved = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
    return moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)


def _from_rows(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Return rows in the places that `_as_rows` took them from."""
    moved = rows.reshape(*rows.shape[:-1], *(shape[axis] for axis in axes))
    return np.moveaxis(moved, range(len(shape) - len(axes), len(shape)), axes)


def _winners(rows: Array, best: Callable[..., Any]) -> Array:
    """Return 1 for the first best number of each row, else 0."""
    places = np.expand_dims(best(rows, axis=-1), -1)
    wins: Array = np.arange(rows.shape[-1]) == places
    return wins.astype(rows.dtype)


def _others(rows: Array) -> Array:
    """Return for each number the product of the others in its row: those before and those after."""
    ones = np.ones_like(rows[..., :1])
    before = np.concatenate([ones, rows[..., :-1]], axis=-1).cumprod(axis=-1)
    after = np.concatenate([ones, rows[..., :0:-1]], axis=-1).cumprod(axis=-1)[..., ::-1]
    product: Array = before * after
    return product

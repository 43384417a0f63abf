"""The losses of a batch as one number: their mean, each counted by its weight.

    y = Σ_i weights[i] · x[i] / n

where n is, by `reduction`,

* ``"sum_over_batch_size"``: the number of values;
* ``"sum"``: 1;
* ``"mean_with_sample_weight"``: the sum of the weights.

| tensor  | shape                                                    |
|---------|----------------------------------------------------------|
| x       | any                                                      |
| weights | x's, or that of its first axes; left out: all weigh 1    |
| y       | ()                                                       |

Where n is 0 the mean is 0. Weights have no gradient.

Source: the reductions of Keras' losses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import agree
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")


@dataclass(frozen=True)
class WeightedMean(Operation):
    """The mean of weighted values; the module's docstring has the formula.

    Attributes:
        reduction: What the sum is divided by.
    """

    reduction: str = "sum_over_batch_size"

    name: ClassVar[str] = "weighted_mean"
    inputs: ClassVar[tuple[str, ...]] = ("x", "weights")
    optional: ClassVar[frozenset[str]] = frozenset({"weights"})
    constant: ClassVar[frozenset[str]] = frozenset({"weights"})

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            raise ArgumentError(
                f"weighted_mean: reduction must be one of {', '.join(REDUCTIONS)}, "
                f"received {self.reduction!r}."
            )

    def output_shape(self, x: Shape, weights: Shape | None = None) -> Shape:
        """Return ()."""
        if weights is not None and not agree(_one_each(weights, x), x[: len(weights)]):
            raise ShapeError(
                f"weighted_mean: expected weights of the shape of x, {x}, or of its first axes, "
                f"received {weights}."
            )
        return ()

    def forward(self, x: Array, weights: Array | None = None) -> Array:
        """Add up the weighted values and divide."""
        total = x.sum() if weights is None else (x * _spread(weights, x)).sum()
        return np.asarray(total * x.dtype.type(self._share(x, weights)))

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        weights: Array | None = None,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Return dx = dy · weights / n."""
        dx = np.full(x.shape, dy * x.dtype.type(self._share(x, weights)), x.dtype)
        if weights is not None:
            dx *= _spread(weights, x)
        return dx, None

    def terms(self, cell: tuple[int, ...], x: Array, weights: Array | None = None) -> Expression:
        """Every value with its weight, added up and divided."""
        values = [
            Product((cell_of("x", x, place), *_weight_of(place, weights)))
            for place in np.ndindex(x.shape)
        ]
        return Product((Constant("1/n", self._share(x, weights)), Sum(values)))

    def gradient_terms(
        self,
        wrt: str,
        cell: tuple[int, ...],
        dy: Array,
        y: Array,
        x: Array,
        weights: Array | None = None,
    ) -> Expression:
        """The value's weight, divided by n."""
        share = Constant("1/n", self._share(x, weights))
        return Product((cell_of("dy", dy, ()), share, *_weight_of(cell, weights)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every reduction, with weights for each value, for each sample, and for none."""
        for reduction in REDUCTIONS:
            yield Case(cls(reduction), ((5,), None))
            yield Case(cls(reduction), ((4,), (4,)), lambda g: (g.normal(size=4), g.random(4)))
            yield Case(
                cls(reduction), ((3, 2), (3,)), lambda g: (g.normal(size=(3, 2)), g.random(3))
            )
        yield Case(cls(), ((2, 3, 2), (2, 3)))
        yield Case(cls(), ((3,), (3, 1)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """An unknown reduction, weights for another batch."""
        yield Invalid(lambda: cls("mean_of_squares"), ArgumentError, "reduction")
        yield Invalid(lambda: cls().output_shape((4,), (3,)), ShapeError, "weights")
        yield Invalid(lambda: cls().output_shape((4,), (4, 2)), ShapeError, "weights")

    def _share(self, x: Array, weights: Array | None) -> float:
        """1/n, and 0 where n is 0."""
        if self.reduction == "sum":
            return 1.0
        n: float = x.size
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            n = float(np.broadcast_to(_spread(weights, x), x.shape).sum(dtype=np.float64))
        return 1 / n if n else 0.0


def _one_each(weights: Shape, x: Shape) -> Shape:
    """(N, 1) → (N,) where x is (N,): the shape that the weights are read in."""
    return weights[:-1] if len(weights) == len(x) + 1 and weights[-1] == 1 else weights


def _spread(weights: Array, x: Array) -> Array:
    """The weights with as many axes as x, in its type."""
    shape = [n for n in _one_each(weights.shape, x.shape) if n is not None]
    return weights.reshape(*shape, *[1] * (x.ndim - len(shape))).astype(x.dtype, copy=False)


def _weight_of(place: tuple[int, ...], weights: Array | None) -> tuple[Expression, ...]:
    """The weight of the value at `place`, if there are weights."""
    if weights is None:
        return ()
    return (cell_of("weights", weights, (*place, 0)[: weights.ndim]),)

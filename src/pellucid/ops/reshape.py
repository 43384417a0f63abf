"""The same numbers in another shape, in the same order (the last axis runs fastest).

    y[n].ravel() = x[n].ravel(),    or of the whole tensor: y.ravel() = x.ravel()

| tensor | shape                                                    |
|--------|----------------------------------------------------------|
| x      | (N, …), or any of the whole tensor                       |
| y      | (N, *target_shape), or target_shape of the whole tensor  |

One size of the target may be −1: it becomes what is left over.

Source: Keras' Reshape layer; the Array API standard, `reshape`, for the whole tensor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import product
from pellucid.ops._terms import Expression, cell_of

_MOST_AXES = 64
"""As many as NumPy's arrays can have."""


@dataclass(frozen=True)
class Reshape(Operation):
    """Another shape for every sample; the module's docstring has the formula.

    Attributes:
        target_shape: The shape of one sample, without the batch axis; at most one size is −1.
        whole: Whether the batch axis takes part: then target_shape is that of the whole tensor.
    """

    target_shape: tuple[int, ...]
    whole: bool = False

    name: ClassVar[str] = "reshape"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        target = self.target_shape
        if isinstance(target, tuple) and len(target) + (not self.whole) > _MOST_AXES:
            raise ArgumentError(f"reshape: a tensor has at most {_MOST_AXES} axes.")
        whole = isinstance(target, tuple) and all(isinstance(n, int) for n in target)
        if not whole or any(n < -1 for n in target) or target.count(-1) > 1:
            raise ArgumentError(
                f"reshape: target_shape must be a tuple of sizes, of which at most one is -1, "
                f"received {target!r}."
            )

    @property
    def batched(self) -> bool:
        """Whether the batch takes no part."""
        return not self.whole

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, *target_shape), or target_shape, with the size for −1 worked out."""
        if not x and not self.whole:
            raise ShapeError("reshape: expected x with at least 1 axis (N, …), received shape ().")
        kept, taken = ((), x) if self.whole else (x[:1], x[1:])
        cells = product(taken)
        rest = product(tuple(n for n in self.target_shape if n != -1))
        if cells is None or rest is None:
            return (*kept, *(None if n == -1 else n for n in self.target_shape))
        left, over = divmod(cells, rest) if rest else (0, cells)
        if over or (-1 not in self.target_shape and cells != rest):
            raise ShapeError(
                f"reshape: the {cells} numbers of {'x' if self.whole else 'a sample'} of shape "
                f"{taken} do not fit into target_shape {self.target_shape}."
            )
        return (*kept, *(left if n == -1 else n for n in self.target_shape))

    def forward(self, x: Array) -> Array:
        """Read the same numbers in another shape."""
        return x.reshape([n for n in self.output_shape(x.shape) if n is not None])

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dy in the shape of x."""
        return (dy.reshape(x.shape),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The one number, from where it stood."""
        shape = tuple(n for n in self.output_shape(x.shape) if n is not None)
        return cell_of("x", x, _same_place(cell, shape, x.shape))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient of the one number, from where it went."""
        return cell_of("dy", dy, _same_place(cell, x.shape, dy.shape))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """More axes, fewer axes, a size worked out."""
        yield Case(cls((4, 3, 1)), ((2, 12),))
        yield Case(cls((-1, 6)), ((3, 4, 3),))
        yield Case(cls((2, -1, 2)), ((1, 4, 2, 2),))
        yield Case(cls((-1,)), ((2, 3, 2),))
        yield Case(cls(()), ((3, 1),))
        yield Case(cls((3, -1), whole=True), ((2, 3, 2),))
        yield Case(cls((6,), whole=True), ((3, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Targets that cannot be, and that do not fit."""
        yield Invalid(lambda: cls((-1, -1)), ArgumentError, "at most one")
        yield Invalid(lambda: cls((-2, 3)), ArgumentError, "target_shape")
        yield Invalid(lambda: cls((1,) * 64), ArgumentError, "64 axes")
        yield Invalid(lambda: cls((5, 2)).output_shape((1, 12)), ShapeError, "do not fit")
        yield Invalid(lambda: cls((5,), whole=True).output_shape((2, 3)), ShapeError, "do not fit")
        yield Invalid(lambda: cls((5, -1)).output_shape((1, 12)), ShapeError, "do not fit")


def _same_place(
    cell: tuple[int, ...], shape: tuple[int, ...], other: tuple[int, ...]
) -> tuple[int, ...]:
    """Return where the cell of a tensor of `shape` is when it has the `other` shape."""
    place = int(np.ravel_multi_index(cell, shape))
    return tuple(int(i) for i in np.unravel_index(place, other))

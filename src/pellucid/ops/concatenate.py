"""Tensors one after another along one axis.

    y[…, i + offset_t, …] = x_t[…, i, …],        offset_t = the sizes of x_0 … x_(t−1) added up

| tensor   | shape                                    |
|----------|------------------------------------------|
| x0, x1 … | the same, but along `axis`               |
| y        | along `axis` the sum of the sizes        |

Each tensor gets its own piece of the gradient.

Source: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (branches side by side); Huang,
Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._shapes import agree, axis_index
from pellucid.ops._terms import Expression, cell_of


@dataclass(frozen=True)
class Concatenate(Operation):
    """Tensors one after another; the module's docstring has the formula.

    Attributes:
        axis: The axis along which they are put together.
    """

    axis: int = -1

    name: ClassVar[str] = "concatenate"
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    variadic: ClassVar[bool] = True

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the common shape with the sizes along the axis added up."""
        if not shapes:
            raise ShapeError("concatenate: expected at least one tensor, received none.")
        axis = axis_index(self.name, self.axis, shapes[0])
        others = [(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes]
        if not all(agree(a, b) for i, a in enumerate(others) for b in others[:i]):
            raise ShapeError(
                f"concatenate: expected shapes that differ along axis {self.axis} alone, "
                f"received {', '.join(str(shape) for shape in shapes)}."
            )
        sizes = [shape[axis] for shape in shapes]
        known = [n for n in sizes if n is not None]
        rows = [
            next((n for n in column if n is not None), None) for column in zip(*others, strict=True)
        ]
        rows[axis] = sum(known) if len(known) == len(sizes) else None
        return tuple(rows)

    def forward(self, *tensors: Array) -> Array:
        """Copy the tensors side by side."""
        return np.concatenate(tensors, axis=self.axis)

    def backward(
        self, dy: Array, y: Array, *tensors: Array, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return each tensor's piece of dy."""
        return tuple(np.split(dy, self._offsets(tensors)[1:], axis=self.axis))

    def terms(self, cell: tuple[int, ...], *tensors: Array) -> Expression:
        """The one number, from where it stood."""
        axis = self.axis % len(cell)
        offsets = self._offsets(tensors)
        t = int(np.searchsorted(np.cumsum([x.shape[axis] for x in tensors]), cell[axis], "right"))
        place = (*cell[:axis], cell[axis] - offsets[t], *cell[axis + 1 :])
        return cell_of(f"x{t}", tensors[t], place)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, *tensors: Array
    ) -> Expression:
        """The gradient of the one number, from where it went."""
        axis = self.axis % len(cell)
        offset = self._offsets(tensors)[self.input_names(len(tensors)).index(wrt)]
        return cell_of("dy", dy, (*cell[:axis], cell[axis] + offset, *cell[axis + 1 :]))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Channels, rows and the batch; one tensor, three, and an empty one."""
        yield Case(cls(), ((2, 3, 2), (2, 3, 4)))
        yield Case(cls(axis=1), ((2, 1, 3), (2, 2, 3), (2, 4, 3)))
        yield Case(cls(axis=0), ((1, 3), (2, 3)))
        yield Case(cls(axis=-2), ((2, 2, 1), (2, 0, 1), (2, 3, 1)))
        yield Case(cls(), ((3, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Shapes that differ elsewhere, an axis that is not there."""
        yield Invalid(lambda: cls().output_shape((2, 3), (4, 3)), ShapeError, "axis -1 alone")
        yield Invalid(lambda: cls().output_shape((2, 3), (2, 3, 1)), ShapeError, "axis -1 alone")
        yield Invalid(lambda: cls(axis=2).output_shape((2, 3), (2, 3)), ShapeError, "no axis 2")

    def _offsets(self, tensors: tuple[Array, ...]) -> list[int]:
        """Where each tensor begins."""
        return [0, *accumulate(x.shape[self.axis] for x in tensors[:-1])]

"""Resizing: every image becomes another number of rows and columns.

    y[n, i, j, c] = Σ_h Σ_w  R[i, h] · S[j, w] · x[n, h, w, c]

Row i of R has the weights of x's rows in output row i; S has those of the columns. Where output
cells lie between the input's, and what weighs how much there, `interpolation` and the attributes
after it choose (`_interpolation.py` has the formulas). With 'nearest' one weight is 1 and all
others are 0.

| tensor | shape          |
|--------|----------------|
| x      | (N, H, W, C)   |
| y      | (N, OH, OW, C) |

Source: the ONNX operator Resize; the defaults are those of Keras' image.resize and UpSampling2D.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._interpolation import COORDINATES, INTERPOLATIONS, ROUNDINGS, Interpolation
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
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of
from pellucid.ops._window import Pair, check_pair


@dataclass(frozen=True)
class Resize(Operation):
    """Resizing; the module's docstring has the formula.

    Attributes:
        size: The height and width of the output; None for ⌊size · scale⌋.
        scales: How many times as high and as wide; None for size / input size. With both given,
            `size` says how large the output is and `scales` where its cells lie.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5'.
        coordinates: Where output cells lie: 'half_pixel', 'half_pixel_symmetric',
            'pytorch_half_pixel', 'asymmetric' or 'align_corners'.
        rounding: Which cell is 'nearest': 'round_prefer_floor', 'round_prefer_ceil', 'floor' or
            'ceil'.
        cubic_coefficient: The slope of the 'bicubic' kernel at distance 1: −0.5 is Keys' and
            TensorFlow's, −0.75 PyTorch's.
        exclude_outside: Whether cells beyond the image's edge count for nothing, instead of as
            the cell at the edge.
        antialias: Whether each output cell takes in all that it covers when an image becomes
            smaller.
    """

    size: Pair | None = None
    scales: tuple[float, float] | None = None
    interpolation: str = "nearest"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_ceil"
    cubic_coefficient: float = -0.5
    exclude_outside: bool = True
    antialias: bool = False

    name: ClassVar[str] = "resize"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        if self.size is None and self.scales is None:
            raise ArgumentError(f"{self.name}: expected size or scales, received neither.")
        if self.size is not None:
            check_pair(self.name, "size", self.size)
        scales = self.scales
        if scales is not None and (len(scales) != 2 or not all(0 < s < math.inf for s in scales)):
            raise ArgumentError(
                f"{self.name}: scales must be two numbers (height, width) of more than 0, "
                f"received {self.scales!r}."
            )
        for name, choices in (
            ("interpolation", INTERPOLATIONS),
            ("coordinates", COORDINATES),
            ("rounding", tuple(ROUNDINGS)),
        ):
            if getattr(self, name) not in choices:
                raise ArgumentError(
                    f"{self.name}: {name} must be one of {', '.join(map(repr, choices))}, "
                    f"received {getattr(self, name)!r}."
                )

    def output_shape(self, x: Shape) -> Shape:
        """Return (N, OH, OW, C)."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        return (x[0], self._output(0, x[1]), self._output(1, x[2]), x[3])

    def forward(self, x: Array) -> Array:
        """Take rows and columns, or mix neighbouring ones."""
        rows, columns = self.axes(x.shape)
        if self.interpolation == "nearest":
            return x.take(rows.nearest(), axis=1).take(columns.nearest(), axis=2)
        return _mix(x, rows.matrix(), columns.matrix())

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return to every pixel the gradients of the pixels that it went into, as weighed there."""
        if "x" not in wrt:
            return (None,)
        rows, columns = self.axes(x.shape)
        return (_mix(dy, rows.matrix().T, columns.matrix().T),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The pixel, or those around the cell with their weights."""
        n, i, j, c = cell
        rows, columns = self.axes(x.shape)
        if self.interpolation == "nearest":
            return cell_of("x", x, (n, rows.nearest()[i], columns.nearest()[j], c))
        return _weighted("x", x, n, c, rows.matrix()[i], columns.matrix()[j])

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradients of the pixels that this one went into, as weighed there."""
        n, row, column, c = cell
        rows, columns = self.axes(x.shape)
        return _weighted("dy", dy, n, c, rows.matrix()[:, row], columns.matrix()[:, column])

    def axes(self, x: Shape) -> tuple[Interpolation, Interpolation]:
        """Return the interpolation along the height and along the width of images of this shape."""
        _, height, width, _ = known((1, *x[1:]))
        return self._along(0, height), self._along(1, width)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Larger and smaller; every interpolation, kind of coordinates and rounding."""
        yield Case(cls(scales=(2.0, 2.0)), ((2, 3, 4, 2),))
        yield Case(cls(scales=(3.0, 1.0), interpolation="bilinear"), ((1, 4, 2, 3),))
        yield Case(cls((2, 5), interpolation="bilinear"), ((2, 1, 3, 1),))
        yield Case(cls((5, 2), interpolation="bicubic"), ((1, 4, 5, 2),))
        yield Case(cls(None, (0.6, 2.4), "bicubic", exclude_outside=False), ((1, 5, 3, 1),))
        yield Case(cls((7, 3), interpolation="lanczos3"), ((1, 4, 6, 1),))
        yield Case(cls((3, 4), None, "lanczos5", antialias=True), ((1, 7, 5, 1),))
        yield Case(cls((3, 2), None, "bilinear", antialias=True), ((2, 7, 5, 1),))
        yield Case(cls((3, 7), None, "bicubic", antialias=True), ((1, 7, 5, 2),))
        for coordinates in COORDINATES:
            yield Case(cls((5, 3), None, "bilinear", coordinates), ((1, 3, 5, 2),))
            yield Case(cls((1, 4), None, "bilinear", coordinates), ((1, 3, 4, 1),))
        for rounding in ROUNDINGS:
            yield Case(cls((5, 3), None, "nearest", "asymmetric", rounding), ((1, 3, 5, 2),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(), ArgumentError, "size or scales")
        yield Invalid(lambda: cls((0, 2)), ArgumentError, "size")
        yield Invalid(lambda: cls(scales=(0.0, 2.0)), ArgumentError, "scales")
        yield Invalid(lambda: cls((2, 2), None, "cubic"), ArgumentError, "'bicubic'")
        yield Invalid(lambda: cls((2, 2), coordinates="corners"), ArgumentError, "'align_corners'")
        yield Invalid(lambda: cls((2, 2), rounding="round"), ArgumentError, "'floor'")
        yield Invalid(lambda: cls((2, 2)).output_shape((3, 3, 1)), ShapeError, "4 axes")
        yield Invalid(
            lambda: cls(scales=(0.2, 1.0)).output_shape((1, 3, 3, 1)), ShapeError, "nothing"
        )

    def _output(self, which: int, cells: int | None) -> int | None:
        if self.size is not None:
            return self.size[which]
        assert self.scales is not None
        if cells is None:
            return None
        outputs = math.floor(cells * self.scales[which])
        if outputs < 1:
            raise ShapeError(
                f"{self.name}: scales {self.scales} leave nothing of {cells} "
                f"{('rows', 'columns')[which]}."
            )
        return outputs

    def _along(self, which: int, cells: int) -> Interpolation:
        outputs = self._output(which, cells)
        assert outputs is not None
        return Interpolation(
            cells,
            outputs,
            None if self.scales is None else self.scales[which],
            self.interpolation,
            self.coordinates,
            self.rounding,
            self.cubic_coefficient,
            self.exclude_outside,
            self.antialias,
        )


def _mix(x: Array, rows: Array, columns: Array) -> Array:
    """Σ_h Σ_w rows[i, h] · columns[j, w] · x[n, h, w, c], one axis after the other."""
    n, _, width, channels = x.shape
    tall = rows.astype(x.dtype) @ x.reshape(n, rows.shape[1], width * channels)
    wide = columns.astype(x.dtype) @ tall.reshape(n * len(rows), width, channels)
    return np.asarray(wide.reshape(n, len(rows), len(columns), channels))


def _weighted(name: str, tensor: Array, n: int, c: int, rows: Array, columns: Array) -> Sum:
    """The cells of one channel of one image that have a weight, with it, row by row."""
    return Sum(
        [
            Product(
                (
                    Constant("weight", float(rows[i]) * float(columns[j])),
                    cell_of(name, tensor, (n, i, j, c)),
                )
            )
            for i in np.flatnonzero(rows).tolist()
            for j in np.flatnonzero(columns).tolist()
        ]
    )

"""Affine transformation: images moved, turned, scaled or sheared, each by its own matrix.

    y[n, i, j, c] = x at (row, column) of image n and channel c,
    row    = t[n, 0]·i + t[n, 1]·j + t[n, 2]
    column = t[n, 3]·i + t[n, 4]·j + t[n, 5]

The transform says, for each pixel of the output, where in the input it comes from. Between pixels,
'bilinear' mixes the four around the place by nearness, and 'nearest' takes the nearest one. A pixel
outside the image is, by `fill_mode`,

| fill_mode  | what lies beyond an edge a b c d |                                  |
|------------|----------------------------------|----------------------------------|
| 'reflect'  | d c b a ‖ a b c d ‖ d c b a      | the image mirrored at its edges  |
| 'wrap'     | a b c d ‖ a b c d ‖ a b c d      | the image again and again        |
| 'nearest'  | a a a a ‖ a b c d ‖ d d d d      | the pixel at the edge            |
| 'constant' | k k k k ‖ a b c d ‖ k k k k      | `fill_value`                     |

The transforms are an input, drawn by whoever trains: the operation itself has no randomness.

| tensor         | shape        |
|----------------|--------------|
| x              | (N, H, W, C) |
| transforms (t) | (N, 6)       |
| y              | as x         |

Source: `keras.ops.image.affine_transform`, whose transforms have columns (x) before rows (y).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Constant, Expression, Product, Sum, cell_of


@dataclass(frozen=True)
class _Tap:
    """One of the pixels that are mixed: for every output pixel, where it is and what it weighs."""

    rows: Array
    columns: Array
    weights: Array
    inside: Array


@dataclass(frozen=True)
class AffineTransform(Operation):
    """Affine transformation; the module's docstring has the formula.

    Attributes:
        fill_mode: What lies beyond the edges: 'reflect', 'wrap', 'constant' or 'nearest'.
        interpolation: What lies between pixels: 'bilinear' or 'nearest'.
        fill_value: The constant of fill_mode 'constant'.
    """

    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    fill_value: float = 0.0

    name: ClassVar[str] = "affine_transform"
    inputs: ClassVar[tuple[str, ...]] = ("x", "transforms")
    constant: ClassVar[frozenset[str]] = frozenset({"transforms"})

    def __post_init__(self) -> None:
        choices = {
            "fill_mode": ("reflect", "wrap", "constant", "nearest"),
            "interpolation": ("bilinear", "nearest"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ArgumentError(
                    f"{self.name}: {name} must be one of {', '.join(map(repr, known))}, "
                    f"received {getattr(self, name)!r}."
                )

    def output_shape(self, x: Shape, transforms: Shape) -> Shape:
        """Return the shape of x."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        if transforms != (x[0], 6):
            raise ShapeError(
                f"{self.name}: expected transforms of shape ({x[0]}, 6), two rows of a matrix for "
                f"each image, received {transforms}."
            )
        return x

    def forward(self, x: Array, transforms: Array) -> Array:
        """Fetch every tap's pixels, weigh them, add them up."""
        y = np.zeros_like(x)
        for tap in self._taps(x.shape, transforms):
            pixels = x[_images(x), tap.rows, tap.columns]
            if self.fill_mode == "constant":
                pixels[~tap.inside] = self.fill_value
            y += pixels * tap.weights[..., np.newaxis].astype(x.dtype)
        return y

    def backward(
        self,
        dy: Array,
        y: Array,
        x: Array,
        transforms: Array,
        *,
        wrt: Collection[str] = EVERYTHING,
    ) -> tuple[Array | None, ...]:
        """Hand every dy back to the pixels that were mixed, by their weights."""
        if "x" not in wrt:
            return None, None
        dx = np.zeros_like(x)
        for tap in self._taps(x.shape, transforms):
            weights = (tap.weights * tap.inside)[..., np.newaxis].astype(dy.dtype)
            np.add.at(dx, (_images(x), tap.rows, tap.columns), dy * weights)
        return dx, None

    def terms(self, cell: tuple[int, ...], x: Array, transforms: Array) -> Expression:
        """The pixels that are mixed, each with its weight."""
        n, i, j, c = cell
        products: list[Expression] = []
        for tap in self._taps(x.shape, transforms):
            weight = float(tap.weights[n, i, j])
            if weight:
                pixel: Expression = Constant("fill_value", self.fill_value)
                if tap.inside[n, i, j]:
                    pixel = cell_of("x", x, (n, tap.rows[n, i, j], tap.columns[n, i, j], c))
                products.append(Product((Constant("weight", weight), pixel)))
        return Sum(products)

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array, transforms: Array
    ) -> Expression:
        """The gradients of the pixels that this one was mixed into, by its weight there."""
        n, row, column, c = cell
        products: list[Expression] = []
        for tap in self._taps(x.shape, transforms):
            used = (tap.rows[n] == row) & (tap.columns[n] == column) & tap.inside[n]
            for i, j in np.argwhere(used & (tap.weights[n] != 0)):
                weight = Constant("weight", float(tap.weights[n, i, j]))
                products.append(Product((cell_of("dy", dy, (n, i, j, c)), weight)))
        return Sum(products)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every way to fill and to interpolate, on transforms that leave the image."""

        def make(generator: np.random.Generator) -> tuple[Array, Array]:
            still = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
            moved = generator.normal(0.0, [0.5, 0.5, 3.0, 0.5, 0.5, 3.0], (2, 6))
            transforms = np.stack([still, *(still + moved)])
            return generator.standard_normal((3, 4, 5, 2)), transforms

        for fill_mode in ("reflect", "wrap", "constant", "nearest"):
            for interpolation in ("bilinear", "nearest"):
                yield Case(cls(fill_mode, interpolation, 0.5), ((3, 4, 5, 2), (3, 6)), make)

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls("mirror"), ArgumentError, "'reflect', 'wrap'")
        yield Invalid(lambda: cls(interpolation="cubic"), ArgumentError, "'bilinear', 'nearest'")
        yield Invalid(lambda: cls().output_shape((2, 3, 4), (2, 6)), ShapeError, "4 axes")
        yield Invalid(lambda: cls().output_shape((2, 3, 4, 1), (2, 8)), ShapeError, "transforms")

    def _taps(self, x: tuple[int, ...], transforms: Array) -> Iterator[_Tap]:
        """Yield the pixels that are mixed; the tensors of each tap are (N, H, W)."""
        rows, columns = (
            self._neighbours(
                np.multiply.outer(transforms[:, first], np.arange(x[1]))[:, :, np.newaxis]
                + np.multiply.outer(transforms[:, first + 1], np.arange(x[2]))[:, np.newaxis]
                + transforms[:, first + 2, np.newaxis, np.newaxis],
                size,
            )
            for first, size in ((0, x[1]), (3, x[2]))
        )
        for row, row_inside, row_weight in rows:
            for column, column_inside, column_weight in columns:
                yield _Tap(row, column, row_weight * column_weight, row_inside & column_inside)

    def _neighbours(self, place: Array, size: int) -> list[tuple[Array, Array, Array]]:
        """The cells around a place along one axis: which, whether inside, what weight."""
        if self.interpolation == "nearest":
            return [(*self._fold(np.floor(place + 0.5), size), np.ones(place.shape))]
        low = np.floor(place)
        return [
            (*self._fold(low, size), low + 1 - place),
            (*self._fold(low + 1, size), place - low),
        ]

    def _fold(self, cells: Array, size: int) -> tuple[Array, Array]:
        """Cells brought into the image, and whether they have a pixel of it."""
        cells = cells.astype(np.int64)
        everywhere = np.ones(cells.shape, bool)
        if self.fill_mode == "wrap":
            return cells % size, everywhere
        if self.fill_mode == "reflect":
            cells = cells % (2 * size)
            return np.minimum(cells, 2 * size - 1 - cells), everywhere
        inside = (cells >= 0) & (cells < size)
        return np.clip(cells, 0, size - 1), everywhere if self.fill_mode == "nearest" else inside


def _images(x: Array) -> Array:
    """The index of each image, ready to go with rows and columns of shape (N, H, W)."""
    return np.arange(len(x))[:, np.newaxis, np.newaxis]

"""Interpolation along one axis, as a matrix: how much of each input cell is in each output cell.

Output cell i lies at a coordinate u between the input's cells. With `n` input cells, `m` output
cells, and a scale s (m / n unless it is given) it is

| coordinates          | u                                                    |
|----------------------|------------------------------------------------------|
| half_pixel           | (i + ½) / s − ½                                      |
| half_pixel_symmetric | the same, plus n/2 · (1 − m / (n·s))                 |
| pytorch_half_pixel   | as half_pixel, but 0 for a single output cell        |
| asymmetric           | i / s                                                |
| align_corners        | i · (n − 1) / (n·s − 1), and 0 where n·s = 1         |

'nearest' takes the cell that u is rounded to. Every other method weighs the cells around u by a
kernel of their distance. A cell beyond an end counts as the last one before it, or, with
`exclude_outside`, not at all: then the others' weights are made to add up to 1.

Source: the ONNX operator Resize; Keys, "Cubic Convolution Interpolation for Digital Image
Processing", IEEE Transactions on Acoustics, Speech, and Signal Processing 29(6), 1981.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pellucid.ops._operation import Array

__all__ = ["COORDINATES", "INTERPOLATIONS", "ROUNDINGS", "Interpolation"]

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "asymmetric",
    "align_corners",
)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda u: np.ceil(u - 0.5),
    "round_prefer_ceil": lambda u: np.floor(u + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
_RADIUS = {"bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}


@dataclass(frozen=True)
class Interpolation:
    """Interpolation along one axis; the module's docstring has the formulas.

    Attributes:
        cells: How many input cells there are.
        outputs: How many output cells there are.
        scale: s; None for outputs / cells.
        method: One of INTERPOLATIONS.
        coordinates: One of COORDINATES.
        rounding: One of ROUNDINGS, for 'nearest'.
        cubic_coefficient: The kernel's slope at distance 1, for 'bicubic'.
        exclude_outside: Whether cells beyond the ends count for nothing.
        antialias: Whether the kernel becomes wider, by 1 / s, where s is less than 1.
    """

    cells: int
    outputs: int
    scale: float | None
    method: str
    coordinates: str
    rounding: str
    cubic_coefficient: float
    exclude_outside: bool
    antialias: bool

    def places(self) -> Array:
        """Return u for each output cell."""
        i = np.arange(self.outputs, dtype=np.float64)
        length = self.outputs if self.scale is None else self.scale * self.cells
        if self.coordinates == "align_corners":
            return np.zeros_like(i) if length == 1 else i * (self.cells - 1) / (length - 1)
        if self.coordinates == "pytorch_half_pixel" and self.outputs == 1:
            return np.zeros_like(i)
        half = 0.0 if self.coordinates == "asymmetric" else 0.5
        # Without a scale multiplied first: what is half-way between two cells stays so exactly.
        u = (
            (i + half) * self.cells / self.outputs
            if self.scale is None
            else (i + half) / self.scale
        )
        if self.coordinates == "half_pixel_symmetric":
            u += self.cells / 2 * (1 - self.outputs / length)
        return u - half

    def nearest(self) -> Array:
        """Return the input cell that each output cell is, for 'nearest'."""
        rounded = ROUNDINGS[self.rounding](self.places())
        return np.clip(rounded, 0, self.cells - 1).astype(int)

    def matrix(self) -> Array:
        """Return the weights, (outputs, cells), read-only."""
        return _matrix(self)

    def kernel(self, distance: Array) -> Array:
        """Return the weight of a cell at a distance of at least 0, not yet normalised."""
        radius = _RADIUS[self.method]
        if self.method == "bilinear":
            return np.asarray(np.maximum(1 - distance, 0))
        if self.method == "bicubic":
            a, d = self.cubic_coefficient, distance
            near = ((a + 2) * d - (a + 3)) * d * d + 1
            far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
            return np.where(d <= 1, near, np.where(d < radius, far, 0))
        window: Array = np.sinc(distance) * np.sinc(distance / radius)
        return np.where(distance < radius, window, 0)


@lru_cache(maxsize=32)
def _matrix(along: Interpolation) -> Array:
    weights = np.zeros((along.outputs, along.cells))
    rows = np.arange(along.outputs)[:, np.newaxis]
    if along.method == "nearest":
        weights[rows[:, 0], along.nearest()] = 1
    else:
        u = along.places()[:, np.newaxis]
        scale = along.outputs / along.cells if along.scale is None else along.scale
        wider = max(1 / scale, 1.0) if along.antialias else 1.0
        reach = math.ceil(_RADIUS[along.method] * wider)
        around = np.floor(u) + np.arange(1 - reach, reach + 1)
        shares = along.kernel(np.abs(u - around) / wider)
        shares /= shares.sum(axis=1, keepdims=True)
        if along.exclude_outside:
            shares *= (around >= 0) & (around < along.cells)
            shares /= shares.sum(axis=1, keepdims=True)
        inside = np.clip(around, 0, along.cells - 1).astype(int)
        np.add.at(weights, (rows, inside), shares)
    weights.flags.writeable = False
    return weights

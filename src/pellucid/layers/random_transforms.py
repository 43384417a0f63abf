"""Layers that move, stretch or turn images at random while a model trains."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, number
from pellucid.layers._layer import LayerOptions
from pellucid.layers._random import Factor, Limits, RandomLayer
from pellucid.ops._operation import Array, Shape
from pellucid.ops.affine_transform import AffineTransform

__all__ = ["RandomRotation", "RandomTranslation", "RandomZoom"]


class _RandomTransform(RandomLayer):
    """A random layer that moves, turns or stretches images."""

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        options: LayerOptions,
    ) -> None:
        super().__init__(seed, data_format, options)
        known = ("reflect", "wrap", "constant", "nearest")
        self.fill_mode = choice(self.name, "fill_mode", fill_mode, known)
        self.interpolation = choice(
            self.name, "interpolation", interpolation, ("nearest", "bilinear")
        )
        self.fill_value = number(self.name, "fill_value", fill_value)
        self._op = AffineTransform(self.fill_mode, self.interpolation, self.fill_value)

    def augment(self, g: Tracer, x: Value) -> Value:
        """Transform each image by a matrix of its own."""
        height, width = self._size(x.shape)

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            drawn = self.transforms(generator, batch_size, height, width)
            return drawn.astype(np.float32)

        return g.apply(self._op, x, g.random((x.shape[0], 6), sample, seed=self.seed))

    def transforms(
        self, generator: np.random.Generator, batch_size: int, height: int, width: int
    ) -> Array:
        """Draw a transform for each image, (N, 6), for `affine_transform`."""
        raise NotImplementedError  # every subclass has its own

    def _size(self, shape: Shape) -> tuple[int, int]:
        if len(shape) != 4 or shape[1] is None or shape[2] is None:
            raise ShapeError(
                f"{self.name}: expected images (N, H, W, C) of a known height and width, "
                f"received shape {shape}."
            )
        return shape[1], shape[2]


class RandomTranslation(_RandomTransform):
    """In training, each image moved by a random distance: (N, H, W, C), kept.

    Args:
        height_factor: How far down at most, as a share of the height: f for −f to f, or two
            numbers (lowest, highest); negative is up. From −1 to 1.
        width_factor: How far to the right at most, as a share of the width, likewise.
        fill_mode: What lies beyond the edges of a row a b c d: "reflect" (d c b a | a b c d |
            d c b a), "wrap" (a b c d | a b c d | a b c d), "nearest" (a a a a | a b c d | d d d d)
            or "constant" (`fill_value`).
        interpolation: "bilinear" or "nearest", for places between pixels.
        seed: A seed of its own; None for the global one.
        fill_value: The number beyond the edges if `fill_mode` is "constant".
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or H or W is not known.

    >>> import numpy as np
    >>> RandomTranslation(0.1, 0.1)(np.zeros((2, 28, 28, 1)), training=True).shape
    (2, 28, 28, 1)
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, options)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height = self.limits("height_factor", height_factor, -1, 1)
        self._width = self.limits("width_factor", width_factor, -1, 1)

    def transforms(
        self, generator: np.random.Generator, batch_size: int, height: int, width: int
    ) -> Array:
        """Draw a translation for each image."""
        down = generator.uniform(*self._height, batch_size) * height
        right = generator.uniform(*self._width, batch_size) * width
        return translation(down, right)


class RandomZoom(_RandomTransform):
    """In training, each image made larger or smaller around its centre: (N, H, W, C), kept.

    Args:
        height_factor: How much more of the height is seen: f for −f to f, or two numbers
            (lowest, highest). 0.2 shows 20% more, so all is smaller; −0.2 shows 20% less. Above −1,
            at most 1.
        width_factor: The same for the width; None to keep the proportions.
        fill_mode: What lies beyond the edges: "reflect", "wrap", "nearest" or "constant", as in
            `RandomTranslation`.
        interpolation: "bilinear" or "nearest", for places between pixels.
        seed: A seed of its own; None for the global one.
        fill_value: The number beyond the edges if `fill_mode` is "constant".
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or H or W is not known.

    >>> import numpy as np
    >>> RandomZoom((-0.2, 0.0))(np.zeros((2, 28, 28, 1)), training=True).shape
    (2, 28, 28, 1)
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, options)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height = self._zoom_limits("height_factor", height_factor)
        self._width = None
        if width_factor is not None:
            self._width = self._zoom_limits("width_factor", width_factor)

    def transforms(
        self, generator: np.random.Generator, batch_size: int, height: int, width: int
    ) -> Array:
        """Draw a zoom for each image."""
        rows = columns = 1 + generator.uniform(*self._height, batch_size)
        if self._width is not None:
            columns = 1 + generator.uniform(*self._width, batch_size)
        return zoom(rows, columns, height, width)

    def _zoom_limits(self, name: str, factor: Any) -> Limits:
        low, high = self.limits(name, factor, -1, 1)
        if low <= -1 or high > 1:
            raise ArgumentError(
                f"{self.name}: {name} must lie above -1 and be at most 1, received {factor!r}."
            )
        return low, high


class RandomRotation(_RandomTransform):
    """In training, each image turned around its centre by a random angle: (N, H, W, C), kept.

    Args:
        factor: The angle as a share of a full turn: f for −f to f, or two numbers (lowest,
            highest). 0.1 turns by up to 36° either way; positive is counter-clockwise.
        fill_mode: What lies beyond the edges: "reflect", "wrap", "nearest" or "constant", as in
            `RandomTranslation`.
        interpolation: "bilinear" or "nearest", for places between pixels.
        seed: A seed of its own; None for the global one.
        fill_value: The number beyond the edges if `fill_mode` is "constant".
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or H or W is not known.

    >>> import numpy as np
    >>> RandomRotation(0.05)(np.zeros((2, 28, 28, 1)), training=True).shape
    (2, 28, 28, 1)
    """

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, options)
        self.factor = self.limits("factor", factor, -1, 1)

    def transforms(
        self, generator: np.random.Generator, batch_size: int, height: int, width: int
    ) -> Array:
        """Draw a rotation for each image."""
        angles = 2 * np.pi * generator.uniform(*self.factor, batch_size)
        return rotation(angles, height, width)


# The transforms: for each image, (N, 6), where in the input the pixel (row, column) of the output
# is read:
#
#     input row    = t0 · row + t1 · column + t2
#     input column = t3 · row + t4 · column + t5


def translation(down: Array, right: Array) -> Array:
    """Return the transforms that move images down and to the right by so many pixels."""
    one, zero = np.ones_like(down), np.zeros_like(down)
    return np.stack([one, zero, -down, zero, one, -right], axis=1)


def zoom(rows: Array, columns: Array, height: int, width: int) -> Array:
    """Return the transforms that show so many times the height and width, around the centre."""
    zero = np.zeros_like(rows)
    top, left = (1 - rows) * (height - 1) / 2, (1 - columns) * (width - 1) / 2
    return np.stack([rows, zero, top, zero, columns, left], axis=1)


def rotation(angles: Array, height: int, width: int) -> Array:
    """Return the transforms that turn images counter-clockwise by angles, around the centre."""
    cosine, sine = np.cos(angles), np.sin(angles)
    y, x = (height - 1) / 2, (width - 1) / 2
    top, left = y - y * cosine - x * sine, x - x * cosine + y * sine
    return np.stack([cosine, sine, top, -sine, cosine, left], axis=1)

"""Rescaling, and layers that change images at random while a model trains.

The random layers do nothing at inference. In training each image gets numbers of its own, drawn
anew for each step, uniformly between two limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, number, seed_argument
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.ops._operation import Array, Shape
from pellucid.ops.activation import Activation
from pellucid.ops.adjust_contrast import AdjustContrast
from pellucid.ops.affine_transform import AffineTransform
from pellucid.ops.flip import Flip
from pellucid.ops.rescaling import Rescaling as RescalingOperation

__all__ = [
    "RandomContrast",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
]

Limits = tuple[float, float]
Factor = float | Sequence[float]


class Rescaling(Layer):
    """Every number times a scale, plus an offset: y = x · scale + offset; the shape is kept.

    Args:
        scale: A number, or one for each channel.
        offset: A number, or one for each channel.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not a number, or a list of them.
        ShapeError: The input has another number of channels.

    >>> Rescaling(2, offset=-1)([[0.0, 0.5, 1.0]])
    array([[-1.,  0.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        scale: float | Sequence[float],
        offset: float | Sequence[float] = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.scale = self._numbers("scale", scale)
        self.offset = self._numbers("offset", offset)
        self._op = RescalingOperation(_hashable(self.scale), _hashable(self.offset))

    def call(self, g: Tracer, x: Value) -> Value:
        """Multiply and add."""
        return g.apply(self._op, x)

    def _numbers(self, name: str, value: Any) -> float | list[float]:
        if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
            value = value["config"].get("value")  # an array, as a model file holds it
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, list | tuple):
            return [number(self.name, name, n) for n in value]
        return number(self.name, name, value)


class _RandomLayer(Layer):
    """What the random layers share: a seed, and nothing to do at inference."""

    def __init__(self, seed: int | None, data_format: str | None, options: LayerOptions) -> None:
        super().__init__(**options)
        self.seed = seed_argument(self.name, seed)
        self.data_format = require_channels_last(self.name, data_format)

    def call(self, g: Tracer, x: Value) -> Value:
        """In training, change each image in its own way."""
        return self.augment(g, x) if g.training else x

    def augment(self, g: Tracer, x: Value) -> Value:
        """Apply the operation to numbers drawn at random."""
        raise NotImplementedError  # every subclass has its own

    def limits(self, name: str, factor: Any, low: float, high: float) -> Limits:
        """Return (−f, f) for a number f, or two numbers in order, none below `low`."""
        pair = factor if isinstance(factor, list | tuple) else (factor,)
        if len(pair) not in (1, 2):
            raise ArgumentError(
                f"{self.name}: {name} must be a number or a pair (lowest, highest), "
                f"received {factor!r}."
            )
        numbers = [number(self.name, name, n) for n in pair]
        # Of a pair, Keras lets the limits themselves lie outside, if some of what is between fits.
        if numbers[0] > high or numbers[-1] < low or (len(numbers) == 1 and numbers[0] < low):
            raise ArgumentError(
                f"{self.name}: {name} must lie from {low:g} to {high:g}, received {factor!r}."
            )
        if len(numbers) == 1:
            numbers = [max(-abs(numbers[0]), low), abs(numbers[0])]
        return min(numbers), max(numbers)


class RandomFlip(_RandomLayer):
    """In training, half of the images mirrored: (N, H, W, C), kept.

    Args:
        mode: "horizontal" (left and right change places), "vertical" (top and bottom), or
            "horizontal_and_vertical" (both at once: a turn by 180°).
        seed: A seed of its own; None for the global one.
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    >>> import numpy as np
    >>> RandomFlip("horizontal")(np.zeros((2, 28, 28, 1)), training=True).shape
    (2, 28, 28, 1)
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed, data_format, options)
        known = ("horizontal", "vertical", "horizontal_and_vertical")
        self.mode = choice(self.name, "mode", mode, known)

    def augment(self, g: Tracer, x: Value) -> Value:
        """Mirror the images whose flags are set: one draw for each image, along both axes."""
        along = np.array(["vertical" in self.mode, "horizontal" in self.mode])

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            flags: Array = (generator.random((batch_size, 1), np.float32) <= 0.5) & along
            return flags

        return g.apply(Flip(), x, g.random((x.shape[0], 2), sample, seed=self.seed))


class _RandomTransform(_RandomLayer):
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


class RandomContrast(_RandomLayer):
    """In training, the contrast of each image changed: (N, H, W, C), kept.

    y = mean + (x − mean) · f, cut off at `value_range`, with the mean of each channel over the
    image and f drawn from 1 − lower to 1 + upper.

    Args:
        factor: (lower, upper); or one number, which is the upper, and the lower is 0, as in
            Keras 3.
        value_range: The smallest and the largest number that a pixel can have.
        seed: A seed of its own; None for the global one.
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    >>> import numpy as np
    >>> RandomContrast((0.2, 0.2))(np.zeros((2, 28, 28, 1)), training=True).shape
    (2, 28, 28, 1)
    """

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed, data_format, options)
        self.factor = self.limits("factor", factor, 0, 1)
        if not isinstance(value_range, list | tuple) or len(value_range) != 2:
            raise ArgumentError(
                f"{self.name}: value_range must be a pair (smallest, largest), "
                f"received {value_range!r}."
            )
        low, high = (number(self.name, "value_range", n) for n in value_range)
        if low >= high:
            raise ArgumentError(
                f"{self.name}: value_range must begin below its end, received {value_range!r}."
            )
        self.value_range = (low, high)

    def augment(self, g: Tracer, x: Value) -> Value:
        """Change the contrast of each image by a factor of its own."""
        low, high = 1 - self.factor[0], 1 + self.factor[1]

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            return generator.uniform(low, high, (batch_size, 1)).astype(np.float32)

        factors = g.random((x.shape[0], 1), sample, seed=self.seed)
        adjusted = g.apply(AdjustContrast(), x, factors, role="adjusted")
        return self._clip(g, adjusted)

    def _clip(self, g: Tracer, x: Value) -> Value:
        """Cut off at the value range: a ReLU that begins at its lower end and stops rising."""
        low, high = self.value_range
        clip = Activation("relu", max_value=high - low)
        if low == 0:
            return g.apply(clip, x)
        lowered = g.apply(RescalingOperation(1.0, -low), x, role="lowered")
        clipped = g.apply(clip, lowered, role="clipped")
        return g.apply(RescalingOperation(1.0, low), clipped)


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


def _hashable(value: float | list[float]) -> float | tuple[float, ...]:
    return tuple(value) if isinstance(value, list) else value

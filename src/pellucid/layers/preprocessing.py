"""Rescaling, resizing, and layers that mirror images or change their contrast in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, number, positive
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.layers._random import Factor, RandomLayer
from pellucid.ops._interpolation import INTERPOLATIONS
from pellucid.ops._operation import Array
from pellucid.ops._resizing import resizing
from pellucid.ops.activation import Activation
from pellucid.ops.add import Add
from pellucid.ops.adjust_contrast import AdjustContrast
from pellucid.ops.flip import Flip
from pellucid.ops.rescaling import Rescaling as RescalingOperation

__all__ = ["RandomBrightness", "RandomContrast", "RandomFlip", "Rescaling", "Resizing"]


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


class Resizing(Layer):
    """Images brought to one size: (N, H, W, C) → (N, height, width, C).

    Args:
        height: The output's height.
        width: The output's width.
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: Whether to keep the proportions by cutting off what is too much.
        pad_to_aspect_ratio: Whether to keep the proportions by adding what lacks.
        fill_mode: "constant", the only one.
        fill_value: What is added.
        antialias: Whether each pixel takes in all that it covers when an image becomes smaller.
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or its proportions are needed and not known.

    >>> Resizing(1, 4)([[[[0.0], [1.0]]]]).ravel()
    array([0.  , 0.25, 0.75, 1.  ], dtype=float32)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.height = positive(self.name, "height", height)
        self.width = positive(self.name, "width", width)
        self.interpolation = choice(self.name, "interpolation", interpolation, INTERPOLATIONS)
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_mode = choice(self.name, "fill_mode", fill_mode, ("constant",))
        self.fill_value = number(self.name, "fill_value", fill_value)
        self.antialias = bool(antialias)
        self.data_format = require_channels_last(self.name, data_format)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError(
                f"{self.name}: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be "
                f"True."
            )

    def call(self, g: Tracer, x: Value) -> Value:
        """Cut off or add what the proportions ask for; resize."""
        *first, resize = resizing(
            self.name,
            x.shape,
            (self.height, self.width),
            self.interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
        )
        for op in first:
            x = g.apply(op, x, role="proportioned")
        return g.apply(resize, x)


class RandomFlip(RandomLayer):
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


class _InRange(RandomLayer):
    """A random layer whose images stay within a range of numbers."""

    def __init__(
        self,
        value_range: Sequence[float],
        seed: int | None,
        data_format: str | None,
        options: LayerOptions,
    ) -> None:
        super().__init__(seed, data_format, options)
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

    def _clip(self, g: Tracer, x: Value) -> Value:
        """Cut off at the value range: a ReLU that begins at its lower end and stops rising."""
        low, high = self.value_range
        clip = Activation("relu", max_value=high - low)
        if low == 0:
            return g.apply(clip, x)
        lowered = g.apply(RescalingOperation(1.0, -low), x, role="lowered")
        clipped = g.apply(clip, lowered, role="clipped")
        return g.apply(RescalingOperation(1.0, low), clipped)


class RandomBrightness(_InRange):
    """In training, the brightness of each image changed: (N, H, W, C), kept.

    y = x + d · (largest − smallest), cut off at `value_range`, with d drawn for each image.

    Args:
        factor: The limits of d, (lowest, highest), from −1 to 1; or one number f for (−f, f).
        value_range: The smallest and the largest number that a pixel can have.
        seed: A seed of its own; None for the global one.
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    >>> import numpy as np
    >>> RandomBrightness(0.2)(np.zeros((2, 28, 28, 1)), training=True).shape
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
        super().__init__(value_range, seed, data_format, options)
        self.factor = self.limits("factor", factor, -1, 1)

    def augment(self, g: Tracer, x: Value) -> Value:
        """Add a number of its own to each image."""
        if len(x.shape) != 4:
            raise ShapeError(
                f"{self.name}: expected images (N, H, W, C), received shape {x.shape}."
            )
        size = self.value_range[1] - self.value_range[0]
        low, high = self.factor

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            shares = generator.uniform(low, high, (batch_size, 1, 1, 1))
            return (shares * size).astype(np.float32)

        added = g.random((x.shape[0], 1, 1, 1), sample, seed=self.seed)
        return self._clip(g, g.apply(Add(), x, added, role="adjusted"))


class RandomContrast(_InRange):
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
        super().__init__(value_range, seed, data_format, options)
        self.factor = self.limits("factor", factor, 0, 1)

    def augment(self, g: Tracer, x: Value) -> Value:
        """Change the contrast of each image by a factor of its own."""
        low, high = 1 - self.factor[0], 1 + self.factor[1]

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            return generator.uniform(low, high, (batch_size, 1)).astype(np.float32)

        factors = g.random((x.shape[0], 1), sample, seed=self.seed)
        adjusted = g.apply(AdjustContrast(), x, factors, role="adjusted")
        return self._clip(g, adjusted)


def _hashable(value: float | list[float]) -> float | tuple[float, ...]:
    return tuple(value) if isinstance(value, list) else value

"""Layers that add noise while a model trains: GaussianNoise, GaussianDropout, AlphaDropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import number, seed_argument
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.layers.core import Dropout
from pellucid.ops._operation import Array, Shape
from pellucid.ops.add import Add
from pellucid.ops.multiply import Multiply
from pellucid.ops.rescaling import Rescaling

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

SELU_FLOOR = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
"""What SELU tends to for very negative numbers."""


class GaussianNoise(Layer):
    """In training, normal noise added to every number: y = x + n; the shape, any, is kept.

    n has mean 0 and deviation `stddev`, and is drawn anew for each step; otherwise y = x.

    Args:
        stddev: The noise's standard deviation.
        seed: A seed of its own; None for the global one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.

    >>> GaussianNoise(0.1)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    def __init__(
        self, stddev: float, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        self.stddev = number(self.name, "stddev", stddev, 0.0)
        self.seed = seed_argument(self.name, seed)

    def call(self, g: Tracer, x: Value) -> Value:
        """In training, add the noise."""
        if not g.training or self.stddev == 0:
            return x
        return g.apply(Add(), x, _normal(self, g, x, 0.0, self.stddev, self.seed))


class GaussianDropout(Layer):
    """In training, every number multiplied by noise: y = x · n; the shape, any, is kept.

    n has mean 1 and deviation √(rate / (1 − rate)), as the mask of a Dropout of this rate has, and
    is drawn anew for each step; otherwise y = x.

    Args:
        rate: Stands for the deviation, as above; from 0, and below 1.
        seed: A seed of its own; None for the global one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: A Simple Way to
    Prevent Neural Networks from Overfitting", JMLR 15, 2014, section 10.

    >>> GaussianDropout(0.5)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    def __init__(
        self, rate: float, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        self.rate = _below_one(self.name, number(self.name, "rate", rate, 0.0, 1.0))
        self.seed = seed_argument(self.name, seed)

    def call(self, g: Tracer, x: Value) -> Value:
        """In training, multiply by the noise."""
        if not g.training or self.rate == 0:
            return x
        deviation = math.sqrt(self.rate / (1 - self.rate))
        return g.apply(Multiply(), x, _normal(self, g, x, 1.0, deviation, self.seed))


class AlphaDropout(Dropout):
    """Dropout for SELU: mean and variance stay as they are; the shape, any, is kept.

    In training, with probability `rate`, a number becomes f = −1.758, SELU's lowest; then all are
    brought back: y = a · (x · mask + f · (1 − mask)) + b, a being ((1 − rate) · (1 + rate · f²))^−½
    and b = −a · f · rate. Otherwise y = x.

    Args:
        rate: The probability to drop a number, from 0, and below 1.
        noise_shape: See `Dropout`.
        seed: A seed of its own; None for the global one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: `noise_shape` does not fit the input.

    Source: Klambauer, Unterthiner, Mayr, Hochreiter, "Self-Normalizing Neural Networks", NeurIPS
    2017.

    >>> AlphaDropout(0.5)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(rate, noise_shape, seed, **options)
        _below_one(self.name, self.rate)

    def call(self, g: Tracer, x: Value) -> Value:
        """In training, drop to SELU's lowest, and bring mean and variance back."""
        if not g.training or self.rate == 0:
            return x
        sizes = _sizes(self.name, x.shape)
        drawn = self.mask_shape(x.shape)

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            shape = [batch_size if n is None else n for n in drawn]
            kept = generator.random(shape, np.float32) >= self.rate
            return np.broadcast_to(kept, (batch_size, *sizes)).astype(np.float32)

        mask = g.random(x.shape, sample, seed=self.seed)
        scale = ((1 - self.rate) * (1 + self.rate * SELU_FLOOR**2)) ** -0.5
        kept = g.apply(Multiply(), x, mask, role="kept")
        floor = g.apply(Rescaling(-SELU_FLOOR, SELU_FLOOR), mask, role="floor")
        dropped = g.apply(Add(), kept, floor, role="dropped")
        return g.apply(Rescaling(scale, -scale * SELU_FLOOR * self.rate), dropped)


def _normal(
    layer: Layer, g: Tracer, x: Value, mean: float, deviation: float, seed: int | None
) -> Any:
    """Return normal noise of the input's shape, drawn anew for each step."""
    sizes = _sizes(layer.name, x.shape)

    def sample(generator: np.random.Generator, batch_size: int) -> Array:
        drawn = generator.standard_normal((batch_size, *sizes), np.float32)
        return drawn * np.float32(deviation) + np.float32(mean)

    return g.random(x.shape, sample, seed=seed)


def _sizes(layer: str, shape: Shape) -> list[int]:
    sizes = [n for n in shape[1:] if n is not None]
    if len(sizes) != len(shape) - 1:
        raise ShapeError(
            f"{layer}: the sizes of the input must be known to draw noise for it, received shape "
            f"{shape}."
        )
    return sizes


def _below_one(layer: str, rate: float) -> float:
    if rate == 1:
        raise ArgumentError(f"{layer}: rate must be below 1, where nothing would be left.")
    return rate

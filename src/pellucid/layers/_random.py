"""What layers that change images at random share.

They do nothing at inference. In training each image gets numbers of its own, drawn anew for each
step, uniformly between two limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.errors import ArgumentError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import number, seed_argument
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last

__all__ = ["Factor", "Limits", "RandomLayer"]

Limits = tuple[float, float]
Factor = float | Sequence[float]


class RandomLayer(Layer):
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

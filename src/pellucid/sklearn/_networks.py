"""The networks that estimators use when they are given none: sized by the data, scaled by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.layers import (
    Conv2D,
    Dense,
    Flatten,
    Input,
    Layer,
    MaxPooling2D,
    Normalization,
    Rescaling,
)
from pellucid.models import Model, Sequential
from pellucid.ops._operation import Array

__all__ = ["Scale", "build"]

_CHUNK = 1 << 20  # numbers that are looked at together, so that no second copy of all is made


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each channel or column; 1 in place of a deviation of 0."""

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, values: Array, weights: Array | None = None) -> Scale:
        """Measure an array (N, …, C), whose samples may have weights (N,)."""
        channels = values.shape[-1]
        origin = values.reshape(-1, channels)[0].astype(np.float64)  # so that constants come to 0
        count, total, squares = 0.0, np.zeros(channels), np.zeros(channels)
        rows = max(1, _CHUNK // max(1, values[0].size))
        for start in range(0, len(values), rows):
            part = slice(start, start + rows)
            moved = values[part].reshape(-1, values[0].size // channels, channels) - origin
            weight = np.ones(len(moved)) if weights is None else weights[part]
            count += float(weight.sum()) * moved.shape[1]
            total += np.einsum("n,nsc->c", weight, moved)
            squares += np.einsum("n,nsc,nsc->c", weight, moved, moved)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return cls(origin + mean, np.where(deviation > 0, deviation, 1.0))


def build(
    input_shape: tuple[int, ...], outputs: int, inputs: Scale, targets: Scale | None
) -> Model:
    """Return a small CNN for pictures (H, W, C), a small MLP for rows (F,).

    The first layer brings each channel or column to mean 0 and deviation 1.

    Pictures go through convolutions of 3 × 3 with 32, 64, 128, 128 … filters, each followed by
    pooling, until at most 4 × 4 are left, but through two at least; then a dense layer of 128.
    Rows go through two dense layers: as many numbers as twice the columns, rounded up to a power
    of two from 32 to 256; and half as many.

    Args:
        input_shape: The shape of one sample.
        outputs: The number of classes or of targets.
        inputs: The scale of the inputs.
        targets: The scale of the targets, for regression; None for classification.
    """
    layers: list[Layer] = [
        Normalization(mean=inputs.mean.tolist(), variance=(inputs.deviation**2).tolist())
    ]
    layers += _convolutions(*input_shape[:2]) if len(input_shape) == 3 else _dense(*input_shape)
    if targets is None:
        layers.append(Dense(outputs, activation="softmax"))
    else:
        layers += [Dense(outputs), Rescaling(targets.deviation.tolist(), targets.mean.tolist())]
    return Sequential([Input(input_shape), *layers])


def _convolutions(height: int, width: int) -> list[Layer]:
    layers: list[Layer] = []
    filters = 32
    while max(height, width) > 4 or len(layers) < 4:
        pool = 2 if height > 1 else 1, 2 if width > 1 else 1
        layers += [
            Conv2D(filters, (3, 3), padding="same", activation="relu"),
            MaxPooling2D(pool),
        ]
        height, width, filters = height // pool[0], width // pool[1], min(2 * filters, 128)
    return [*layers, Flatten(), Dense(128, activation="relu")]


def _dense(columns: int) -> list[Layer]:
    size = int(np.clip(2 ** np.ceil(np.log2(2 * columns)), 32, 256))
    return [Dense(size, activation="relu"), Dense(size // 2, activation="relu")]

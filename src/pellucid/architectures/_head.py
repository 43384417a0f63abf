"""What every architecture begins and ends with."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.errors import ShapeError
from pellucid.layers import Dense, Input, Layer
from pellucid.layers._symbolic import KerasTensor

__all__ = ["TASKS", "Shape", "head", "require_picture", "start"]

Shape = tuple[int, ...]

TASKS = ("classification", "regression")


def start(input_shape: Shape, augment: Sequence[Layer]) -> tuple[KerasTensor, KerasTensor]:
    """Return the model's input, and the same with the augmenting layers behind it."""
    x = image = Input(input_shape)
    for layer in augment:
        x = layer(x)
    return image, x


def head(outputs: int, task: str) -> Dense:
    """Return the last layer: probabilities for classes, plain numbers for regression."""
    return Dense(outputs, activation="softmax" if task == "classification" else None)


def require_picture(name: str, input_shape: Shape, least: int) -> None:
    """Raise ShapeError unless samples are pictures of at least `least` × `least` pixels."""
    if len(input_shape) != 3:
        raise ShapeError(
            f"The architecture {name!r} is for pictures (H, W, C); these samples have the shape "
            f"{input_shape}. For rows of numbers there is 'mlp'."
        )
    height, width, _ = input_shape
    if min(height, width) < least:
        raise ShapeError(
            f"The architecture {name!r} needs pictures of at least {least} × {least} pixels; "
            f"these are {height} × {width}."
        )

"""Layers that make images larger or smaller by a fixed amount: borders added or cut, upsampling."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, pair, sides
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.ops._interpolation import INTERPOLATIONS
from pellucid.ops.cropping2d import Cropping2D as CroppingOperation
from pellucid.ops.resize import Resize
from pellucid.ops.zero_padding2d import ZeroPadding2D as ZeroPaddingOperation

__all__ = ["Cropping2D", "UpSampling2D", "ZeroPadding2D"]


class ZeroPadding2D(Layer):
    """Zeros around an image: (N, H, W, C) → (N, top + H + bottom, left + W + right, C).

    Args:
        padding: One number, (rows, columns), or ((top, bottom), (left, right)).
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    >>> import numpy as np
    >>> ZeroPadding2D(((1, 0), (2, 2)))(np.zeros((1, 5, 5, 3))).shape
    (1, 6, 9, 3)
    """

    def __init__(
        self,
        padding: Any = (1, 1),
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.padding = sides(self.name, "padding", padding)
        self.data_format = require_channels_last(self.name, data_format)

    def call(self, g: Tracer, x: Value) -> Value:
        """Add the zeros."""
        return g.apply(ZeroPaddingOperation(self.padding), x)


class Cropping2D(Layer):
    """The edges of an image cut off: (N, H, W, C) → (N, H − top − bottom, W − left − right, C).

    Args:
        cropping: One number, (rows, columns), or ((top, bottom), (left, right)).
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C), or nothing would be left of it.

    >>> import numpy as np
    >>> Cropping2D(((1, 0), (2, 2)))(np.zeros((1, 8, 8, 3))).shape
    (1, 7, 4, 3)
    """

    def __init__(
        self,
        cropping: Any = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.cropping = sides(self.name, "cropping", cropping)
        self.data_format = require_channels_last(self.name, data_format)

    def call(self, g: Tracer, x: Value) -> Value:
        """Cut off the edges."""
        return g.apply(CroppingOperation(self.cropping), x)


class UpSampling2D(Layer):
    """An image made larger: (N, H, W, C) → (N, H · size[0], W · size[1], C).

    Args:
        size: How many rows and columns are made of one, or one number for both.
        data_format: "channels_last", the only one.
        interpolation: "nearest" (each pixel repeated), "bilinear", "bicubic", "lanczos3" or
            "lanczos5".
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    >>> UpSampling2D((1, 2))([[[[1.0], [2.0]]]]).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    def __init__(
        self,
        size: int | tuple[int, int] = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.size = pair(self.name, "size", size)
        self.data_format = require_channels_last(self.name, data_format)
        self.interpolation = choice(self.name, "interpolation", interpolation, INTERPOLATIONS)

    def call(self, g: Tracer, x: Value) -> Value:
        """Enlarge."""
        rows, columns = self.size
        return g.apply(Resize(None, (float(rows), float(columns)), self.interpolation), x)

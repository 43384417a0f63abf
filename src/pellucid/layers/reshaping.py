"""Layers that move numbers without changing them, and UpSampling2D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import choice, pair, sides
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.ops._interpolation import INTERPOLATIONS
from pellucid.ops.cropping2d import Cropping2D as CroppingOperation
from pellucid.ops.flatten import Flatten as FlattenOperation
from pellucid.ops.reshape import Reshape as ReshapeOperation
from pellucid.ops.resize import Resize
from pellucid.ops.transpose import Transpose
from pellucid.ops.zero_padding2d import ZeroPadding2D as ZeroPaddingOperation

__all__ = ["Cropping2D", "Flatten", "Permute", "Reshape", "UpSampling2D", "ZeroPadding2D"]


class Flatten(Layer):
    """All numbers of a sample in one row, the last axis fastest: (N, …) → (N, product of …).

    Args:
        data_format: "channels_last", the only one.
        **options: name, trainable, dtype, input_shape.

    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 4, 4, 3))).shape
    (2, 48)
    """

    def __init__(self, data_format: str | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.data_format = require_channels_last(self.name, data_format)

    def call(self, g: Tracer, x: Value) -> Value:
        """Put each sample in one row."""
        return g.apply(FlattenOperation(), x)


class Reshape(Layer):
    """The numbers of a sample, in the same order, in another shape: (N, …) → (N, *target_shape).

    Args:
        target_shape: The shape of one sample; one size may be −1, and is then what is left.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `target_shape` is not a shape.
        ShapeError: The input has another number of numbers.

    >>> import numpy as np
    >>> Reshape((28, -1, 1))(np.zeros((2, 784))).shape
    (2, 28, 28, 1)
    """

    def __init__(self, target_shape: Sequence[int], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self._op = ReshapeOperation(_whole(target_shape))
        self.target_shape = self._op.target_shape

    def call(self, g: Tracer, x: Value) -> Value:
        """Put each sample in the other shape."""
        return g.apply(self._op, x)


class Permute(Layer):
    """The axes of a sample in another order.

    Args:
        dims: For each axis of the output, the input's axis that it is; counted from 1, since axis
            0 is the batch.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `dims` is not an order of the axes.
        ShapeError: The input has another number of axes.

    >>> import numpy as np
    >>> Permute((3, 1, 2))(np.zeros((2, 28, 20, 3))).shape
    (2, 3, 28, 20)
    """

    def __init__(self, dims: Sequence[int], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.dims = _whole(dims)
        if not isinstance(self.dims, tuple) or 0 in self.dims:
            raise ArgumentError(
                f"{self.name}: dims must have each of the axes 1, 2, … once (axis 0 is the batch "
                f"and stays), received {dims!r}."
            )
        self._op = Transpose((0, *self.dims))

    def call(self, g: Tracer, x: Value) -> Value:
        """Change the order of the axes."""
        return g.apply(self._op, x)


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


def _whole(numbers: Any) -> tuple[int, ...]:
    """Return a tuple; whether it holds what it should, its operation checks."""
    if not isinstance(numbers, Sequence | np.ndarray):
        return numbers  # type: ignore[no-any-return]  # the operation says what is wrong with it
    return tuple(int(n) if isinstance(n, np.integer) else n for n in numbers)

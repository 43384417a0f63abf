"""Layers that put the numbers of a sample in another shape or order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.graph import Tracer, Value
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.ops.flatten import Flatten as FlattenOperation
from pellucid.ops.reshape import Reshape as ReshapeOperation
from pellucid.ops.transpose import Transpose

__all__ = ["Flatten", "Permute", "Reshape"]


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


def _whole(numbers: Any) -> tuple[int, ...]:
    """Return a tuple; whether it holds what it should, its operation checks."""
    if not isinstance(numbers, Sequence | np.ndarray):
        return numbers  # type: ignore[no-any-return]  # the operation says what is wrong with it
    return tuple(int(n) if isinstance(n, np.integer) else n for n in numbers)

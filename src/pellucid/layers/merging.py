"""Layers that make one tensor of several: Add, Concatenate … and the functions of those names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from pellucid.errors import ArgumentError, ShapeError, TypeMismatchError
from pellucid.graph import Tracer, Value
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.layers._symbolic import KerasTensor
from pellucid.ops._operation import Operation, known
from pellucid.ops.add import Add as AddOperation
from pellucid.ops.average import Average as AverageOperation
from pellucid.ops.concatenate import Concatenate as ConcatenateOperation
from pellucid.ops.maximum import Maximum as MaximumOperation
from pellucid.ops.minimum import Minimum as MinimumOperation
from pellucid.ops.multiply import Multiply as MultiplyOperation
from pellucid.ops.reshape import Reshape as ReshapeOperation
from pellucid.ops.subtract import Subtract as SubtractOperation

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class _Merge(Layer):
    """A layer called on a list of tensors.

    Their shapes must be the same, or 1 where they differ; one with fewer axes gets axes of size 1
    after the batch.
    """

    _operation: ClassVar[type[Operation]]

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Merge a list of symbolic tensors, or of arrays."""
        if not isinstance(inputs, list | tuple) or not inputs:
            raise TypeMismatchError(
                f"{self.name}: expected a list of tensors, such as {type(self).__name__}()([a, b]),"
                f" received {type(inputs).__name__}."
            )
        parts = [x if isinstance(x, KerasTensor) else self._as_array(x) for x in inputs]
        return super().__call__(parts, training=training)

    def call(self, g: Tracer, *inputs: Value) -> Value:
        """Merge the tensors, with axes of size 1 after the batch of those that have fewer."""
        rank = max(len(x.shape) for x in inputs)
        return g.apply(self._operation(), *(_expanded(g, x, rank) for x in inputs))


class Add(_Merge):
    """The sum of tensors, number by number.

    Args:
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The shapes do not fit each other.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Add()([np.array([[5.0]]), np.array([[2.0]])])
    array([[7.]], dtype=float32)
    """

    _operation = AddOperation


class Subtract(_Merge):
    """The first tensor less the second, number by number.

    Args:
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The shapes do not fit each other, or there are not two of them.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Subtract()([np.array([[5.0]]), np.array([[2.0]])])
    array([[3.]], dtype=float32)
    """

    _operation = SubtractOperation

    def build(self, input_shape: Any) -> None:
        """Check that there are two inputs."""
        if not isinstance(input_shape, list) or len(input_shape) != 2:
            raise ShapeError(
                f"{self.name}: expected two tensors to subtract, received {input_shape}."
            )


class Multiply(_Merge):
    """The product of tensors, number by number.

    Args:
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The shapes do not fit each other.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Multiply()([np.array([[5.0]]), np.array([[2.0]])])
    array([[10.]], dtype=float32)
    """

    _operation = MultiplyOperation


class Maximum(_Merge):
    """The largest of tensors, number by number; of equal ones, the first.

    Args:
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The shapes do not fit each other.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Maximum()([np.array([[5.0, 1.0]]), np.array([[2.0, 3.0]])])
    array([[5., 3.]], dtype=float32)
    """

    _operation = MaximumOperation


class Minimum(_Merge):
    """The smallest of tensors, number by number; of equal ones, the first.

    Args:
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The shapes do not fit each other.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Minimum()([np.array([[5.0, 1.0]]), np.array([[2.0, 3.0]])])
    array([[2., 1.]], dtype=float32)
    """

    _operation = MinimumOperation


class Average(_Merge):
    """The mean of tensors, number by number.

    Args:
        **options: name, trainable, dtype, input_shape.

    Raises:
        ShapeError: The shapes do not fit each other.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Average()([np.array([[5.0]]), np.array([[2.0]])])
    array([[3.5]], dtype=float32)
    """

    _operation = AverageOperation


class Concatenate(_Merge):
    """Tensors one after the other along an axis, the last unless another is named.

    Args:
        axis: The axis; along the others the sizes must be the same.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `axis` is not a whole number, or is the batch.
        ShapeError: The shapes do not fit each other.
        TypeMismatchError: It is not called on a list.

    >>> import numpy as np
    >>> Concatenate()([np.zeros((1, 4, 4, 2)), np.zeros((1, 4, 4, 3))]).shape
    (1, 4, 4, 5)
    """

    def __init__(self, axis: int = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if not isinstance(axis, int) or axis == 0:
            raise ArgumentError(
                f"{self.name}: axis must be a whole number other than 0 (the batch), "
                f"received {axis!r}."
            )
        self.axis = axis

    def call(self, g: Tracer, *inputs: Value) -> Value:
        """Put the tensors one after the other."""
        return g.apply(ConcatenateOperation(self.axis), *inputs)


def _expanded(g: Tracer, x: Value, rank: int) -> Value:
    missing = rank - len(x.shape)
    if not missing:
        return x
    shape = (1,) * missing + known(x.shape[1:])
    return g.apply(ReshapeOperation(shape), x, role="expanded")


def add(inputs: Sequence[Any], **options: Unpack[LayerOptions]) -> Any:
    """Return the sum of tensors: `Add(**options)(inputs)`."""
    return Add(**options)(inputs)


def subtract(inputs: Sequence[Any], **options: Unpack[LayerOptions]) -> Any:
    """Return the difference of two tensors: `Subtract(**options)(inputs)`."""
    return Subtract(**options)(inputs)


def multiply(inputs: Sequence[Any], **options: Unpack[LayerOptions]) -> Any:
    """Return the product of tensors: `Multiply(**options)(inputs)`."""
    return Multiply(**options)(inputs)


def maximum(inputs: Sequence[Any], **options: Unpack[LayerOptions]) -> Any:
    """Return the largest of tensors: `Maximum(**options)(inputs)`."""
    return Maximum(**options)(inputs)


def minimum(inputs: Sequence[Any], **options: Unpack[LayerOptions]) -> Any:
    """Return the smallest of tensors: `Minimum(**options)(inputs)`."""
    return Minimum(**options)(inputs)


def average(inputs: Sequence[Any], **options: Unpack[LayerOptions]) -> Any:
    """Return the mean of tensors: `Average(**options)(inputs)`."""
    return Average(**options)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Unpack[LayerOptions]) -> Any:
    """Return tensors one after the other: `Concatenate(axis, **options)(inputs)`."""
    return Concatenate(axis, **options)(inputs)

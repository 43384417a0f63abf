"""Symbolic tensors: what layers are called on when a model is put together, before any numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid import ops
from pellucid.ops._operation import Shape
from pellucid.ops._symbolic import Symbolic

if TYPE_CHECKING:
    from pellucid.layers._layer import Layer

__all__ = ["KerasTensor", "LayerCall", "flatten", "pack"]


@dataclass(eq=False, frozen=True)
class KerasTensor(Symbolic):
    """A tensor that has a shape and a history, but no numbers yet.

    Arithmetic on it, an index and the functions of `pellucid.ops` make further ones: `x + y`,
    `2 * x`, `x[:, 1:3]`, `ops.mean(x, axis=-1)`.

    Attributes:
        shape: Its shape; None for the batch.
        dtype: The type that its numbers will have.
        name: Its name.
        call: The use of a layer that makes it.
        index: Its place among what that layer makes.
    """

    shape: Shape
    dtype: str
    name: str
    call: LayerCall
    index: int = 0

    def state(self, name: str, operands: Sequence[Any], options: dict[str, Any]) -> Any:
        """Return what a function makes, as a layer of its own in the model."""
        from pellucid.layers._operation import OperationLayer

        return OperationLayer.of(name, operands, options)

    def __add__(self, other: Any) -> Any:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return ops.true_divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return ops.true_divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return ops.matmul(other, self)

    def __neg__(self) -> Any:
        return ops.negative(self)

    def __abs__(self) -> Any:
        return ops.absolute(self)

    def __lt__(self, other: Any) -> Any:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Any:
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return ops.greater_equal(self, other)

    def __getitem__(self, key: Any) -> Any:
        from pellucid.ops._array_functions import get_item

        return get_item(self, key)

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} cannot be gone through: it has no numbers.")

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    __array_ufunc__ = None  # so that `array + tensor` asks the tensor

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            f"{self!r} has no numbers: it is a symbolic tensor. Build a Model from it and call "
            f"predict on arrays."
        )


@dataclass(eq=False)
class LayerCall:
    """One use of a layer on symbolic tensors.

    Attributes:
        layer: The layer.
        inputs: What it was called on, in its structure: a tensor, or a list or dict of tensors.
        outputs: What it makes, in its structure.
        training: The `training` argument of the call.
    """

    layer: Layer
    inputs: Any
    outputs: Any = None
    training: bool | None = None


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and dicts, in order.

    Example:
        >>> flatten({"a": 1, "b": [2, 3]})
        [1, 2, 3]
    """
    return list(_leaves(structure))


def pack(structure: Any, leaves: Sequence[Any]) -> Any:
    """Return `leaves` in the structure of `structure`.

    Example:
        >>> pack({"a": 0, "b": [0, 0]}, [1, 2, 3])
        {'a': 1, 'b': [2, 3]}
    """
    return _packed(structure, iter(leaves))


def _leaves(structure: Any) -> Iterator[Any]:
    if isinstance(structure, Mapping):
        structure = list(structure.values())
    if isinstance(structure, list | tuple):
        for part in structure:
            yield from _leaves(part)
    else:
        yield structure


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, Mapping):
        return {key: _packed(part, leaves) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return [_packed(part, leaves) for part in structure]
    return next(leaves)

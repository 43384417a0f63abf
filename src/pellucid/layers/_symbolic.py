"""Symbolic tensors: what layers are called on when a model is put together, before any numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.ops._operation import Shape

if TYPE_CHECKING:
    from pellucid.layers._layer import Layer

__all__ = ["KerasTensor", "LayerCall", "flatten", "pack"]


@dataclass(eq=False, frozen=True)
class KerasTensor:
    """A tensor that has a shape and a history, but no numbers yet.

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

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

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

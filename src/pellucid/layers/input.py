"""Where a model begins: Input, and the layer behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.layers._layer import Layer
from pellucid.layers._symbolic import KerasTensor, LayerCall
from pellucid.ops._operation import Shape

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """The layer that stands for what is fed into a model; `Input` makes one.

    Args:
        shape: The shape of one sample, such as (28, 28, 1); None for a size that is not known.
        batch_size: The number of samples; None for any.
        dtype: The type of the numbers that are fed in: "float32", or "uint8" and the like.
        batch_shape: The shape with the batch, in place of `shape` and `batch_size`.
        sparse: False.
        ragged: False.
        optional: False.
        name: The layer's name.

    Raises:
        ArgumentError: No shape is given, or more than one, or one that cannot be.

    >>> InputLayer((28, 28, 1)).output.shape
    (None, 28, 28, 1)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        optional: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        for option, value in (("sparse", sparse), ("ragged", ragged), ("optional", optional)):
            if value:
                raise ArgumentError(f"{self.name}: {option}=True is not supported; leave it out.")
        if (shape is None) == (batch_shape is None) or (
            batch_size is not None and batch_shape is not None
        ):
            raise ArgumentError(
                f"{self.name}: give either shape (and batch_size, if it is fixed) or batch_shape, "
                f"received shape={shape!r}, batch_size={batch_size!r}, batch_shape={batch_shape!r}."
            )
        if shape is not None:
            batch_shape = (batch_size, *_checked(self.name, shape))
        self.batch_shape: Shape = _checked(self.name, batch_shape)
        self.dtype = _dtype(self.name, dtype)
        self.built = True
        call = LayerCall(self, None)
        call.outputs = KerasTensor(self.batch_shape, self.dtype, self.name, call)
        self.calls.append(call)

    def get_config(self) -> dict[str, Any]:
        """Return what it takes to make this layer again, as JSON, with Keras' keys."""
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": False,
        }


def Input(  # noqa: N802 (Keras' name)
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> KerasTensor:
    """Return a symbolic tensor: where a model begins.

    Args:
        shape: The shape of one sample, such as (28, 28, 1).
        batch_size: The number of samples; None for any.
        dtype: The type of the numbers that are fed in.
        batch_shape: The shape with the batch, in place of `shape` and `batch_size`.
        name: The name of the input.

    Raises:
        ArgumentError: No shape is given, or more than one, or one that cannot be.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name)
    tensor: KerasTensor = layer.output
    return tensor


def _checked(layer: str, shape: Any) -> Shape:
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        example = (
            f" For a row of {shape} numbers write ({shape},)." if isinstance(shape, int) else ""
        )
        raise ArgumentError(
            f"{layer}: shape must be a tuple such as (28, 28, 1), received {shape!r}.{example}"
        )
    for size in shape:
        whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
        if size is not None and not (whole and size > 0):
            raise ArgumentError(
                f"{layer}: each size in a shape must be a positive whole number or None, received "
                f"{tuple(shape)}."
            )
    return tuple(None if size is None else int(size) for size in shape)


def _dtype(layer: str, dtype: Any) -> str:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    try:
        given = np.dtype("float32" if dtype is None else dtype)
    except TypeError:
        given = np.dtype(object)
    if given.kind not in "biuf":
        raise ArgumentError(
            f"{layer}: dtype must be a type of numbers such as 'float32' or 'uint8', "
            f"received {dtype!r}."
        )
    return given.name

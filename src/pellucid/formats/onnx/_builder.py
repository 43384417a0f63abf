"""Putting a model together, layer by layer, from what the nodes of a file say."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import Attributes, UnsupportedError
from pellucid.formats.onnx._batch import Batch, Size, is_symbolic
from pellucid.formats.onnx._graph import Node
from pellucid.formats.onnx._layout import Linear, Padded, Tensor, arranged
from pellucid.layers._layer import Layer
from pellucid.layers._symbolic import KerasTensor
from pellucid.ops._operation import Array, Operation, known
from pellucid.ops._window import Pair
from pellucid.ops.reshape import Reshape
from pellucid.ops.transpose import Transpose

__all__ = ["Builder", "Call", "Value"]

Value = Array | Tensor
"""What a node reads: a constant, or something that the model computes."""

IMAGE = (0, 2, 3, 1)
"""The axes of a file's images, in the order in which they lie here."""

PASSING = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""The operators that pass on the numbers that they read."""


class Builder:
    """Makes layers and calls them; what they are called, and how much they may hold.

    Args:
        room: How many numbers may be made of those that the file holds.
        uses: How many times each of the file's values is named.
        reads: How many times its numbers are read.
        makers: The node that makes each of them.
        exact: Whether values keep their types; otherwise all fractions are in single precision.
        written_for: The batch size that the file was written for; None if it leaves that open.
    """

    def __init__(
        self,
        room: int,
        uses: Mapping[str, int],
        reads: Mapping[str, int],
        makers: Mapping[str, Node],
        *,
        exact: bool,
        written_for: int | None,
    ) -> None:
        self.room = room
        self.uses, self.reads, self.makers = uses, reads, makers
        self.exact = exact
        self.written_for = written_for
        self._names: dict[str, int] = {}
        self._moved: dict[Any, KerasTensor] = {}

    def name(self, wanted: str, fallback: str = "node") -> str:
        """Return a layer's name like the one wanted, not used before."""
        base = re.sub(r"[^0-9A-Za-z_]+", "_", wanted)[:120].strip("_") or fallback.lower()
        name, count = base, self._names.get(base, 0)
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names[base] = count
        self._names.setdefault(name, 0)
        return name

    def make_room(self, shape: Sequence[int]) -> None:
        """Count an array that is about to be made; UnsupportedError if it is one too many."""
        size = math.prod(shape)
        if size > self.room:
            raise UnsupportedError(
                f"it would make {size:,} numbers that the file does not hold, more than allowed"
            )
        self.room -= size

    def spread(self, array: Array, shape: Sequence[int]) -> Array:
        """Return a constant repeated to a shape, counted."""
        self.make_room(shape)
        return np.broadcast_to(array, tuple(shape))

    def layer(
        self, layer: Layer, inputs: Any, weights: Sequence[Array] | None = None
    ) -> KerasTensor:
        """Return what a new layer makes of symbolic tensors, its weights set if any are given."""
        if weights is not None:
            for weight in weights:
                self.make_room(weight.shape)
        output: KerasTensor = layer(inputs)
        if weights is not None:
            layer.set_weights([np.asarray(weight, np.float32) for weight in weights])
        return output

    def operation(
        self,
        op: Operation,
        operands: Sequence[KerasTensor | Array | None],
        name: str,
        trainable: bool = False,
    ) -> KerasTensor:
        """Return what an operation makes of symbolic tensors and constants, as a layer."""
        names = op.input_names(len(operands))
        tensors = [x for x in operands if isinstance(x, KerasTensor)]
        constants = {
            name: x for name, x in zip(names, operands, strict=True) if isinstance(x, np.ndarray)
        }
        for constant in constants.values():
            self.make_room(constant.shape)
        layer = layers.OperationLayer(op, constants, trainable, name=self.name(name))
        output: KerasTensor = layer(tensors if len(tensors) > 1 else tensors[0])
        return output

    def linear(
        self,
        make: Callable[[bool], Layer],
        inputs: KerasTensor,
        kernel: Array,
        bias: Array | None,
    ) -> tuple[KerasTensor, Linear]:
        """Return what a layer of products makes, and how it is made anew with scaled channels.

        Args:
            make: Makes the layer, with a bias or without.
            inputs: What it reads.
            kernel: Its kernel; the last axis, or the last two together, are the channels.
            bias: Its bias.
        """
        weights = [kernel] if bias is None else [kernel, bias]
        keras = self.layer(make(bias is not None), inputs, weights)

        def rescaled(factor: Array, offset: Array) -> tuple[KerasTensor, Linear]:
            channels = known(keras.shape[-1:])[0]
            self.room += sum(weight.size for weight in weights)
            scaled = kernel.reshape(-1, channels) * factor
            shifted = offset if bias is None else bias * factor + offset
            if bias is None and not offset.any():
                return self.linear(make, inputs, scaled.reshape(kernel.shape), None)
            full = np.broadcast_to(shifted, (channels,))
            return self.linear(make, inputs, scaled.reshape(kernel.shape), full)

        return keras, Linear(rescaled)

    def sole(self, name: str) -> bool:
        """Return whether a value is read once, by whatever name it passes on its way."""
        while self.reads.get(name) == 1:
            node = self.makers.get(name)
            if node is None or node.operator not in PASSING:
                return True
            name = node.inputs[0]
        return False

    def fold(self, op: Operation, arrays: Sequence[Array | None]) -> Array:
        """Return what an operation makes of constants."""
        shape = op.output_shape(*[None if x is None else x.shape for x in arrays])
        self.make_room(known(shape))
        with np.errstate(all="ignore"):
            return op.forward(*arrays)

    # Layouts.

    def arrange(self, tensor: Tensor, order: Sequence[int], name: str) -> Tensor:
        """Return a tensor with its axes in this order in memory, moved there only if need be."""
        memory = tuple(itertools.chain.from_iterable(tensor.axes[i] for i in order))
        shape = tensor.sizes(order)
        if memory == tensor.order and tensor.keras.shape == shape:
            return tensor
        key = (tensor.keras, memory, shape)
        if key not in self._moved:
            keras = tensor.keras
            if memory != tensor.order:
                sizes = tuple(_open(atom.size) for atom in tensor.order)
                keras = self.reshape(keras, sizes, name)
                place = {atom: i for i, atom in enumerate(tensor.order)}
                keras = self.transpose(keras, [place[atom] for atom in memory], name)
            self._moved[key] = self.reshape(keras, shape, name)
        return Tensor(self._moved[key], tensor.axes, memory, tensor.dtype)

    def images(self, tensor: Tensor, name: str) -> Tensor:
        """Return images (N, C, H, W) as they lie here: (N, H, W, C)."""
        if len(tensor.axes) != 4:
            raise UnsupportedError(
                f"it works on a tensor of {len(tensor.axes)} axes; only images (N, C, H, W) are "
                f"supported"
            )
        return self.arrange(tensor, IMAGE, name)

    def plain(self, tensor: Tensor, name: str) -> Tensor:
        """Return a tensor with its axes as the file has them."""
        return self.arrange(tensor, range(len(tensor.axes)), name)

    def settled(self, tensor: Tensor, name: str) -> tuple[Tensor, tuple[int, ...]]:
        """Return a tensor whose memory has one axis for each of the file's, and their order."""
        order = tensor.permutation() or tuple(range(len(tensor.axes)))
        return self.arrange(tensor, order, name), order

    def reshape(self, keras: KerasTensor, shape: Sequence[int | None], name: str) -> KerasTensor:
        """Return a symbolic tensor with the same numbers in another shape."""
        if tuple(keras.shape) == tuple(shape):
            return keras
        if None in shape and keras.shape[:1] != shape[:1]:
            raise UnsupportedError("it moves the axis of the batch")
        if len(shape) > 1 and keras.shape and keras.shape[0] == shape[0]:
            target = known(tuple(shape[1:]))
            return self.layer(layers.Reshape(target, name=self.name(f"{name}_reshape")), keras)
        op = Reshape(known(tuple(shape)), whole=True)
        return self.operation(op, [keras], f"{name}_reshape")

    def transpose(self, keras: KerasTensor, axes: Sequence[int], name: str) -> KerasTensor:
        """Return a symbolic tensor with its axes in another order."""
        if list(axes) == list(range(len(axes))):
            return keras
        if axes[0] == 0:
            return self.layer(
                layers.Permute(list(axes[1:]), name=self.name(f"{name}_transpose")), keras
            )
        if keras.shape[0] is None:
            raise UnsupportedError("it moves the axis of the batch")
        return self.operation(Transpose(tuple(axes)), [keras], f"{name}_transpose")

    def rows(self, tensor: Tensor, name: str) -> Tensor:
        """Return a matrix as rows in memory, the numbers of each in whatever order they lie."""
        memory = tensor.axes[0]
        if tensor.order[: len(memory)] != memory:
            return self.plain(tensor, name)
        order, shape = tensor.order, tensor.sizes((0, 1))
        if tensor.keras.shape == shape:
            return tensor
        if tensor.keras.shape[:1] == shape[:1]:
            keras = self.layer(layers.Flatten(name=self.name(f"{name}_flatten")), tensor.keras)
        else:
            keras = self.reshape(tensor.keras, shape, name)
        return Tensor(keras, tensor.axes, order, tensor.dtype)


class Call:
    """One node being converted: what it reads, and what makes its results.

    Attributes:
        node: The node.
        opset: The version of the operators.
        attributes: Its attributes.
        inputs: What it reads; None where an optional input is left out.
        build: Makes the layers.
        name: The name of the layer that stands for the node.
    """

    def __init__(
        self, node: Node, opset: int, inputs: Sequence[Value | None], build: Builder
    ) -> None:
        self.node, self.opset, self.build = node, opset, build
        self.inputs = list(inputs)
        self.attributes = Attributes(node)

    @property
    def name(self) -> str:
        """A name for the layer that stands for the node, another one at each use."""
        return self.build.name(self.node.name, self.node.operator)

    @property
    def base(self) -> str:
        """What the names of helping layers begin with."""
        return self.node.name

    # What it reads.

    def has(self, index: int) -> bool:
        """Return whether an input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int) -> Value:
        """Return an input."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise UnsupportedError(f"its input {index} is missing")
        return found

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= axis < rank:
            raise UnsupportedError(f"axis {axis} does not exist in a tensor of {rank} axes")
        return axis % rank

    def sole(self, index: int) -> bool:
        """Return whether this node alone reads an input."""
        return self.build.sole(self.node.inputs[index])

    def tensor(self, index: int) -> Tensor:
        """Return an input that the model computes."""
        found = self.value(index)
        if not isinstance(found, Tensor):
            raise UnsupportedError(f"its input {index} is a constant, where a tensor is expected")
        return found

    def constant(self, index: int, what: str) -> Array:
        """Return an input that must be known when the model is put together."""
        found = self.value(index)
        if isinstance(found, Tensor):
            raise NeedsConstantError(self.node.inputs[index], what)
        return found

    def sizes(self, index: int, what: str) -> list[Size]:
        """Return an input that is a list of sizes, the batch perhaps among them."""
        array = self.constant(index, what)
        if array.ndim != 1:
            raise UnsupportedError(f"its {what} must be a list, received shape {array.shape}")
        return [entry if isinstance(entry, Batch) else int(entry) for entry in array]

    def wholes(self, index: int, what: str) -> list[int]:
        """Return an input that is a list of whole numbers."""
        array = self.constant(index, what)
        if is_symbolic(array) or array.ndim > 1:
            raise UnsupportedError(f"its {what} must be a list of whole numbers")
        return [int(entry) for entry in array.reshape(-1)]

    def scalar(self, index: int, what: str) -> float:
        """Return an input that is one number."""
        array = self.constant(index, what)
        if is_symbolic(array) or array.size != 1:
            raise UnsupportedError(f"its {what} must be one number, received shape {array.shape}")
        return float(array.reshape(()))

    @property
    def all_constant(self) -> bool:
        """Whether everything that it reads is known already."""
        return not any(isinstance(value, Tensor) for value in self.inputs)

    def images(self, index: int = 0) -> Tensor:
        """Return an input that is images, (N, C, H, W), as they lie here."""
        return self.build.images(self.tensor(index), self.base)

    def unpadded(self) -> tuple[Tensor, tuple[Pair, Pair]]:
        """Return the images that it reads and the zeros that a node before it put around them."""
        x = self.tensor(0)
        way = self.attributes.text("auto_pad", "NOTSET")
        images = self.images()
        if isinstance(x.origin, Padded) and images is x and way in ("NOTSET", "VALID"):
            return self.made_images(x.origin.image, x), x.origin.sides
        return images, ((0, 0), (0, 0))

    def plain(self, index: int = 0) -> Tensor:
        """Return an input with its axes in memory as the file has them."""
        return self.build.plain(self.tensor(index), self.base)

    def settled(self, index: int = 0) -> tuple[Tensor, tuple[int, ...]]:
        """Return an input with one axis in memory for each of the file's, and their order."""
        return self.build.settled(self.tensor(index), self.base)

    # What it makes.

    def outputs_wanted(self, most: int) -> None:
        """Refuse a node of which an output after the first `most` is used."""
        for place, name in enumerate(self.node.outputs[most:], most):
            if self.wanted(place):
                raise UnsupportedError(f"its output {place}, {name!r}, cannot be had")

    def wanted(self, place: int) -> bool:
        """Return whether one of its outputs is used."""
        outputs = self.node.outputs
        return place < len(outputs) and self.build.uses.get(outputs[place], 0) > 0

    def layer(self, layer: Layer, x: Tensor) -> Tensor:
        """Return what a layer makes of a tensor number by number: the same layout."""
        return x.made(self.build.layer(layer, x.keras))

    def operation(
        self,
        op: Operation,
        operands: Sequence[KerasTensor | Array | None],
        *,
        trainable: bool = False,
    ) -> KerasTensor:
        """Return what an operation makes, as the layer that stands for the node."""
        return self.build.operation(op, operands, self.node.name or self.node.operator, trainable)

    def made(
        self, keras: KerasTensor, order: Sequence[int], like: Tensor, dtype: Any = None
    ) -> Tensor:
        """Return a new value whose axes lie in memory in this order, its batch that of `like`."""
        memory = [like.batch if size is None else size for size in keras.shape]
        shape: list[Size] = [1] * len(order)
        for axis, size in zip(order, memory, strict=True):
            shape[axis] = size
        return arranged(keras, shape, order, like.dtype if dtype is None else dtype)

    def made_images(self, keras: KerasTensor, like: Tensor) -> Tensor:
        """Return new images, which lie with their channels last."""
        return self.made(keras, IMAGE, like)


class NeedsConstantError(UnsupportedError):
    """An input must be known when the model is put together, but is computed.

    Attributes:
        value: The name of that input.
    """

    def __init__(self, value: str, what: str) -> None:
        super().__init__(f"its {what} ({value!r}) is computed; only a constant is supported")
        self.value = value


def _open(size: Size) -> int | None:
    return None if isinstance(size, Batch) else size

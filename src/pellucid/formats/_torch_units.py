"""A model's weights as PyTorch would keep them: in modules, channels first.

What PyTorch calls a module is here an operation that reads weights: a convolution's kernel and
bias, a batch normalisation's γ, β and running statistics.

| operation        | here                | in PyTorch               |
|------------------|---------------------|--------------------------|
| conv2d           | (KH, KW, I / g, O)  | (O, I / g, KH, KW)       |
| depthwise_conv2d | (KH, KW, C, M)      | (C · M, 1, KH, KW)       |
| conv2d_transpose | (KH, KW, O / g, I)  | (I, O / g, KH, KW)       |
| dense            | (I, O)              | (O, I)                   |
| others           | (C,)                | (C,)                     |

Where a dense layer reads flattened maps, its inputs are in another order as well: (H, W, C) here,
(C, H, W) there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pellucid.errors import LoadError
from pellucid.graph import Node, Value, Variable
from pellucid.models import Model
from pellucid.ops._operation import Array
from pellucid.ops.transpose import Transpose

__all__ = ["Unit", "units_of"]

Shape = tuple[int, ...]
Signature = frozenset[tuple[str, Shape]]

_ROLES = {
    "kernel": "weight",
    "gamma": "weight",
    "alpha": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""PyTorch's names for what an operation reads."""


@dataclass
class Unit:
    """The weights of one operation.

    Attributes:
        name: The layer's name; with the operation's where a layer has several.
        layer: The layer's name, after those of the models that it is in.
        kind: The operation's name.
        weights: The weights by PyTorch's names for them.
        maps: (H, W, C) of the maps whose flattened cells are the operation's input, or None.
        before: The numbers of the units that it depends on, itself among them, as bits.
        number: Its own, in the order in which they are computed.
    """

    name: str
    layer: str
    kind: str
    weights: dict[str, Variable] = field(default_factory=dict)
    maps: Shape | None = None
    before: int = 0
    number: int = 0

    def path(self, role: str) -> str:
        """Return a weight's name, which no other has: also not that of a model inside."""
        return f"{self.layer}/{self.weights[role].name}"

    @property
    def signature(self) -> Signature:
        """The weights' names and shapes as PyTorch would have them."""
        return frozenset((role, self.torch_shape(role)) for role in self.weights)

    def torch_shape(self, role: str) -> Shape:
        """Return the shape that PyTorch gives a weight."""
        shape = self.weights[role].shape
        if self.kind == "depthwise_conv2d" and len(shape) == 4:
            return (shape[2] * shape[3], 1, *shape[:2])
        if len(shape) == 4:
            return (shape[3], shape[2], *shape[:2])
        if self.kind == "prelu":
            return (math.prod(shape),)
        return shape[::-1]

    def converted(self, role: str, array: Array) -> tuple[Array, str]:
        """Return a weight as it is here, and what was done to PyTorch's."""
        shape = self.weights[role].shape
        if self.kind == "depthwise_conv2d" and array.ndim == 4:
            apart = array.reshape(shape[2], shape[3], *shape[:2])
            return apart.transpose(2, 3, 0, 1), "reshaped, transposed"
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0), "transposed"
        if self.maps is not None and (self.kind != "dense" or role == "weight"):
            height, width, channels = self.maps
            maps = array.reshape(*array.shape[:-1], channels, height, width)
            moved = np.moveaxis(maps, -3, -1).reshape(array.shape)
            return moved.T, "channels last" if array.ndim == 1 else "channels last, transposed"
        if array.ndim == 2:
            return array.T, "transposed"
        return array.reshape(shape), ""


def units_of(model: Model) -> list[Unit]:
    """Return the units of a model, in the order in which they are computed."""
    program = model.program()
    units: dict[tuple[int, ...], Unit] = {}
    makers = {node.output: node for node in program.nodes}
    before: dict[Value, int] = {}
    for node in program.nodes:
        depends = 0
        for value in node.inputs:
            depends |= before.get(value, 0) if value is not None else 0
        weights = _weights(node)
        key = tuple(id(variable) for variable in weights.values())
        if weights and key not in units:
            unit = Unit(node.layer, node.layer, node.op.name, weights, number=len(units))
            if unit.kind != "prelu":
                unit.maps = _flattened(node.inputs[0], makers, node.layer)
            unit.before = depends | 1 << unit.number
            units[key] = unit
        if weights:
            depends |= 1 << units[key].number
        before[node.output] = depends
    _name_apart(list(units.values()))
    return list(units.values())


def _weights(node: Node) -> dict[str, Variable]:
    found = {}
    for name, value in zip(node.input_names, node.inputs, strict=True):
        if value is not None and value.variable is not None:
            found[_ROLES.get(name, name)] = value.variable
    return found


def _name_apart(units: list[Unit]) -> None:
    names = [unit.name for unit in units]
    for unit in units:
        if names.count(unit.name) > 1:
            unit.name = f"{unit.name}/{unit.kind.removesuffix('_conv2d')}"


def _flattened(value: Value | None, makers: dict[Value, Node], layer: str) -> Shape | None:
    """Return (H, W, C) if the cells of a row are those of flattened maps, in our order.

    Raises:
        LoadError: They are those of several flattened maps, or of some of them.
    """
    node = makers.get(value) if value is not None else None
    if node is None or value is None or len(value.shape) != 2 or node.op.name == "dense":
        return None
    read = [v for v in node.inputs if v is not None and v.variable is None and v.kind != "random"]
    if len(read) == 1 and len(read[0].shape) != 2:
        return _maps(read[0], node, makers)
    found = {_flattened(v, makers, layer) for v in read}
    if found == {None}:
        return None
    if len(found) == 1 and all(v.shape == value.shape for v in read):
        return found.pop()
    raise LoadError(
        f"{layer} reads flattened maps through {node.op.name}, so the order of its weights in "
        "PyTorch cannot be told. Set them with set_weights."
    )


def _maps(x: Value, node: Node, makers: dict[Value, Node]) -> Shape | None:
    known = [n for n in x.shape[1:] if n is not None]
    if node.op.name not in ("flatten", "reshape") or len(known) != 3:
        return None
    maker = makers.get(x)
    if maker is not None and isinstance(maker.op, Transpose) and maker.op.axes == (0, 3, 1, 2):
        return None  # channels were put first on purpose, as PyTorch has them
    return (known[0], known[1], known[2])

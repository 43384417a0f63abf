"""An ONNX graph in the making: its nodes, its constants, and the order of each tensor's axes.

ONNX has images channels first, (N, C, H, W); Pellucid has them channels last. A value of a program
may stand in the graph with its axes in any order, and in several. A rule asks for the order that
its operator needs; only if the value is not there in that order yet is it transposed. So a chain
of convolutions and activations is transposed once before and once after, and a permutation of axes
costs nothing until somebody minds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.graph import Value
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["Axes", "Form", "Graph", "channels_first", "in_order", "place_of"]

Axes = tuple[int, ...]
"""For each axis of the tensor in the graph, the axis of the value that it is."""

Form = tuple[str, Axes]
"""A tensor's name in the graph, and the order of its axes there."""


def in_order(rank: int) -> Axes:
    """Return the order of a value's own axes."""
    return tuple(range(rank))


def channels_first(rank: int) -> Axes:
    """Return the order that ONNX wants of images: the last axis after the first."""
    return in_order(rank) if rank < 3 else (0, rank - 1, *range(1, rank - 1))


def place_of(axis: int, axes: Axes) -> int:
    """Return where an axis of a value, counted from the end if negative, is in the graph."""
    return axes.index(axis % len(axes))


@dataclass(frozen=True)
class _Node:
    operator: str
    inputs: tuple[str, ...]
    output: str
    name: str
    attributes: dict[str, Any]


class Graph:
    """Collects what an ONNX graph is made of.

    Attributes:
        opset: The version of ONNX's operators that the graph is written in.
        initializers: The weights and constants so far, by name.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.initializers: dict[str, Array] = {}
        self._layer = ""
        self._nodes: list[_Node] = []
        self._taken: dict[str, int] = {}
        self._forms: dict[Value, dict[Axes, str]] = {}
        self._stored: dict[tuple[Any, ...], str] = {}
        self._renamed: dict[str, str] = {}
        self._outputs: dict[str, str] = {}

    # What rules add.

    def node(self, operator: str, *inputs: str | None, name: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return the output's name; None is an input left out."""
        given = ["" if tensor is None else tensor for tensor in inputs]
        while not given[-1]:
            given.pop()
        label = self.unique(f"{self._layer}/{operator}" if self._layer else operator)
        output = self.unique(name or f"{label}.output")
        self._nodes.append(_Node(operator, tuple(given), output, label, attributes))
        return output

    def constant(self, value: Any, dtype: str = "float32") -> str:
        """Return the name of a constant, which is kept once however often it is used."""
        return self._store("constant", np.asarray(value, dtype))

    def weight(
        self, value: Value | None, arrange: Callable[[Array], Array] = lambda array: array
    ) -> str | None:
        """Return the name of a weight, arranged as the operator wants it; None for none."""
        if value is None:
            return None
        assert value.variable is not None
        array = np.array(arrange(value.variable.value), "float32", order="C")
        return self._store(value.variable.path, array, id(value.variable))

    def reduce(self, operator: str, tensor: str, axes: Sequence[int]) -> str:
        """Add a ReduceMean or the like, which keeps the axes."""
        if self.opset < 18 and operator != "ReduceSum":
            return self.node(operator, tensor, axes=list(axes), keepdims=1)
        return self.node(operator, tensor, self.constant(axes, "int64"), keepdims=1)

    def unique(self, name: str) -> str:
        """Return `name`, with a number after it if something has that name already."""
        count = self._taken[name] = self._taken.get(name, -1) + 1
        return self.unique(f"{name}_{count}") if count else name

    # Where values are.

    def put(self, value: Value, form: Form) -> None:
        """Say which tensor a value is, and in which order its axes are there."""
        tensor, axes = form
        self._forms.setdefault(value, {})[axes] = tensor

    def permuted(self, value: Value, order: Axes) -> list[Form]:
        """Return where a value is with its axes in `order`: no node is needed for that."""
        return [
            (self.read(value, axes), tuple(order.index(axis) for axis in axes))
            for axes in self.orders(value)
        ]

    def orders(self, value: Value) -> list[Axes]:
        """Return the orders of axes in which a value is there, channels first before others."""
        rank = len(value.shape)
        if value.kind == "weight":
            return [in_order(rank)]
        return sorted(self._forms[value], key=lambda axes: axes != channels_first(rank))

    def read(self, value: Value, axes: Axes | None = None) -> str:
        """Return the tensor of a value with its axes in the given order, by default its own."""
        axes = in_order(len(value.shape)) if axes is None else axes
        if value.kind == "weight":
            return str(self.weight(value, lambda array: array.transpose(axes)))
        forms = self._forms[value]
        if axes not in forms:
            present, tensor = next(iter(forms.items()))
            suffix = {in_order(4): "nhwc", channels_first(4): "nchw"}.get(axes, "transposed")
            perm = [present.index(axis) for axis in axes]
            forms[axes] = self.node("Transpose", tensor, name=f"{value.name}.{suffix}", perm=perm)
        return forms[axes]

    def image(self, value: Value) -> str:
        """Return the tensor of a value channels first."""
        return self.read(value, channels_first(len(value.shape)))

    def any(self, value: Value) -> Form:
        """Return a tensor of a value in whichever order it is there, channels first if it is."""
        axes = self.orders(value)[0]
        return self.read(value, axes), axes

    # The whole.

    @contextmanager
    def layer(self, name: str, output: Value) -> Iterator[None]:
        """Name the nodes that are added inside after a layer, and what they make after `output`."""
        self._layer, before = name, len(self._nodes)
        yield
        made = {node.output for node in self._nodes[before:]}
        for tensor in self._forms[output].values():
            if tensor in made:
                self._renamed[tensor] = self.unique(output.name)
        self._layer = ""

    def finish(self, value: Value, name: str) -> None:
        """Make a value an output of the graph, of a name that `unique` has given out before."""
        tensor = self.read(value)
        if tensor in self._outputs or tensor not in {node.output for node in self._nodes}:
            tensor = self.node("Identity", tensor)
        self._outputs[tensor] = name

    def protos(self) -> list[NodeProto]:
        """Return the nodes, each after those whose outputs it reads."""
        from onnx import helper

        def final(tensor: str) -> str:
            return self._outputs.get(tensor) or self._renamed.get(tensor, tensor)

        return [
            helper.make_node(
                node.operator,
                [final(tensor) for tensor in node.inputs],
                [final(node.output)],
                node.name,
                **node.attributes,
            )
            for node in self._nodes
        ]

    def _store(self, name: str, array: Array, owner: int = 0) -> str:
        content = hashlib.blake2b(array.tobytes(), digest_size=16).digest()
        key = (owner, array.dtype, array.shape, content)
        if key not in self._stored:
            self._stored[key] = self.unique(name)
            self.initializers[self._stored[key]] = array
        return self._stored[key]

"""What is left of an ONNX file once it is read and checked: plain records, no protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.ops._operation import Array

__all__ = ["Graph", "Node", "Port", "Subgraph"]


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph.

    Attributes:
        name: Its name.
        dtype: The type of its numbers; None for what is not a tensor of numbers.
        shape: Its sizes, None where the file leaves one open; None if it does not say the rank.
        kind: What the file calls its type, for messages.
    """

    name: str
    dtype: np.dtype[Any] | None
    shape: tuple[int | None, ...] | None
    kind: str


@dataclass(frozen=True)
class Subgraph:
    """The value of an attribute that is a graph of its own: the body of a loop or a branch."""


@dataclass(eq=False)
class Node:
    """One use of an operator.

    Attributes:
        name: Its name in the file, or one made of its output.
        operator: The operator, with its domain before it unless that is ONNX's own.
        inputs: The names of the values that it reads; "" where an optional one is left out.
        outputs: The names of the values that it makes; "" where one is not wanted.
        attributes: Numbers, texts, arrays, and lists of these.
    """

    name: str
    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """A graph of nodes, each of which reads inputs, constants and what earlier nodes made.

    Attributes:
        name: Its name.
        opset: The version of ONNX's operators that it is written for.
        inputs: What is fed in; what the file has a value for is not among it.
        outputs: What is wanted.
        nodes: The nodes, in the order in which they run.
        constants: The values that the file holds.
    """

    name: str
    opset: int
    inputs: list[Port]
    outputs: list[Port]
    nodes: list[Node]
    constants: Mapping[str, Array]

"""From the bytes of an ONNX file to a graph of plain records, with everything in it checked.

An ONNX file is a protocol-buffers message, parsed by the `onnx` package's schema. Parsing runs
nothing; what the message says is taken for a claim, and compared with what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pellucid.errors import LoadError, MissingPackageError
from pellucid.formats.onnx._external import ExternalData
from pellucid.formats.onnx._graph import Graph, Node, Port, Subgraph
from pellucid.formats.onnx._tensors import array_of, dtype_of, kind_of
from pellucid.ops._operation import Array

__all__ = ["OLDEST", "graph_of", "parse", "require_onnx"]

OLDEST = 6
"""The oldest version of the operators that is read."""

_MOST_NODES = 50_000
_MOST_ATTRIBUTES = 64
_OWN_DOMAINS = ("", "ai.onnx")


def require_onnx() -> Any:
    """Return the `onnx` package; MissingPackageError if it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise MissingPackageError(
            'Reading ONNX files needs the package onnx: pip install "pellucid[onnx]"'
        ) from error
    return onnx


def parse(data: bytes, where: str) -> Any:
    """Return the ModelProto in a file's bytes; LoadError if it is none."""
    onnx = require_onnx()
    from google.protobuf.message import DecodeError

    if not data:
        raise LoadError(f"{where} is empty: it is not an ONNX file.")
    _count_fields(data, where)
    try:
        return onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise LoadError(f"{where} is not a readable ONNX file: {error}.") from error


def graph_of(model: Any, external: ExternalData, where: str) -> Graph:
    """Return the graph in a ModelProto.

    Raises:
        LoadError: it is not of the form that the standard gives, or too large.
    """
    if not model.HasField("graph"):
        raise LoadError(f"{where} has no graph: it is not an ONNX model.")
    opset = _opset(model, where)
    if model.functions:
        names = ", ".join(sorted({function.name for function in model.functions})[:8])
        raise LoadError(
            f"{where} defines functions of its own ({names}). Write them out first, with "
            f"onnx.inliner.inline_local_functions."
        )
    graph = model.graph
    parts = (graph.node, graph.initializer, graph.input, graph.output)
    if (most := max(map(len, parts))) > _MOST_NODES:
        raise LoadError(f"{where} has {most:,} nodes or values; expected {_MOST_NODES:,} at most.")
    if graph.sparse_initializer:
        raise LoadError(f"{where} holds sparse arrays, which are not supported.")
    constants = _constants(graph.initializer, external, where)
    inputs = [_port(value, where) for value in graph.input if value.name not in constants]
    nodes = [_node(node, i, external, where) for i, node in enumerate(graph.node)]
    outputs = [_port(value, where) for value in graph.output]
    _require_order(inputs, constants, nodes, outputs, where)
    return Graph(graph.name, opset, inputs, outputs, nodes, constants)


def _count_fields(data: bytes, where: str) -> None:
    """Refuse a message of very many parts before it is parsed, as each takes more than its bytes.

    The top level of a ModelProto and of its graph (field 7) are walked without being parsed.
    """
    end = len(data)
    position, limit, inside = 0, end, False
    count = 0
    while position < end:
        if inside and position >= limit:
            inside = False
        try:
            tag, position = _varint(data, position)
            kind = tag & 7
            if kind == 2:
                size, start = _varint(data, position)
                enter = tag >> 3 == 7 and not inside
                position = start if enter else start + size
                if enter:
                    inside, limit = True, start + size
            elif kind == 0:
                _, position = _varint(data, position)
            elif kind in (1, 5):
                position += 8 if kind == 1 else 4
            else:
                raise ValueError(f"wire type {kind}")
        except (IndexError, ValueError) as error:
            raise LoadError(f"{where} is not a readable ONNX file: it is broken.") from error
        count += 1
        if count > 4 * _MOST_NODES:
            raise LoadError(f"{where} has more than {4 * _MOST_NODES:,} parts, too many to read.")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _opset(model: Any, where: str) -> int:
    onnx = require_onnx()
    versions = [entry.version for entry in model.opset_import if entry.domain in _OWN_DOMAINS]
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1:
        raise LoadError(
            f"{where} must say once which version of ONNX's operators it uses, but does so "
            f"{len(versions)} times."
        )
    if not OLDEST <= versions[0] <= newest:
        raise LoadError(
            f"{where} is written for version {versions[0]} of ONNX's operators; versions {OLDEST} "
            f"to {newest} are read here. onnx.version_converter can change it."
        )
    return int(versions[0])


def _constants(tensors: Iterable[Any], external: ExternalData, where: str) -> dict[str, Array]:
    constants: dict[str, Array] = {}
    for tensor in tensors:
        if not tensor.name or tensor.name in constants:
            raise LoadError(f"{where} has two initialisers, or none, called {tensor.name!r}.")
        name = f"{where}: initialiser {tensor.name!r}"
        constants[tensor.name] = array_of(tensor, external, name)
    return constants


def _port(value: Any, where: str) -> Port:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Port(value.name, None, None, (kind or "nothing").removesuffix("_type"))
    tensor = value.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        if len(sizes) > 32 or any(size is not None and size < 0 for size in sizes):
            raise LoadError(f"{where}: {value.name!r} has a shape that cannot be: {sizes[:8]}.")
        shape = tuple(sizes)
    return Port(value.name, dtype_of(tensor.elem_type), shape, kind_of(tensor.elem_type))


def _node(node: Any, index: int, external: ExternalData, where: str) -> Node:
    operator = node.op_type
    if node.domain not in _OWN_DOMAINS:
        operator = f"{node.domain}.{operator}"
    outputs = list(node.output)
    name = node.name or next(filter(None, outputs), "") or f"node {index}"
    if len(node.attribute) > _MOST_ATTRIBUTES:
        raise LoadError(f"{where}: node {name!r} has {len(node.attribute)} attributes.")
    attributes = {}
    for attribute in node.attribute:
        place = f"{where}: node {name!r}, attribute {attribute.name!r}"
        if attribute.name in attributes:
            raise LoadError(f"{place} is there twice.")
        attributes[attribute.name] = _attribute(attribute, external, place)
    return Node(name, operator, list(node.input), outputs, attributes)


def _attribute(attribute: Any, external: ExternalData, place: str) -> Any:
    match attribute.type:  # AttributeProto.AttributeType; the numbers are fixed by the standard
        case 1:
            return float(attribute.f)
        case 2:
            return int(attribute.i)
        case 3:
            return attribute.s.decode("utf-8", "replace")
        case 4:
            return array_of(attribute.t, external, place)
        case 5 | 10:
            return Subgraph()
        case 6:
            return [float(number) for number in attribute.floats]
        case 7:
            return [int(number) for number in attribute.ints]
        case 8:
            return [text.decode("utf-8", "replace") for text in attribute.strings]
        case _:
            raise LoadError(f"{place} is of type {attribute.type}, which is not supported.")


def _require_order(
    inputs: list[Port],
    constants: dict[str, Array],
    nodes: list[Node],
    outputs: list[Port],
    where: str,
) -> None:
    """Raise LoadError unless each value is made once, before it is read."""
    made = set(constants)
    for port in inputs:
        if not port.name or port.name in made:
            raise LoadError(f"{where} has two inputs, or none, called {port.name!r}.")
        made.add(port.name)
    for node in nodes:
        for name in node.inputs:
            if name and name not in made:
                raise LoadError(
                    f"{where}: node {node.name!r} ({node.operator}) reads {name!r}, which nothing "
                    f"before it makes."
                )
        for name in node.outputs:
            if name and name in made:
                raise LoadError(f"{where}: {name!r} is made twice, again by node {node.name!r}.")
            made.update(filter(None, [name]))
    if not outputs:
        raise LoadError(f"{where} has no outputs.")
    for port in outputs:
        if port.name not in made:
            raise LoadError(f"{where}: nothing makes its output {port.name!r}.")
    if len({port.name for port in outputs}) != len(outputs):
        raise LoadError(f"{where} names an output twice.")

"""What an ONNX file says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pellucid.formats.inspection._contents import FileContents, StoredArray

__all__ = ["inspect_onnx"]

_MOST_PORTS = 4


def inspect_onnx(data: bytes, where: str) -> FileContents:
    """Return the nodes and arrays of an ONNX graph, whether Pellucid knows its operators or not.

    Raises:
        LoadError: The file is broken, or the package onnx is not installed.
    """
    from pellucid.formats.onnx._external import ExternalData
    from pellucid.formats.onnx._read import parse
    from pellucid.formats.onnx._tensors import array_of, dtype_of

    model = parse(data, where)
    graph = model.graph
    opsets = [f"{e.version}{f' ({e.domain})' if e.domain else ''}" for e in model.opset_import]
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [port for port in graph.input if port.name not in stored]
    facts = {
        "written by": f"{model.producer_name} {model.producer_version}".strip(),
        "operators": f"version {', '.join(opsets)}; file format {model.ir_version}",
        "model": graph.name,
        "inputs": _listed(inputs),
        "outputs": _listed(graph.output),
    }
    arrays = [
        StoredArray(
            tensor.name,
            tuple(tensor.dims),
            str(dtype_of(tensor.data_type)),
            partial(array_of, tensor, ExternalData(None, where), f"{where}: {tensor.name}"),
        )
        for tensor in graph.initializer
    ]
    layers = [(node.name or ", ".join(node.output), node.op_type) for node in graph.node]
    return FileContents("onnx", "ONNX model", {k: v for k, v in facts.items() if v}, layers, arrays)


def _listed(ports: Sequence[Any]) -> str:
    shown = [f"{port.name} ({', '.join(_sizes(port))})" for port in ports[:_MOST_PORTS]]
    return ", ".join(shown) + (f" … ({len(ports)})" if len(ports) > _MOST_PORTS else "")


def _sizes(port: Any) -> list[str]:
    sizes = port.type.tensor_type.shape.dim
    return [size.dim_param or str(size.dim_value) for size in sizes]

"""Writing a model as an ONNX file, which ONNX Runtime and many other programs run.

The graph reads and makes what the model does: images channels last, and a batch of any size. Within
it, images are channels first, as ONNX's operators want them; they are transposed at its borders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import __version__
from pellucid.errors import ArgumentError, MissingPackageError
from pellucid.formats._atomic import atomic_write
from pellucid.formats.onnx.export_graph import Graph, in_order
from pellucid.formats.onnx.export_rules import RULES
from pellucid.graph import Program, Tracer, Value
from pellucid.layers._symbolic import flatten
from pellucid.models.network import Network
from pellucid.ops._operation import Shape

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

__all__ = ["OPSETS", "export_onnx", "program_to_onnx", "to_onnx"]

OPSETS = range(13, 27)
"""The versions of ONNX's operators that can be written."""

DEFAULT_OPSET = 18

LARGEST = 2**31 - 1
"""The most bytes that an ONNX file can have: the format (Protocol Buffers) has no room for more."""


def export_onnx(
    model: Network,
    filepath: str | os.PathLike[str],
    verbose: bool | None = None,
    input_signature: Any = None,
    opset_version: int | None = None,
) -> None:
    """Write a model as an ONNX file, whole or not at all.

    Args:
        model: The model; what it does in training, such as dropout, is left out.
        filepath: The file.
        verbose: Whether to say where it was written.
        input_signature: As for `to_onnx`.
        opset_version: As for `to_onnx`.

    Raises:
        ArgumentError: As by `to_onnx`.
        MissingPackageError: onnx is not installed.
        NotBuiltError: The model does not know the shape of its input.
        OSError: The file cannot be written.
    """
    atomic_write(filepath, to_onnx(model, input_signature, opset_version).SerializeToString())
    if verbose:
        print(f"Exported {model.name} to {os.fspath(filepath)}")


def to_onnx(
    model: Network, input_signature: Any = None, opset_version: int | None = None
) -> ModelProto:
    """Return a model as ONNX's own object.

    Args:
        model: The model.
        input_signature: The shapes of the inputs with the batch, as tuples or as anything with a
            `shape`, in the structure of the model's inputs. By default the model's: any batch.
        opset_version: The version of ONNX's operators, in `OPSETS`; by default 18.

    Raises:
        ArgumentError: Some operations cannot be said in ONNX (the message names them all), the
            model is too large for one file, there is no such version, or the shapes do not fit.
        MissingPackageError: onnx is not installed.
        NotBuiltError: The model does not know the shape of its input.
    """
    return program_to_onnx(
        _program(model, input_signature),
        model.name,
        model.input_names,
        model.output_names,
        opset_version,
        dtypes=[tensor.dtype for tensor in model.inputs],
        properties=_properties(model),
    )


def program_to_onnx(
    program: Program,
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    opset_version: int | None = None,
    *,
    dtypes: Sequence[str] | None = None,
    properties: Mapping[str, str] | None = None,
) -> ModelProto:
    """Return any program as ONNX's own object; the arguments and errors are those of `to_onnx`."""
    try:
        from onnx import helper, numpy_helper
        from onnx.defs import onnx_opset_version
    except ImportError as error:
        raise MissingPackageError(
            'Writing ONNX files needs onnx, which is not installed: pip install "pellucid[onnx]"'
        ) from error
    opset = DEFAULT_OPSET if opset_version is None else opset_version
    newest = min(OPSETS[-1], onnx_opset_version())
    if opset not in OPSETS or opset > newest:
        raise ArgumentError(
            f"opset_version must be from {OPSETS[0]} to {newest}, received {opset_version!r}."
        )
    _require_rules(program, name)
    g = Graph(opset)
    inputs = [g.unique(tensor) for tensor in input_names]
    outputs = [g.unique(tensor) for tensor in output_names]
    kinds = dtypes or ["float32"] * len(inputs)
    for value, tensor, dtype in zip(program.inputs, inputs, kinds, strict=True):
        _feed(g, value, tensor, dtype)
    for node in program.nodes:
        with g.layer(node.layer, node.output):
            made = RULES[node.op.name](g, node.op, *node.inputs)
            for form in made if isinstance(made, list) else [made]:
                g.put(node.output, form)
    for value, tensor in zip(program.outputs, outputs, strict=True):
        g.finish(value, tensor)
    _require_room(g, name)
    graph = helper.make_graph(
        g.protos(),
        name,
        [_declared(*declared) for declared in zip(inputs, program.inputs, kinds, strict=True)],
        [_declared(t, value, "float32") for t, value in zip(outputs, program.outputs, strict=True)],
        [numpy_helper.from_array(array, tensor) for tensor, array in g.initializers.items()],
    )
    versions = [helper.make_opsetid("", opset)]
    proto = helper.make_model(
        graph,
        opset_imports=versions,
        ir_version=helper.find_min_ir_version_for(versions),
        producer_name="pellucid",
        producer_version=__version__,
    )
    helper.set_model_props(proto, dict(properties or {}))
    return proto


def _program(model: Network, input_signature: Any) -> Program:
    """Return the model for inference, for inputs of other shapes if there are any."""
    program = model.program()
    if input_signature is None:
        return program
    shapes = _shapes(input_signature)
    own = [value.shape for value in program.inputs]
    if len(shapes) != len(own) or any(
        len(shape) != len(expected) for shape, expected in zip(shapes, own, strict=False)
    ):
        raise ArgumentError(
            f"input_signature must have the shapes of {model.name}'s inputs with the batch, such "
            f"as {own}, received {input_signature!r}."
        )
    g = Tracer()
    names = model.input_names
    inputs = [g.input(shape, name) for shape, name in zip(shapes, names, strict=True)]
    return g.program(inputs, flatten(model.call(g, *inputs)))


def _shapes(signature: Any) -> list[Shape]:
    """Return the shapes in nested lists, tuples and dicts of shapes or of things that have one."""
    if hasattr(signature, "shape"):
        return [tuple(signature.shape)]
    if isinstance(signature, Sequence) and all(n is None or isinstance(n, int) for n in signature):
        return [tuple(signature)]
    if not isinstance(signature, dict | list | tuple):
        raise ArgumentError(f"input_signature must hold shapes, received {signature!r}.")
    parts = signature.values() if isinstance(signature, dict) else signature
    return [shape for part in parts for shape in _shapes(part)]


def _require_rules(program: Program, name: str) -> None:
    missing: dict[str, list[str]] = {}
    for node in program.nodes:
        drawn = any(value is not None and value.kind == "random" for value in node.inputs)
        if drawn or node.op.name not in RULES:
            missing.setdefault(node.op.name, []).append(node.layer)
    if missing:
        listed = "; ".join(f"{op} (layers: {', '.join(at)})" for op, at in missing.items())
        raise ArgumentError(
            f"{name} cannot be exported, as there is nothing in ONNX for these operations: "
            f"{listed}. What is drawn anew in each run can only be exported as it is in inference."
        )


def _require_room(g: Graph, name: str) -> None:
    size = sum(array.nbytes for array in g.initializers.values())
    if size > LARGEST - 2**20:  # what is not weights takes much less than a megabyte
        raise ArgumentError(
            f"{name} has {size / 2**30:.1f} GiB of weights; an ONNX file has room for 2 GiB in all."
            f" Save the model as .keras, or export parts of it."
        )


def _feed(g: Graph, value: Value, tensor: str, dtype: str) -> None:
    """Put an input where the rules find it; one that is not float32 becomes so first."""
    from onnx import TensorProto

    if dtype != "float32":
        tensor = g.node("Cast", tensor, to=TensorProto.FLOAT)
    g.put(value, (tensor, in_order(len(value.shape))))


def _declared(tensor: str, value: Value, dtype: str) -> ValueInfoProto:
    from onnx import helper

    sizes = [
        size if size is not None else f"{tensor}_{axis}" if axis else "batch"
        for axis, size in enumerate(value.shape)
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(tensor, kind, sizes)


def _properties(model: Network) -> dict[str, str]:
    """Return what the file says of the pictures or rows that the model was trained on."""
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is None:
        return {}
    found = {"preprocessing": json.dumps(preprocessing)}
    if preprocessing.get("class_names"):
        found["class_names"] = json.dumps(preprocessing["class_names"])
    return found

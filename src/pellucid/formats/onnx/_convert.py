"""From a graph of ONNX's nodes to a model of layers, channels last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.errors import ArgumentError, LoadError, PellucidError
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch, Size
from pellucid.formats.onnx._builder import IMAGE, Builder, Call, NeedsConstantError, Value
from pellucid.formats.onnx._graph import Graph, Node, Port
from pellucid.formats.onnx._layout import Tensor, arranged
from pellucid.formats.onnx.operators import HANDLERS
from pellucid.layers._unfilled import unfilled
from pellucid.models import Model
from pellucid.ops._operation import Array

__all__ = ["Converted", "ProblemsError", "convert", "load_graph", "refusal"]

ROOM = 1 << 21
"""How many numbers may be made beyond twice those in the file: of shapes, or repeated."""

IMAGE_OPERATORS = frozenset(
    {
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"),
        *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
        *("Resize", "Upsample", "DepthToSpace", "SpaceToDepth"),
    }
)
"""The operators that take their input for images, (N, C, H, W)."""
MOVING_OPERATORS = frozenset(
    {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "MatMul", "Gemm", "Gather", "Shape"}
)
"""The operators after which axes are others, so that they say nothing of what an input is."""


@dataclass(frozen=True)
class Converted:
    """A graph as a model.

    Attributes:
        model: The model; None if nothing is left to compute.
        inputs: For each of the model's inputs its name in the file and the order of its axes here.
        outputs: For each of the graph's outputs what it is: a constant, or the order of its axes
            in the next of the model's outputs.
    """

    model: Model | None
    inputs: list[tuple[str, tuple[int, ...]]]
    outputs: list[Array | tuple[int, ...]]


class ProblemsError(Exception):
    """What of a graph is not supported: all of it.

    Attributes:
        problems: A line for each operator or node.
        needed: The values that must be known when the model is put together, but are computed.
    """

    def __init__(self, problems: list[str], needed: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems, self.needed = problems, needed


def load_graph(
    graph: Graph, where: str, input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None
) -> Model:
    """Return a graph as a model for batches of any size, or of the size that the file insists on.

    Raises:
        LoadError: something in it is not supported; the message names every such node.
    """
    graph.inputs = _with_shapes(graph, input_shape, where)
    sizes = {port.shape[0] if port.shape else None for port in graph.inputs}
    fixed = sizes.pop() if len(sizes) == 1 else None
    try:
        made = convert(graph, where, _shapes(graph, where, batched=True), written_for=fixed)
    except ProblemsError as error:
        if fixed is None:
            raise refusal(where, error) from error
        try:
            made = convert(graph, where, _shapes(graph, where, batched=False))
        except ProblemsError as again:
            raise refusal(where, again) from again
    constant = [p.name for p, o in zip(graph.outputs, made.outputs, strict=True) if _is_array(o)]
    if constant or made.model is None:
        raise LoadError(
            f"{where}: its output {', '.join(map(repr, constant))} depends on no input."
        )
    return made.model


def convert(
    graph: Graph,
    where: str,
    shapes: Mapping[str, tuple[int | None, ...]],
    *,
    known: Mapping[str, Array] | None = None,
    exact: bool = False,
    written_for: int | None = None,
    room: int = ROOM,
) -> Converted:
    """Return a graph as a model.

    Args:
        graph: The graph.
        where: What the file is called, for messages.
        shapes: The shapes of its inputs; None as the first size stands for the batch.
        known: Inputs that are taken for constants.
        exact: Whether values keep their types; otherwise all fractions are in single precision.
        written_for: The batch size that the file says.
        room: How many numbers may be made beyond twice those that the file holds.

    Raises:
        ProblemsError: something in it is not supported.
        LoadError: an input is of a kind that is not supported.
    """
    constants = {**graph.constants, **(known or {})}
    if not exact:
        constants = {name: _single(array) for name, array in constants.items()}
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update(port.name for port in graph.outputs)
    # What asks for a shape does not read the numbers.
    asked = (n for node in graph.nodes if node.operator in ("Shape", "Size") for n in node.inputs)
    reads = uses - Counter(asked)
    makers = {name: node for node in graph.nodes for name in node.outputs}
    held = sum(array.size for array in constants.values())
    build = Builder(2 * held + room, uses, reads, makers, exact=exact, written_for=written_for)
    values: dict[str, Value | None] = dict(constants)
    inputs: list[tuple[str, tuple[int, ...]]] = []
    tensors: list[Any] = []
    fed = [port for port in graph.inputs if port.name not in constants]
    for port in fed:
        tensor, order = _input(port, shapes[port.name], build, graph, where)
        values[port.name] = tensor
        inputs.append((port.name, order))
        tensors.append(tensor.keras)
    with unfilled(8 * held + room):  # layers made anew in place of others count again
        _run(graph, build, values)
        return _finish(graph, build, values, inputs, tensors)


def _with_shapes(
    graph: Graph, given: Sequence[int] | Mapping[str, Sequence[int]] | None, where: str
) -> list[Port]:
    """Return the inputs, with the sizes that the user gave where the file leaves them open."""
    if given is None:
        return graph.inputs
    if not isinstance(given, Mapping):
        if len(graph.inputs) != 1:
            names = ", ".join(port.name for port in graph.inputs)
            raise ArgumentError(
                f"input_shape: {where} has {len(graph.inputs)} inputs ({names}); give a dict with "
                f"a shape for each."
            )
        given = {graph.inputs[0].name: given}
    if unknown := set(given) - {port.name for port in graph.inputs}:
        raise ArgumentError(f"input_shape: {where} has no input {', '.join(sorted(unknown))}.")
    ports = []
    for port in graph.inputs:
        if port.name in given:
            *space, channels = (int(n) for n in given[port.name])
            image = len(space) == 2 and _is_image(graph, port.name)
            shape = (None, channels, *space) if image else (None, *space, channels)
            said = port.shape or shape
            if len(said) != len(shape) or any(
                a is not None and a != b for a, b in zip(said[1:], shape[1:], strict=True)
            ):
                raise ArgumentError(
                    f"input_shape: {tuple(given[port.name])} does not fit the input {port.name!r} "
                    f"of {where}, which is {_sizes(said)}."
                )
            port = replace(port, shape=(said[0], *shape[1:]))
        ports.append(port)
    return ports


def _run(graph: Graph, build: Builder, values: dict[str, Value | None]) -> None:
    """Convert node after node; ProblemsError at the end if some could not be."""
    unknown: dict[str, list[str]] = {}
    problems: list[str] = []
    needed: list[str] = []
    for node in graph.nodes:
        values.update(dict.fromkeys(filter(None, node.outputs)))
        if node.operator not in HANDLERS:
            unknown.setdefault(node.operator, []).append(node.name)
            continue
        read = [values[name] if name else None for name in node.inputs]
        if any(name and value is None for name, value in zip(node.inputs, read, strict=True)):
            continue  # a node before it could not be converted
        try:
            made = _converted(Call(node, graph.opset, read, build))
        except NeedsConstantError as error:
            needed.append(error.value)
            problems.append(f"{_called(node)}: {error}")
        except (UnsupportedError, PellucidError) as error:
            problems.append(f"{_called(node)}: {error}")
        except Exception as error:  # noqa: BLE001  # a hostile node may fail in any way
            problems.append(f"{_called(node)}: {type(error).__name__}: {error}")
        else:
            values.update((n, v) for n, v in zip(node.outputs, made, strict=False) if n)
    problems = [
        f"{operator}, which is not known here: {', '.join(map(repr, names))}"
        for operator, names in unknown.items()
    ] + problems
    if problems:
        raise ProblemsError(problems, needed)


def _converted(call: Call) -> Sequence[Value]:
    _require_arity(call.node, call.opset)
    made = HANDLERS[call.node.operator](call)
    call.attributes.require_all_read()
    values = made if isinstance(made, list) else [made]
    listed = [value if isinstance(value, Tensor) else np.asarray(value) for value in values]
    call.outputs_wanted(len(listed))
    return listed


def _require_arity(node: Node, opset: int) -> None:
    """Refuse a node with more or fewer inputs and outputs than the standard gives its operator."""
    from onnx import defs

    try:
        schema = defs.get_schema(node.operator, opset)
    except defs.SchemaError as error:
        raise UnsupportedError(f"version {opset} has no such operator") from error
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        raise UnsupportedError(f"it has {len(node.inputs)} inputs")
    if not 1 <= len(node.outputs) <= schema.max_output:
        raise UnsupportedError(f"it has {len(node.outputs)} outputs")


def _finish(
    graph: Graph,
    build: Builder,
    values: Mapping[str, Value | None],
    inputs: list[tuple[str, tuple[int, ...]]],
    tensors: list[Any],
) -> Converted:
    outputs: list[Array | tuple[int, ...]] = []
    kept: list[Any] = []
    for port in graph.outputs:
        value = values[port.name]
        if not isinstance(value, Tensor):
            assert value is not None  # `_run` has seen to it
            outputs.append(value)
            continue
        order = value.permutation()
        if order != IMAGE:
            order = tuple(range(len(value.axes)))
        try:
            keras = build.arrange(value, order, port.name).keras
        except (UnsupportedError, PellucidError) as error:
            raise ProblemsError([f"output {port.name!r}: {error}"], []) from error
        if keras in tensors or keras in kept:
            keras = build.layer(layers.Identity(name=build.name(port.name, "output")), keras)
        outputs.append(order)
        kept.append(keras)
    if not kept:
        return Converted(None, inputs, outputs)
    model = Model(
        tensors[0] if len(tensors) == 1 else tensors,
        kept[0] if len(kept) == 1 else kept,
        name=build.name(graph.name, "model"),
    )
    return Converted(model, inputs, outputs)


def _shapes(graph: Graph, where: str, *, batched: bool) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of the inputs, the batch left open or as the file says."""
    shapes: dict[str, tuple[int | None, ...]] = {}
    for port in graph.inputs:
        if port.dtype is None:
            raise _not_numbers(port, where)
        if port.shape is None:
            raise LoadError(f"{where} does not say how many axes its input {port.name!r} has.")
        if not port.shape:
            raise LoadError(
                f"{where}: its input {port.name!r} is a single number, without a batch."
            )
        if None in port.shape[1:]:
            raise LoadError(
                f"{where} leaves sizes of its input {port.name!r} open: {_sizes(port.shape)}. Give "
                f"them, without the batch and with the channels last, for instance "
                f"input_shape=(224, 224, 3)."
            )
        shapes[port.name] = (None, *port.shape[1:]) if batched else port.shape
    return shapes


def _not_numbers(port: Port, where: str) -> LoadError:
    return LoadError(f"{where}: its input {port.name!r} is {port.kind}, which is not supported.")


def _input(
    port: Port, shape: tuple[int | None, ...], build: Builder, graph: Graph, where: str
) -> tuple[Tensor, tuple[int, ...]]:
    """Return the tensor of an input, and the order of its axes here."""
    dtype = port.dtype
    if dtype is None or (build.exact and dtype == np.float16):
        raise _not_numbers(port, where)
    if dtype.kind == "f" and not build.exact:
        dtype = np.dtype(np.float32)
    rank = len(shape)
    order = IMAGE if rank == 4 and _is_image(graph, port.name) else tuple(range(rank))
    here = tuple(shape[axis] for axis in order)
    keras = layers.Input(batch_shape=here, dtype=dtype, name=build.name(port.name, "input"))
    full: list[Size] = [Batch() if size is None else size for size in shape]
    return arranged(keras, full, order, dtype), order


def _is_image(graph: Graph, name: str) -> bool:
    """Return whether an input is images, (N, C, H, W): what reads it first takes it for such."""
    same = {name}
    for node in graph.nodes:
        if same.isdisjoint(node.inputs[:1] if node.operator in IMAGE_OPERATORS else node.inputs):
            continue
        if node.operator in IMAGE_OPERATORS:
            return True
        if node.operator not in MOVING_OPERATORS:
            same.update(filter(None, node.outputs))
    return False


def _single(array: Array) -> Array:
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def refusal(where: str, error: ProblemsError) -> LoadError:
    """Return the error that names everything that is not supported."""
    lines = "".join(f"\n  {problem}" for problem in error.problems)
    return LoadError(f"{where} holds what is not supported:{lines}")


def _called(node: Node) -> str:
    return f"{node.operator} {node.name!r}"


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _sizes(shape: Sequence[int | None]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"

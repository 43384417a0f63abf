"""Pellucid as a backend of ONNX: `prepare`, `run_model`, `run_node`, `supports_device`.

This is the interface through which the `onnx` package runs a model with whatever library there is,
and tests it. Arrays go in and come out in the model's own layout and types. What runs are the
operations of `pellucid.ops`, compiled where there are kernels; the model is the one that
`pellucid.load_model` makes of the file, as far as its first axis is a batch.

    >>> import numpy as np
    >>> from onnx import helper
    >>> node = helper.make_node("Relu", ["x"], ["y"])
    >>> run_node(node, [np.array([-1.0, 2.0], np.float32)])
    (array([0., 2.], dtype=float32),)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper
from onnx.backend.base import Backend, BackendRep
from onnx.defs import onnx_opset_version

from pellucid.compiler import engine as compiler
from pellucid.errors import ArgumentError, LoadError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._convert import Converted, ProblemsError, convert, refusal
from pellucid.formats.onnx._external import ExternalData
from pellucid.formats.onnx._graph import Graph
from pellucid.formats.onnx._read import graph_of
from pellucid.formats.onnx.operators import HANDLERS
from pellucid.graph import reference
from pellucid.models._steps import predict_step
from pellucid.ops._operation import Array

__all__ = ["PellucidBackend", "Prepared", "prepare", "run_model", "run_node", "supports_device"]

ROOM = 1 << 29
"""How many numbers a model in memory may make of a few, such as weights that are all the same."""


class Prepared(BackendRep):
    """A model, ready to run.

    Args:
        graph: The model's graph.
        engine: "auto" or "reference", as in `Model.compile`.
    """

    def __init__(self, graph: Graph, engine: str) -> None:
        self.graph = graph
        self.engine = engine
        self._converted: dict[Any, tuple[Converted, set[str]]] = {}

    def run(self, inputs: Any, **_: Any) -> tuple[Array, ...]:
        """Return the model's outputs for one set of inputs.

        Args:
            inputs: An array for each input: a list, a dict by name, or one array.

        Raises:
            ArgumentError: There are more or fewer inputs than the model has.
            LoadError: The model cannot be run on inputs of these shapes and types.
        """
        arrays = self._named(inputs)
        converted = self._for(arrays)
        fed = [arrays[name].transpose(order) for name, order in converted.inputs]
        made = iter(self._computed(converted, fed))
        batch = len(fed[0]) if fed and fed[0].ndim else 1
        outputs = []
        for port, output in zip(self.graph.outputs, converted.outputs, strict=True):
            if isinstance(output, np.ndarray):
                array = _with_batch(output, batch)
            else:
                array = next(made).transpose(np.argsort(output))
            outputs.append(array if port.dtype is None else array.astype(port.dtype, copy=False))
        return tuple(outputs)

    def _named(self, inputs: Any) -> dict[str, Array]:
        names = [port.name for port in self.graph.inputs]
        if isinstance(inputs, Mapping):
            given = dict(inputs)
        else:
            listed = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
            given = dict(zip(names, listed, strict=False))
            if len(listed) != len(names):
                given = {}
        if set(given) != set(names):
            raise ArgumentError(f"Expected the inputs {names}, received {sorted(given)}.")
        return {name: np.asarray(given[name]) for name in names}

    def _for(self, arrays: Mapping[str, Array]) -> Converted:
        """Return the model for inputs of these shapes; what must be known is taken from them."""
        for key, (converted, known) in self._converted.items():
            if key == _key(arrays, known):
                return converted
        known = {name for name, array in arrays.items() if array.size == 0}
        batched = _have_batch(arrays)
        while True:
            fed = {name: array for name, array in arrays.items() if name not in known}
            shapes = {
                name: (None, *array.shape[1:]) if batched else array.shape
                for name, array in fed.items()
            }
            try:
                converted = convert(
                    self.graph,
                    self.graph.name or "The model",
                    shapes,
                    known={name: arrays[name] for name in known},
                    exact=True,
                    written_for=len(next(iter(fed.values()))) if batched and fed else None,
                    room=ROOM,
                )
            except ProblemsError as error:
                more = _sources(self.graph, error.needed) & set(fed)
                if not more and not batched:
                    raise refusal(self.graph.name or "The model", error) from error
                known |= more
                batched = batched and (bool(more) and bool(set(fed) - more))
                continue
            self._converted[_key(arrays, known)] = converted, known
            return converted

    def _computed(self, converted: Converted, fed: Sequence[Array]) -> Sequence[Array]:
        if converted.model is None:
            return []
        program = converted.model.program()
        if all(value.shape[:1] == (None,) for value in program.inputs):
            return predict_step(program, [np.ascontiguousarray(x) for x in fed], self.engine)
        values = reference.forward(program, fed)
        return [values[output] for output in program.outputs]


class PellucidBackend(Backend):
    """The backend; the module's functions are its methods."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        """Return a model ready to run.

        Args:
            model: The model.
            device: "CPU".
            **kwargs: `engine`: "auto" or "reference"; others are ignored.

        Raises:
            LoadError: It is not valid, or has operators or types that are not supported.
        """
        super().prepare(model, device)
        return cls._prepared(model, device, kwargs)

    @classmethod
    def _prepared(cls, model: ModelProto, device: str, options: Mapping[str, Any]) -> Prepared:
        if not cls.supports_device(device):
            raise ArgumentError(f"device must be 'CPU', received {device!r}.")
        where = model.graph.name or "The model"
        graph = graph_of(model, ExternalData(None, where), where)
        unknown = sorted({node.operator for node in graph.nodes} - set(HANDLERS))
        if unknown:
            raise LoadError(f"{where}: operators that are not known here: {', '.join(unknown)}.")
        for port in (*graph.inputs, *graph.outputs):
            if port.dtype is None or port.dtype == np.float16:
                raise LoadError(f"{where}: {port.name!r} is {port.kind}, which is not supported.")
        return Prepared(graph, compiler.choose(options.get("engine")))

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Array, ...]:
        """Return what one operator makes of arrays.

        Args:
            node: The node.
            inputs: An array for each of its inputs, in order.
            device: "CPU".
            outputs_info: The type and shape of each output; by default that of its first input.
            **kwargs: `opset_version`, by default the newest; what `prepare` takes.

        Raises:
            LoadError: The operator is not supported.
        """
        version = kwargs.get("opset_version", onnx_opset_version())
        super().run_node(node, inputs, device, outputs_info, **kwargs)
        arrays = [np.asarray(array) for array in inputs]
        names = [name for name in dict.fromkeys(node.input) if name]
        described = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        kinds = [info[0] for info in outputs_info or ()] or [arrays[0].dtype] * len(node.output)
        wanted = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), None
            )
            for name, kind in zip(node.output, kinds, strict=False)
            if name
        ]
        graph = helper.make_graph([node], node.op_type, described, wanted)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
        return cls._prepared(model, device, kwargs).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Return whether a device is the processor."""
        return device.partition(":")[0] == "CPU"


def _have_batch(arrays: Mapping[str, Array]) -> bool:
    """Return whether the first axis of all inputs may be a batch."""
    return (
        bool(arrays)
        and all(x.dtype == np.float32 and x.ndim > 1 and x.size for x in arrays.values())
        and len({len(x) for x in arrays.values()}) == 1
    )


def _key(arrays: Mapping[str, Array], known: set[str]) -> Any:
    return tuple(
        (name, x.shape, x.dtype.str, x.tobytes() if name in known else b"")
        for name, x in arrays.items()
    )


def _sources(graph: Graph, names: Sequence[str]) -> set[str]:
    """Return the inputs of the graph that values are made of."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    found: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += makers[name].inputs if name in makers else []
    return found


def _with_batch(array: Array, batch: int) -> Array:
    """Return an array of sizes with the batch size written in."""
    if array.dtype != object:
        return array
    entries = [n.factor * batch if isinstance(n, Batch) else int(n) for n in array.flat]
    return np.array(entries, np.int64).reshape(array.shape)


prepare = PellucidBackend.prepare
run_model = PellucidBackend.run_model
run_node = PellucidBackend.run_node
supports_device = PellucidBackend.supports_device

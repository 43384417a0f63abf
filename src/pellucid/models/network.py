"""A network: a graph of layers from inputs to outputs, and the program that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError, NameLookupError, NotBuiltError, unknown_name
from pellucid.graph import Program, Tracer, Value
from pellucid.layers._layer import Layer
from pellucid.layers._operation import OperationLayer
from pellucid.layers._symbolic import KerasTensor, LayerCall, flatten, pack
from pellucid.models._topology import flatten_inputs, topology
from pellucid.ops._operation import Shape

if TYPE_CHECKING:
    from pellucid.models._shortcut import Shortcut

__all__ = ["Network"]


class Network(Layer):
    """The structure of a model: which layers, how they are connected, what they compute.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self._inputs: Any = None
        self._outputs: Any = None
        self._calls: tuple[LayerCall, ...] = ()
        self._layers: list[Layer] = []
        self._programs: dict[Any, Program] = {}
        self._shortcuts: dict[Shape, Shortcut] = {}

    def _connect(self, inputs: Any, outputs: Any) -> None:
        """Find the layers between inputs and outputs."""
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            leaves = [] if structure is None else flatten(structure)
            if not leaves or not all(isinstance(leaf, KerasTensor) for leaf in leaves):
                raise ArgumentError(
                    f"Model: {what} must be symbolic tensors (from Input, or a layer called on "
                    f"one), received {structure!r}."
                )
        graph = topology(flatten(inputs), flatten(outputs))
        self._inputs, self._outputs = inputs, outputs
        self._calls, self._layers = graph.calls, list(graph.layers)
        self._forget()
        self.built = True

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle needs: all but the traces, which are made when needed."""
        return super().__getstate__() | {"_programs": {}, "_shortcuts": {}}

    def _forget(self) -> None:
        """Drop the traces: what the model computes, or how, has changed."""
        self._programs.clear()
        self._shortcuts.clear()

    def _require_built(self) -> None:
        if not self.built:
            raise NotBuiltError(
                f"{self.name} is not built: it does not know the shape of its input. Start it "
                f"with Input(shape), give its first layer input_shape=…, or call "
                f"build(input_shape)."
            )

    # What it is made of.

    @property
    def layers(self) -> list[Layer]:
        """The layers, in Keras' order, without functions that have no weights."""
        return [x for x in self._layers if x.weights or not isinstance(x, OperationLayer)]

    @property
    def operations(self) -> list[Layer]:
        """The layers, and the functions between them: `x + y`, `ops.mean(x)`."""
        return self.sublayers

    @property
    def sublayers(self) -> list[Layer]:
        """The layers, with the inputs among them."""
        return self._layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index; NameLookupError if there is no such layer."""
        if (name is None) == (index is None):
            raise ArgumentError("get_layer: give either a name or an index.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise NameLookupError(
                    f"{self.name} has {len(self.layers)} layers, so there is none at index {index}."
                )
            return self.layers[index]
        for layer in self._layers:
            if layer.name == name:
                return layer
        raise unknown_name(f"layer of {self.name}", name, [layer.name for layer in self._layers])

    @property
    def input(self) -> Any:
        """The symbolic tensor(s) that the model starts from."""
        self._require_built()
        return self._inputs

    @property
    def output(self) -> Any:
        """The symbolic tensor(s) that the model ends with."""
        self._require_built()
        return self._outputs

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic tensors that the model starts from, as a list."""
        return flatten(self.input)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic tensors that the model ends with, as a list."""
        return flatten(self.output)

    @property
    def input_shape(self) -> Any:
        """The shape(s) of the input(s), in their structure."""
        return _shapes(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape(s) of the output(s), in their structure."""
        return _shapes(self.output)

    @property
    def input_names(self) -> list[str]:
        """The keys of a dict of inputs; else the names of the layers that they come from."""
        return _names(self.input)

    @property
    def output_names(self) -> list[str]:
        """The keys of a dict of outputs; else the names of the layers that they come from."""
        return _names(self.output)

    @property
    def graph_calls(self) -> tuple[LayerCall, ...]:
        """The uses of layers in the model, each after those whose results it reads."""
        return self._calls

    # What it computes.

    def call(self, g: Tracer, *inputs: Value) -> Any:
        """Apply the layers, each to what those before it made."""
        values = dict(zip(self.inputs, inputs, strict=True))
        for call in self._calls:
            tensors = flatten(call.outputs)
            if all(tensor in values for tensor in tensors):
                continue
            with g.scope(call.layer.name), g.mode(call.training):
                made = call.layer.call(g, *(values[read] for read in flatten_inputs(call)))
            values.update(zip(tensors, flatten(made), strict=True))
        return pack(self._outputs, [values[tensor] for tensor in self.outputs])

    def program(self, training: bool = False) -> Program:
        """Return the model as a list of operations, for inference or for training."""
        self._require_built()
        key = ("forward", training, self._frozen())
        if key not in self._programs:
            g = Tracer(training)
            inputs = self.trace_inputs(g)
            outputs = flatten(self.call(g, *inputs))
            self._programs[key] = g.program(inputs, outputs)
        return self._programs[key]

    def trace_inputs(self, g: Tracer) -> list[Value]:
        """Return a value to be fed in for each input."""
        names = ["input"] if len(self.inputs) == 1 else self.input_names
        return [g.input(t.shape, name) for t, name in zip(self.inputs, names, strict=True)]

    def _frozen(self) -> tuple[bool, ...]:
        """Which layers train: a program traced for other ones must not be used."""
        flags: list[bool] = []
        stack: list[Layer] = [self]
        while stack:
            layer = stack.pop()
            flags.append(layer.trainable)
            stack.extend(layer.sublayers)
        return tuple(flags)

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Use the model as a layer on symbolic tensors, or run it on arrays."""
        if not self.built and not any(isinstance(leaf, KerasTensor) for leaf in flatten(inputs)):
            self.build((None, *np.shape(flatten(inputs)[0])[1:]))
        return super().__call__(inputs, training=training)


def _names(structure: Any) -> list[str]:
    if isinstance(structure, Mapping) and len(flatten(structure)) == len(structure):
        return [str(key) for key in structure]
    return [tensor.call.layer.name for tensor in flatten(structure)]


def _shapes(structure: Any) -> Any:
    return pack(structure, [tensor.shape for tensor in flatten(structure)])

"""A model again, with layers and weights of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.errors import ArgumentError, TypeMismatchError
from pellucid.layers._layer import Layer
from pellucid.layers._operation import OperationLayer
from pellucid.layers._symbolic import KerasTensor, flatten, pack
from pellucid.layers.input import Input, InputLayer
from pellucid.models._topology import flatten_inputs
from pellucid.models.functional import Model
from pellucid.models.sequential import Sequential

__all__ = ["clone_model"]

Clone = Callable[[Layer], Layer]


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Clone | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """Return a model of the same structure, with new layers and newly initialised weights.

    The trained constants of an `OperationLayer` have no initialiser: they are copied.

    Args:
        model: The model; it must be built, unless it is a Sequential.
        input_tensors: The symbolic tensor(s) to put it on; by default inputs like its own.
        clone_function: layer → the layer to have in its place; by default one of the same
            configuration, with its trained constants. It is not called for inputs.
        call_function: (layer, *arguments, **options) → what the layer, and whatever is put before
            or after it, makes; by default the layer is just called. Not for a Sequential.
        recursive: Whether models inside the model are gone through layer by layer; otherwise they
            are cloned as any layer is.

    Raises:
        TypeMismatchError: It is not a model.
        ArgumentError: A Sequential is given a call_function, or the input tensors do not fit.

    >>> import pellucid as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    >>> keras.models.clone_model(model).count_params()
    10
    """
    if not isinstance(model, Model):
        raise TypeMismatchError(f"clone_model: expected a model, received {model!r}.")
    if isinstance(model, Sequential) and call_function is not None:
        raise ArgumentError("clone_model: call_function is for functional models alone.")
    clone = _Cloner(clone_function or _same, call_function, recursive)
    return clone.model(model, input_tensors)


def _same(layer: Layer) -> Layer:
    clone = type(layer).from_config(layer.get_config())
    _copy_constants(layer, clone)
    return clone


def _copy_constants(layer: Layer, clone: Layer) -> None:
    """Give the operations in a clone the constants that no initialiser would make again."""
    if isinstance(layer, OperationLayer):
        clone.set_weights(layer.get_weights())
    clones = {inside.name: inside for inside in clone.sublayers}
    for inside in layer.sublayers:
        if inside.name in clones:
            _copy_constants(inside, clones[inside.name])


class _Cloner:
    """Clones layers, each once, and models of them."""

    def __init__(
        self, function: Clone, call_function: Callable[..., Any] | None, recursive: bool
    ) -> None:
        self.function = function
        self.call_function = call_function
        self.recursive = recursive
        self.made: dict[int, Layer] = {}

    def layer(self, layer: Layer) -> Layer:
        """Return the clone of a layer, always the same one."""
        if id(layer) not in self.made:
            inside = self.recursive and isinstance(layer, Model)
            self.made[id(layer)] = self.model(layer) if inside else self.function(layer)  # type: ignore[arg-type]  # a model, if it is inside
        return self.made[id(layer)]

    def model(self, model: Model, input_tensors: Any = None) -> Model:
        """Return the clone of a model."""
        if isinstance(model, Sequential):
            return self._sequential(model, input_tensors)
        starts = self._starts(model, input_tensors)
        tensors = dict(zip(model.inputs, starts, strict=True))
        for call in model.graph_calls:
            made = flatten(call.outputs)
            if all(tensor in tensors for tensor in made):
                continue
            layer = self.layer(call.layer)
            inputs = pack(call.inputs, [tensors[read] for read in flatten_inputs(call)])
            options = {} if call.training is None else {"training": call.training}
            if self.call_function is None:
                outputs = layer(inputs, **options)
            else:
                outputs = self.call_function(layer, inputs, **options)
            tensors.update(zip(made, flatten(outputs), strict=True))
        return type(model)(
            pack(model.input, starts),
            pack(model.output, [tensors[output] for output in model.outputs]),
            name=model.name,
            trainable=model.trainable,
        )

    def _sequential(self, model: Sequential, input_tensors: Any) -> Sequential:
        layers: list[Any] = [self.layer(layer) for layer in model.layers]
        if model.built or input_tensors is not None:
            layers.insert(0, self._starts(model, input_tensors)[0])
        return type(model)(layers, trainable=model.trainable, name=model.name)

    def _starts(self, model: Model, input_tensors: Any) -> list[KerasTensor]:
        """Return the tensors that the clone begins with: those given, or like the model's."""
        if input_tensors is None:
            return [_input_like(tensor) for tensor in model.inputs]
        given = flatten(input_tensors)
        wanted = 1 if isinstance(model, Sequential) else len(model.inputs)
        if len(given) != wanted or not all(isinstance(x, KerasTensor) for x in given):
            raise ArgumentError(
                f"clone_model: input_tensors must be {wanted} symbolic tensors, received {given!r}."
            )
        return given


def _input_like(tensor: KerasTensor) -> KerasTensor:
    name = tensor.call.layer.name if isinstance(tensor.call.layer, InputLayer) else None
    return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)

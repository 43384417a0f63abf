"""A model's architecture and its `compile` arguments as JSON, as Keras 3 writes them, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pellucid import losses, metrics, optimizers
from pellucid.errors import ArgumentError, LoadError
from pellucid.layers import deserialize, serialize
from pellucid.layers._keras_operations import (
    from_keras,
    is_keras_operation,
    keras_arguments,
    keras_entry,
)
from pellucid.layers._layer import Layer
from pellucid.layers._operation import OperationLayer
from pellucid.layers._symbolic import KerasTensor, LayerCall
from pellucid.layers.input import InputLayer
from pellucid.models._topology import flatten_inputs

if TYPE_CHECKING:
    from pellucid.models.functional import Model
    from pellucid.models.sequential import Sequential
    from pellucid.models.training import Trainer

__all__ = [
    "compile_config",
    "compile_from_config",
    "functional_config",
    "functional_from_config",
    "sequential_config",
    "sequential_from_config",
]

AnyModel = TypeVar("AnyModel", bound="Model")
AnySequential = TypeVar("AnySequential", bound="Sequential")


# Sequential.


def sequential_config(model: Sequential) -> dict[str, Any]:
    """Return a Sequential's configuration."""
    config: dict[str, Any] = {
        "name": model.name,
        "trainable": model.trainable,
        "dtype": Layer.get_config(model)["dtype"],
        "layers": [serialize(layer) for layer in model.sublayers],
    }
    if model.built:
        config["build_input_shape"] = list(model.input_shape)
    return config


def sequential_from_config(cls: type[AnySequential], config: Mapping[str, Any]) -> AnySequential:
    """Make a Sequential from its configuration."""
    entries = config.get("layers")
    if not isinstance(entries, list):
        raise LoadError("A Sequential's configuration needs a list of layers.")
    model = cls(name=config.get("name"))
    for entry in entries:
        model.add(deserialize(entry))
    shape = config.get("build_input_shape")
    if not model.built and shape:
        model.build(tuple(shape))
    if config.get("trainable") is False:
        model.trainable = False
    return model


# Functional.


def functional_config(model: Model) -> dict[str, Any]:
    """Return a functional model's configuration: its layers, and how each is connected."""
    for tensor in model.inputs:
        if not isinstance(tensor.call.layer, InputLayer):
            raise ArgumentError(
                f"{model.name} starts from inside another model (at {tensor.call.layer.name}), so "
                f"it cannot be saved by itself. Build it again from an Input of its own."
            )
    calls = _calls_by_layer(model)
    entries = []
    for layer in model.sublayers:
        entry = _as_function(layer) or serialize(layer)
        entry["name"] = layer.name
        entry["inbound_nodes"] = [
            _node(call, calls) for call in calls[id(layer)] if call.inputs is not None
        ]
        entries.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": entries,
        "input_layers": _ends(model.input, calls),
        "output_layers": _ends(model.output, calls),
    }


def _as_function(layer: Layer) -> dict[str, Any] | None:
    """Return the entry of a function that Keras has as well; None for anything else."""
    return keras_entry(layer) if isinstance(layer, OperationLayer) else None


def _calls_by_layer(model: Model) -> dict[int, list[LayerCall]]:
    """Return each layer's uses inside the model, in the order in which they were made."""
    calls: dict[int, list[LayerCall]] = {}
    for call in model.graph_calls:
        calls.setdefault(id(call.layer), []).append(call)
    for tensor in model.inputs:
        uses = calls.setdefault(id(tensor.call.layer), [])
        if tensor.call not in uses:
            uses.append(tensor.call)
    for uses in calls.values():
        uses.sort(key=uses[0].layer.calls.index)
    return calls


def _history(tensor: KerasTensor, calls: Mapping[int, list[LayerCall]]) -> list[Any]:
    node = calls[id(tensor.call.layer)].index(tensor.call)
    return [tensor.call.layer.name, node, tensor.index]


def _ends(structure: Any, calls: Mapping[int, list[LayerCall]]) -> Any:
    """Return the histories of a model's inputs or outputs, in their structure."""

    def end(tensor: KerasTensor) -> list[Any]:
        name, node, index = _history(tensor, calls)
        return [name, node + _first_use(tensor.call.layer), index]

    return _mapped(end, structure)


def _first_use(layer: Layer) -> int:
    """Return the number of a layer's first use, where it is an end of a model.

    Keras counts from 0, but a functional model's from 1 there (and only there): to Keras, its own
    inputs and outputs are its use 0.
    """
    return 1 if layer.keras_class == "Functional" else 0


def _node(call: LayerCall, calls: Mapping[int, list[LayerCall]]) -> dict[str, Any]:
    def tensor(t: KerasTensor) -> dict[str, Any]:
        config = {
            "shape": list(t.shape),
            "dtype": t.dtype,
            "keras_history": _history(t, calls),
        }
        return {"class_name": "__keras_tensor__", "config": config}

    if isinstance(call.layer, OperationLayer) and keras_entry(call.layer):
        tensors = [tensor(t) for t in flatten_inputs(call)]
        return {"args": keras_arguments(call.layer, tensors), "kwargs": {}}
    argument = _mapped(tensor, call.inputs)
    kwargs = {} if call.training is None else {"training": call.training}
    return {"args": [argument], "kwargs": kwargs}


def _mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    if isinstance(structure, list | tuple):
        return [_mapped(function, part) for part in structure]
    if isinstance(structure, Mapping):
        return {key: _mapped(function, part) for key, part in structure.items()}
    return function(structure)


def functional_from_config(cls: type[AnyModel], config: Mapping[str, Any]) -> AnyModel:
    """Make a functional model from its configuration."""
    try:
        entries = [from_keras(e) if is_keras_operation(e) else e for e in config["layers"]]
        layers = {entry["name"]: deserialize(entry) for entry in entries}
        waiting = [
            (layers[entry["name"]], index, node)
            for entry in entries
            for index, node in enumerate(entry["inbound_nodes"])
        ]
        if len(layers) != len(entries):
            raise LoadError("Two layers have the same name.")
        made = {
            (layer.name, 0): layer.calls[0]
            for layer in layers.values()
            if isinstance(layer, InputLayer)
        }
        _replay(waiting, made)
        return cls(
            _tensors(config["input_layers"], layers, made),
            _tensors(config["output_layers"], layers, made),
            name=config.get("name"),
            trainable=config.get("trainable", True) is not False,
        )
    except (KeyError, TypeError, IndexError) as error:
        raise LoadError(f"The model's configuration is broken: {error!r}.") from error


def _replay(
    waiting: list[tuple[Layer, int, Mapping[str, Any]]], made: dict[tuple[str, int], LayerCall]
) -> None:
    """Call the layers again, each as soon as all that it reads has been made."""
    while waiting:
        left = []
        for layer, index, node in waiting:
            ready = index == 0 or (layer.name, index - 1) in made
            if ready and all((name, k) in made for name, k, _ in _reads(node)):
                _call_again(layer, index, node, made)
            else:
                left.append((layer, index, node))
        if len(left) == len(waiting):
            names = ", ".join(sorted({layer.name for layer, _, _ in left}))
            raise LoadError(f"The layers {names} read from layers that are not there.")
        waiting = left


def _call_again(
    layer: Layer, index: int, node: Mapping[str, Any], made: dict[tuple[str, int], LayerCall]
) -> None:
    arguments = node["args"]
    options = {key: value for key, value in node["kwargs"].items() if value is not None}
    if len(arguments) > 1 and all(isinstance(a, Mapping) for a in arguments):
        arguments = [list(arguments)]
    if len(arguments) != 1 or set(options) - {"training"}:
        raise LoadError(f"{layer.name} is called with arguments that are not known: {node!r}.")

    def tensor(entry: Any) -> KerasTensor:
        return _tensor(_history_of(entry), made)

    layer(_over_tensors(tensor, arguments[0]), **options)
    made[layer.name, index] = layer.calls[-1]


def _is_tensor(entry: Any) -> bool:
    return isinstance(entry, Mapping) and entry.get("class_name") == "__keras_tensor__"


def _history_of(entry: Any) -> tuple[str, int, int]:
    if not _is_tensor(entry):
        raise LoadError(f"Expected a tensor among a layer's inputs, found {entry!r}.")
    name, node, index = entry["config"]["keras_history"]
    return str(name), int(node), int(index)


def _over_tensors(function: Callable[[Any], Any], structure: Any) -> Any:
    if isinstance(structure, list):
        return [_over_tensors(function, part) for part in structure]
    if isinstance(structure, Mapping) and not _is_tensor(structure):
        return {key: _over_tensors(function, part) for key, part in structure.items()}
    return function(structure)


def _reads(node: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for argument in node["args"]:
        _over_tensors(lambda entry: found.append(_history_of(entry)), argument)
    return found


def _tensor(history: Sequence[Any], made: Mapping[tuple[str, int], LayerCall]) -> KerasTensor:
    from pellucid.layers._symbolic import flatten

    name, node, index = history
    if (name, node) not in made:
        raise LoadError(
            f"The model refers to use {node} of the layer {name!r}, which is not there."
        )
    tensors = flatten(made[name, node].outputs)
    if not 0 <= index < len(tensors):
        raise LoadError(f"The layer {name!r} has no output number {index}.")
    tensor: KerasTensor = tensors[index]
    return tensor


def _tensors(
    structure: Any, layers: Mapping[str, Layer], made: Mapping[tuple[str, int], LayerCall]
) -> Any:
    if isinstance(structure, Mapping):
        return {key: _tensors(part, layers, made) for key, part in structure.items()}
    if isinstance(structure, list) and structure and isinstance(structure[0], str):
        name, node, index = structure
        return _tensor((name, node - _first_use(layers[name]), index), made)
    if isinstance(structure, list):
        return [_tensors(part, layers, made) for part in structure]
    raise LoadError(f"Expected [layer, node, index], found {structure!r}.")


# Compile.


def compile_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `compile` as JSON."""
    return {
        "optimizer": optimizers.serialize(arguments["optimizer"]),
        "loss": _described(losses.serialize, arguments["loss"]),
        "loss_weights": arguments["loss_weights"],
        "metrics": _described(metrics.serialize, arguments["metrics"]),
        "weighted_metrics": _described(metrics.serialize, arguments["weighted_metrics"]),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }


def compile_from_config(model: Trainer, config: Mapping[str, Any]) -> None:
    """Compile `model` as its saved `compile_config` says."""
    model.compile(
        optimizer=optimizers.deserialize(config["optimizer"]),
        loss=_restored(losses.deserialize, config.get("loss")),
        loss_weights=config.get("loss_weights"),
        metrics=_restored(metrics.deserialize, config.get("metrics")),
        weighted_metrics=_restored(metrics.deserialize, config.get("weighted_metrics")),
    )


def _described(serialize_one: Callable[[Any], Any], structure: Any) -> Any:
    def describe(thing: Any) -> Any:
        if thing is None or isinstance(thing, str):
            return thing
        return (
            thing.__name__
            if callable(thing) and hasattr(thing, "__name__")
            else serialize_one(thing)
        )

    return _mapped(describe, structure)


def _restored(deserialize_one: Callable[[Any], Any], structure: Any) -> Any:
    if structure is None or isinstance(structure, str):
        return structure
    if isinstance(structure, list):
        return [_restored(deserialize_one, part) for part in structure]
    if isinstance(structure, Mapping) and "class_name" not in structure:
        return {key: _restored(deserialize_one, part) for key, part in structure.items()}
    return deserialize_one(structure)

"""A model's configuration as files of Keras 2, and legacy `.h5` files, spell it: as in Keras 3.

Only words change here: what the result may say is checked afterwards, as that of any other file.

    Keras 2                                         Keras 3
    batch_input_shape                               batch_shape of an InputLayer
    [["conv", 0, 0, {}]]                            {"args": [a tensor of conv], "kwargs": {}}
    uses of a model inside a model count from 1     from 0
    {"class_name": "Zeros", "config": {}}           the same with its module
    LeakyReLU(alpha), lr, decay                     negative_slope, learning_rate, a schedule
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pellucid.errors import LoadError
from pellucid.metrics._registry import _REGISTRY as _METRICS

__all__ = ["modern_compile_config", "modern_model"]

Config = dict[str, Any]

_MODELS = {"Sequential", "Functional", "Model"}
_MODEL_MODULES = {
    None,
    "keras.engine.functional",
    "keras.src.engine.functional",
    "tf_keras.src.engine.functional",
}
_RENAMED_CLASSES = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
}
_RENAMED_ARGUMENTS = {
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}
_KERNEL_OPTIONS = {"kernel_initializer", "kernel_regularizer", "kernel_constraint"}
_IDLE_ARGUMENTS = {
    "SeparableConv2D": _KERNEL_OPTIONS,
    "DepthwiseConv2D": _KERNEL_OPTIONS | {"filters"},
}
"""Arguments that Keras 2 wrote down and that never had an effect."""
_IDLE_VALUES: dict[str, tuple[Any, ...]] = {
    "adjustment": (None,),
    "fused": (True, False, None),
    "groups": (1,),
    "ragged": (False,),
    "virtual_batch_size": (None,),
}
"""Arguments that not every layer of Keras 3 has, at the values at which they have no effect."""
_RAW_OPERATIONS = {
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
}
_MODULES = {
    "activation": "keras.layers",
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
}
"""The module of an object that does not name it, by the last word of the argument it is for."""

# What some versions wrote among the arguments of compile, for `fit` or for graphs of TensorFlow.
_IDLE_COMPILE = {"optimizer_config", "sample_weight_mode", "target_tensors", "distribute"}
_IDLE_OPTIMIZER = {"is_legacy_optimizer", "jit_compile"}


def modern_model(config: Any) -> Config:
    """Return a model's configuration as Keras 3 writes it.

    Raises:
        LoadError: It contains operations of TensorFlow itself, or is not of Keras' form.
    """
    if not isinstance(config, dict) or config.get("class_name") not in _MODELS:
        named = config.get("class_name") if isinstance(config, dict) else config
        raise LoadError(f"Expected a Sequential or Functional model, found {named!r}.")
    if raw := sorted(set(_raw_operations(config))):
        raise LoadError(
            f"The model computes with operations of TensorFlow itself: {', '.join(raw)}. They are "
            "no layers, and are not known here. Use layers in their place (Rescaling, Add, "
            "Multiply, ReLU …) and save the model again."
        )
    return _layer(config)


def _raw_operations(entry: Config) -> Iterator[str]:
    config = entry["config"]
    if entry["class_name"] in _RAW_OPERATIONS:
        yield str(config.get("function") or config.get("node_def") or config.get("name"))[:80]
    if entry["class_name"] in _MODELS:
        layers = config if isinstance(config, list) else config["layers"]
        for layer in layers:
            yield from _raw_operations(layer)


def _layer(entry: Config) -> Config:
    """Return a layer's or a model's entry, with everything in it."""
    kind, config = entry["class_name"], entry["config"]
    if kind == "Sequential":
        config = _sequential(config)
    elif kind in _MODELS:
        config = _functional(config)
    else:
        config = _arguments(kind, config)
    made = entry | {"class_name": _RENAMED_CLASSES.get(kind, kind), "config": config}
    module = made.get("module")
    if kind in _MODELS and module in _MODEL_MODULES:
        made["module"] = "keras"
    elif module is None:
        made["module"] = "keras.layers"
    return made


def _arguments(kind: str, config: Config) -> Config:
    renamed = _RENAMED_ARGUMENTS.get(kind, {})
    idle = _IDLE_ARGUMENTS.get(kind, set())
    made = {}
    for key, value in config.items():
        name = renamed.get(key, key)
        if key in idle or name == "batch_input_shape":
            continue
        if value in _IDLE_VALUES.get(key, ()) and (key != "groups" or kind != "Conv2D"):
            continue
        made[name] = _value(key, value)
    return made


def _value(key: str, value: Any) -> Any:
    """Return an argument's value; objects that do not name their module get the usual one."""
    if isinstance(value, list):
        return [_value(key, part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("TensorShape", "__tuple__"):
        return value.get("items")
    if key == "dtype" and isinstance(value.get("config"), dict):
        return value["config"].get("name")
    module = _MODULES.get(key.rpartition("_")[2])
    if module is None or not isinstance(value.get("config"), dict):
        return value
    if module == "keras.layers":
        return _layer(value)
    config = value["config"]
    if module == "keras.initializers":
        config = {k: v for k, v in config.items() if k != "dtype"}
    return {
        "registered_name": None,
        **value,
        "config": config,
        "module": value.get("module", module),
    }


# Sequential.


def _sequential(config: Any) -> Config:
    if isinstance(config, list):  # before 2.2.3 there was nothing but the layers
        config = {"name": None, "layers": config}
    entries = config["layers"]
    made: Config = config | {"layers": [_layer(entry) for entry in entries]}
    first = entries[0]["config"] if entries else {}
    shape = first.get("batch_input_shape") if isinstance(first, dict) else None
    if shape is not None and entries[0]["class_name"] != "InputLayer":
        arguments = {"batch_shape": _value("", shape), "name": f"{first.get('name')}_input"}
        entry = {"module": "keras.layers", "class_name": "InputLayer", "config": arguments}
        made["layers"].insert(0, entry)
    return made


# Functional.


def _functional(config: Config) -> Config:
    entries = [_layer(entry) for entry in config["layers"]]
    if not any(isinstance(node, list) for entry in entries for node in entry["inbound_nodes"]):
        return config | {"layers": entries}
    nodes = {entry["name"]: [_reads(node) for node in entry["inbound_nodes"]] for entry in entries}
    ends = {key: _ends(config[key]) for key in ("input_layers", "output_layers")}
    referred = [read[:2] for uses in nodes.values() for reads in uses for read in reads]
    referred += [end[:2] for end in ends["output_layers"]]
    first: dict[str, int] = {}
    for name, use in referred:
        first[name] = min(use, first.get(name, use))
    functional = {entry["name"] for entry in entries if entry["class_name"] == "Functional"}
    for entry in entries:
        entry["inbound_nodes"] = [_node(reads, first) for reads in nodes[entry["name"]]]
    # At the outputs Keras 3 counts the uses of a functional model from 1, and only there.
    outputs = [
        [name, use - first[name] + (name in functional), index]
        for name, use, index, *_ in ends["output_layers"]
    ]
    inputs = [list(end[:3]) for end in ends["input_layers"]]
    return config | {
        "layers": entries,
        "input_layers": inputs[0] if len(inputs) == 1 else inputs,
        "output_layers": outputs[0] if len(outputs) == 1 else outputs,
    }


def _reads(node: Any) -> list[list[Any]]:
    """Return what a use of a layer reads: [layer, use, output] or, with arguments, four of them."""
    reads = [node] if node and isinstance(node[0], str) else node
    if not all(isinstance(read, list) and len(read) in (3, 4) for read in reads):
        raise LoadError(f"A layer is used in a way that is not known: {node!r:.200}.")
    return list(reads)


def _ends(ends: Any) -> list[list[Any]]:
    """Return the ends of a model as a list, also where there is only one."""
    if not isinstance(ends, list):
        raise LoadError("Inputs and outputs that have names are not known in a file of Keras 2.")
    return [ends] if ends and isinstance(ends[0], str) else ends


def _node(reads: list[list[Any]], first: Mapping[str, int]) -> Config:
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"keras_history": [read[0], read[1] - first[read[0]], read[2]]},
        }
        for read in reads
    ]
    options: Config = {}
    for read in reads:
        options |= read[3] if len(read) == 4 else {}
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": options}


# Compile.


def modern_compile_config(config: Any) -> Config:
    """Return what a file says of `compile` as Keras 3 writes it; {} if it says nothing."""
    if not isinstance(config, dict):
        return {}
    optimizer = config.get("optimizer_config", config.get("optimizer"))
    if not isinstance(optimizer, dict):
        return {}
    made = {k: v for k, v in config.items() if k not in _IDLE_COMPILE and v is not None}
    made["optimizer"] = _optimizer(optimizer)
    made["loss"] = _mapped(_loss, config.get("loss"))
    for key in ("metrics", "weighted_metrics"):
        found = _mapped(_metric, config.get(key))
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
            found = found[0]  # Keras 2 wrote a list for each output, also where there is one
        made[key] = found
    return made


def _optimizer(entry: Config) -> Config:
    config = {
        {"lr": "learning_rate"}.get(key, key): value
        for key, value in entry["config"].items()
        if key not in _IDLE_OPTIMIZER
    }
    decay = config.pop("decay", None)
    rate = config.get("learning_rate")
    if decay:
        # What Keras 2 did itself: rate / (1 + decay · step).
        rate = {
            "class_name": "InverseTimeDecay",
            "config": {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay},
        }
    if isinstance(rate, dict):
        schedule = {k: v for k, v in rate["config"].items() if k != "name" or v is not None}
        config["learning_rate"] = _of_module("keras.optimizers.schedules", rate, schedule)
    if config.get("epsilon", 0) is None:
        del config["epsilon"]
    # TensorFlow registers its own optimisers as if they were someone's.
    name = entry["class_name"].removeprefix("Custom>")
    return _of_module("keras.optimizers", {"class_name": name}, config)


def _of_module(module: str, entry: Config, config: Config) -> Config:
    return {
        "module": entry.get("module") or module,
        "class_name": entry["class_name"],
        "config": config,
        "registered_name": None,
    }


def _mapped(function: Any, structure: Any) -> Any:
    if isinstance(structure, list):
        return [_mapped(function, part) for part in structure]
    if isinstance(structure, dict) and "class_name" not in structure:
        return {key: _mapped(function, part) for key, part in structure.items()}
    return function(structure) if isinstance(structure, dict) else structure


def _loss(entry: Config) -> Config:
    config = {key: value for key, value in entry["config"].items() if key != "fn"}
    if config.get("reduction") == "auto":
        config["reduction"] = "sum_over_batch_size"
    return _of_module("keras.losses", entry, config)


def _metric(entry: Config) -> Config:
    config = dict(entry["config"])
    function = config.pop("fn", None)
    if entry["class_name"] == "MeanMetricWrapper" and isinstance(function, str):
        known = _METRICS.find(function).__name__ if function in _METRICS else function
        entry = entry | {"class_name": known}
    return _of_module("keras.metrics", entry, config)

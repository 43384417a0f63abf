"""Functions in a model as Keras 3 writes them down, and back.

Keras keeps each function that was called on symbolic tensors as an object of a class of its own:

    {"module": "keras.src.ops.numpy", "class_name": "Mean",
     "config": {"name": "mean", "axis": [1, 2], "keepdims": false}, "registered_name": "Mean",
     "name": "mean", "inbound_nodes": [{"args": […], "kwargs": {}}]}

Tensors, numbers and arrays stand among the arguments of the call, all else in the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.layers._layer import as_config
from pellucid.layers._operation import OperationLayer
from pellucid.layers._symbolic import flatten
from pellucid.ops._merge import Merge
from pellucid.ops._registry import functions

__all__ = ["from_keras", "is_keras_operation", "keras_arguments", "keras_entry"]

_NN = (
    *("average_pool", "batch_normalization", "celu", "conv", "conv_transpose", "depthwise_conv"),
    *("depth_to_space", "elu", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
    *("layer_normalization", "leaky_relu", "log_sigmoid", "log_softmax", "max_pool", "normalize"),
    *("relu", "relu6", "rms_normalization", "selu", "separable_conv", "sigmoid", "silu"),
    *("soft_shrink", "softmax", "softplus", "softsign", "space_to_depth"),
    *("sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink", "threshold"),
)
_MODULES = (
    dict.fromkeys(_NN, "keras.src.ops.nn")
    | dict.fromkeys(("erf", "logsumexp", "rsqrt"), "keras.src.ops.math")
    | {"cast": "keras.src.ops.core", "resize": "keras.src.ops.image"}
)
"""The modules of Keras' classes; those of all others are in keras.src.ops.numpy."""
_CLASSES = {
    "batch_normalization": "BatchNorm",
    "layer_normalization": "LayerNorm",
    "rms_normalization": "RMSNorm",
}
"""Keras' classes that are not called as their function is."""
_UNKNOWN_TO_KERAS = {"linear", "mish"}
_BEYOND_KERAS = {"relu": {"negative_slope": 0.0, "max_value": None, "threshold": 0.0}}
"""Options that Keras' function does not have, with the values at which they do nothing."""
_KERAS_ONLY = {"layer_normalization": {"rms_scaling": False}}
"""Options that only Keras' class has, with the one value that they can have here."""
_INDEX = "get_item"
"""The function whose option, the index, Keras has among the arguments."""


def _class_of(function: str) -> tuple[str, str]:
    name = "".join(part.capitalize() for part in function.split("_"))
    return _MODULES.get(function, "keras.src.ops.numpy"), _CLASSES.get(function, name)


def _functions() -> dict[tuple[str, str], str]:
    return {_class_of(name): name for name in functions() if name not in _UNKNOWN_TO_KERAS}


# Writing.


def keras_entry(layer: OperationLayer) -> dict[str, Any] | None:
    """Return how Keras writes the layer down, without its connections; None if it cannot."""
    found = _as_function(layer)
    if found is None or found[0] in _UNKNOWN_TO_KERAS:
        return None
    function, options = found
    for key, value in _BEYOND_KERAS.get(function, {}).items():
        if options.pop(key, value) != value:
            return None
    if function == _INDEX:
        options.clear()
    module, name = _class_of(function)
    return {
        "module": module,
        "class_name": name,
        "config": {"name": layer.name, **as_config(options)},
        "registered_name": name,
    }


def keras_arguments(layer: OperationLayer, tensors: list[Any]) -> list[Any]:
    """Return the arguments of a call, the tensors among them, as Keras writes them down."""
    function, options = _as_function(layer) or ("", {})
    written = [as_config(x) if isinstance(x, np.ndarray) else x for x in layer.operands(tensors)]
    if functions()[function].listed:
        return [written]
    if function == _INDEX:
        return [*written, as_config(options["key"])]
    return written


def _as_function(layer: OperationLayer) -> tuple[str, dict[str, Any]] | None:
    """Return the function that does what the layer does, and its options; None if none does."""
    op = layer.operation
    if isinstance(op, str):
        return op, dict(layer.options)
    rule = _RULES.get(op.name)
    if layer.learns or rule is None:
        return None
    if isinstance(op, Merge) and len(layer.operands(_called_on(layer))) != len(_TENSORS[op.name]):
        return None
    return rule(op)


def _called_on(layer: OperationLayer) -> list[Any]:
    return flatten(layer.calls[0].inputs) if layer.calls else []


def _activation(op: Any) -> tuple[str, dict[str, Any]] | None:
    function = {"exponential": "exp"}.get(op.function, op.function)
    options = {k: v for k, v in op.parameters.items() if k in functions()[function].options}
    defaults = type(op)(op.function, **options).parameters
    return (function, options) if defaults == op.parameters else None


def _reshape(op: Any) -> tuple[str, dict[str, Any]] | None:
    if not op.whole and -1 in op.target_shape:
        return None
    return "reshape", {"newshape": op.target_shape if op.whole else (-1, *op.target_shape)}


def _slice(op: Any) -> tuple[str, dict[str, Any]]:
    return _INDEX, {"key": tuple(map(slice, op.starts, op.stops, op.steps))}


def _fields_as(function: str, *names: str) -> Callable[[Any], tuple[str, dict[str, Any]]]:
    return lambda op: (function, {name: getattr(op, name) for name in names})


_MERGES = ("add", "subtract", "multiply", "maximum", "minimum", "divide", "power")
_TENSORS = dict.fromkeys(_MERGES, ("x1", "x2")) | {
    "where": ("condition", "x1", "x2"),
    "compare": ("x1", "x2"),
}
_RULES: dict[str, Callable[[Any], tuple[str, dict[str, Any]] | None]] = {
    **{name: _fields_as(name) for name in (*_MERGES, "where", "matmul")},
    "activation": _activation,
    "argmax": lambda op: (
        None
        if op.last
        else ("argmin" if op.least else "argmax", {"axis": op.axis, "keepdims": op.keepdims})
    ),
    "cast": _fields_as("cast", "dtype"),
    "compare": lambda op: (op.relation, {}),
    "concatenate": _fields_as("concatenate", "axis"),
    "elementwise": lambda op: (op.function, {}),
    "log_softmax": _fields_as("log_softmax", "axis"),
    "reduce": lambda op: (op.function, {"axis": op.axes, "keepdims": op.keepdims}),
    "reshape": _reshape,
    "slice": _slice,
    "softmax": _fields_as("softmax", "axis"),
    "take": _fields_as("take", "axis"),
    "transpose": _fields_as("transpose", "axes"),
}
"""For an operation by itself, the function that Keras has for it."""


# Reading.


def is_keras_operation(entry: Any) -> bool:
    """Return whether an entry among a model's layers is a function as Keras writes it."""
    module = entry.get("module") if isinstance(entry, Mapping) else None
    return isinstance(module, str) and module.startswith(("keras.src.ops.", "keras.ops"))


def from_keras(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of the `OperationLayer` that does what Keras' function does.

    Raises:
        ArgumentError: The function is not known here, or an argument is not of a kind that Keras
            writes.
    """
    function = _functions().get((entry["module"], entry["class_name"]))
    if function is None:
        raise ArgumentError(
            f"{entry['module']}.{entry['class_name']} is a function that is not known here."
        )
    config, nodes = dict(entry["config"]), entry.get("inbound_nodes", [])
    name = config.pop("name", None)
    for key, value in _KERAS_ONLY.get(function, {}).items():
        if config.pop(key, value) != value:
            raise ArgumentError(f"{name}: {key} other than {value!r} is not supported.")
    read = [_read(function, node) for node in nodes]
    constants = read[0][1] if read else {}
    if any(other != constants for _, other in read):
        raise ArgumentError(f"{name} is called with several arguments, which is not supported.")
    if function == _INDEX:
        config["key"] = constants.pop("key", None)
    return {
        "module": OperationLayer.keras_module,
        "class_name": "OperationLayer",
        "config": {"name": name, "operation": function, "constants": constants, "options": config},
        "registered_name": None,
        "name": entry.get("name"),
        "inbound_nodes": [{"args": [tensors], "kwargs": {}} for tensors, _ in read],
    }


def _read(function: str, node: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the tensors of a call, and its other operands by name."""
    named = functions()[function].tensors
    if function == _INDEX:
        named = (*named, "key")
    given = dict(zip(named, node["args"], strict=False)) | node.get("kwargs", {})
    if len(node["args"]) > len(named) or set(given) - set(named):
        raise ArgumentError(f"{function} is called with arguments that are not known: {node!r}.")
    if functions()[function].listed:
        given = {f"x{i}": x for i, x in enumerate(given[named[0]])}
    else:
        given = {key: given.get(key) for key in named}
    tensors = [x for x in given.values() if _is_tensor(x)]
    return tensors, {key: x for key, x in given.items() if not _is_tensor(x)}


def _is_tensor(entry: Any) -> bool:
    return isinstance(entry, Mapping) and entry.get("class_name") == "__keras_tensor__"

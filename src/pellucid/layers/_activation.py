"""The `activation=` argument: a name, a function of `pellucid.activations`, or a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid import activations
from pellucid.graph import Tracer, Value
from pellucid.layers._layer import Layer
from pellucid.ops._operation import Operation
from pellucid.ops.activation import Activation
from pellucid.ops.log_softmax import LogSoftmax
from pellucid.ops.softmax import Softmax

__all__ = ["apply", "get", "operation"]


def get(identifier: Any) -> str | Layer:
    """Return the activation's name (None is "linear"), or the layer that was given.

    Raises:
        ArgumentError: It is a function that is not one of `pellucid.activations`.
        NameLookupError: No activation has that name.
    """
    if isinstance(identifier, Layer):
        return identifier
    if isinstance(identifier, Mapping) and identifier.get("class_name") != "function":
        from pellucid.layers._registry import deserialize

        return deserialize(identifier)
    name = activations.name_of(identifier)
    operation(name)
    return name


def operation(name: str) -> Operation:
    """Return the operation of an activation by its name."""
    if name == "softmax":
        return Softmax()
    if name == "log_softmax":
        return LogSoftmax()
    return Activation(name)


def apply(g: Tracer, activation: str | Layer, op: Operation, *inputs: Value | None) -> Value:
    """Apply `op`, then the activation, and return the layer's output."""
    if activation == "linear":
        return g.apply(op, *inputs)
    return follow(g, activation, g.apply(op, *inputs, role="pre_activation"))


def follow(g: Tracer, activation: str | Layer, z: Value) -> Value:
    """Apply the activation alone."""
    if isinstance(activation, Layer):
        activation.build_for([z.shape])
        output: Value = activation.call(g, z)
        return output
    return g.apply(operation(activation), z)

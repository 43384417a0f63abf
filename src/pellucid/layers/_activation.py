"""The `activation=` argument: a name, a function of `pellucid.activations`, or a layer."""

from __future__ import annotations

from typing import Any

from pellucid.errors import ArgumentError, unknown_name
from pellucid.graph import Tracer, Value
from pellucid.layers._layer import Layer
from pellucid.ops._operation import Operation
from pellucid.ops.activation import FUNCTIONS, Activation
from pellucid.ops.log_softmax import LogSoftmax
from pellucid.ops.softmax import Softmax

__all__ = ["apply", "get", "operation"]

ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def get(identifier: Any) -> str | Layer:
    """Return the activation's name (None is "linear"), or the layer that was given."""
    if identifier is None:
        return "linear"
    if isinstance(identifier, Layer):
        return identifier
    name = identifier if isinstance(identifier, str) else getattr(identifier, "__name__", None)
    if not isinstance(name, str):
        raise ArgumentError(
            f"activation must be a name, a function of pellucid.activations or a layer, "
            f"received {identifier!r}."
        )
    name = ALIASES.get(name, name)
    known = {*FUNCTIONS, "softmax", "log_softmax"}
    if name not in known:
        raise unknown_name("activation", name, known)
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
    z = g.apply(op, *inputs, role="pre_activation")
    if isinstance(activation, Layer):
        output: Value = activation.call(g, z)
        return output
    return g.apply(operation(activation), z)

"""How ONNX's operators make each activation function of `ops/_activations.py`."""

from __future__ import annotations

import math
from collections.abc import Callable

from pellucid.formats.onnx.export_graph import Graph
from pellucid.ops.activation import Activation

__all__ = ["ACTIVATIONS"]


def _clip(g: Graph, x: str, low: float, high: float) -> str:
    return g.node("Clip", x, g.constant(low), g.constant(high))


def _relu(g: Graph, op: Activation, x: str) -> str:
    assert op.threshold is not None
    slope, top = op.negative_slope, op.max_value
    if op.threshold == 0 and slope == 0:
        return g.node("Relu", x) if top is None else _clip(g, x, 0.0, top)
    if slope == 0:
        y = g.node("ThresholdedRelu", x, alpha=op.threshold)
    elif op.threshold == 0:
        y = g.node("LeakyRelu", x, alpha=slope)
    else:
        threshold = g.constant(op.threshold)
        below = g.node("Mul", g.node("Sub", x, threshold), g.constant(slope))
        y = g.node("Where", g.node("Greater", x, threshold), x, below)
    return y if top is None else g.node("Min", y, g.constant(top))


def _gelu(g: Graph, op: Activation, x: str) -> str:
    if g.opset >= 20:
        return g.node("Gelu", x, approximate="tanh" if op.approximate else "none")
    if op.approximate:
        cube = g.node("Mul", g.node("Mul", x, x), x)
        bent = g.node("Add", x, g.node("Mul", cube, g.constant(0.044715)))
        gate = g.node("Tanh", g.node("Mul", bent, g.constant(math.sqrt(2 / math.pi))))
    else:
        gate = g.node("Erf", g.node("Mul", x, g.constant(math.sqrt(0.5))))
    half = g.node("Mul", x, g.constant(0.5))
    return g.node("Mul", half, g.node("Add", gate, g.constant(1.0)))


def _hard_silu(g: Graph, op: Activation, x: str) -> str:
    if g.opset >= 14:
        return g.node("HardSwish", x)
    return g.node("Mul", x, g.node("HardSigmoid", x, alpha=1 / 6, beta=0.5))


def _mish(g: Graph, op: Activation, x: str) -> str:
    if g.opset >= 18:
        return g.node("Mish", x)
    return g.node("Mul", x, g.node("Tanh", g.node("Softplus", x)))


def _squareplus(g: Graph, op: Activation, x: str) -> str:
    """max(x, 0) + (b / 2) / (|x| + √(x² + b)), in which nothing cancels."""
    b = op.b or 0.0
    root = g.node("Sqrt", g.node("Add", g.node("Mul", x, x), g.constant(b)))
    rest = g.node("Div", g.constant(b / 2), g.node("Add", g.node("Abs", x), root))
    return g.node("Add", g.node("Relu", x), rest)


def _threshold(g: Graph, op: Activation, x: str) -> str:
    passes = g.node("Greater", x, g.constant(op.threshold))
    return g.node("Where", passes, x, g.constant(op.default_value))


def _hard_shrink(g: Graph, op: Activation, x: str) -> str:
    passes = g.node("Greater", g.node("Abs", x), g.constant(op.threshold))
    return g.node("Where", passes, x, g.constant(0.0))


def _soft_shrink(g: Graph, op: Activation, x: str) -> str:
    width = op.threshold or 0.0
    return g.node("Sub", x, _clip(g, x, -width, width))


def _sparse_plus(g: Graph, op: Activation, x: str) -> str:
    """max(x − 1, 0) + (min(max(x, −1), 1) + 1)² / 4."""
    ramp = g.node("Mul", g.node("Add", _clip(g, x, -1.0, 1.0), g.constant(1.0)), g.constant(0.5))
    above = g.node("Relu", g.node("Sub", x, g.constant(1.0)))
    return g.node("Add", above, g.node("Mul", ramp, ramp))


ACTIVATIONS: dict[str, Callable[[Graph, Activation, str], str]] = {
    "linear": lambda g, op, x: x,
    "relu": _relu,
    "relu6": lambda g, op, x: _clip(g, x, 0.0, 6.0),
    "leaky_relu": lambda g, op, x: g.node("LeakyRelu", x, alpha=op.negative_slope),
    "elu": lambda g, op, x: g.node("Elu", x, alpha=op.alpha),
    "selu": lambda g, op, x: g.node("Selu", x, alpha=op.alpha, gamma=op.gamma),
    "celu": lambda g, op, x: g.node("Celu", x, alpha=op.alpha),
    "gelu": _gelu,
    "silu": lambda g, op, x: g.node("Mul", x, g.node("Sigmoid", x)),
    "sigmoid": lambda g, op, x: g.node("Sigmoid", x),
    "hard_sigmoid": lambda g, op, x: g.node("HardSigmoid", x, alpha=op.alpha, beta=op.beta),
    "hard_silu": _hard_silu,
    "tanh": lambda g, op, x: g.node("Tanh", x),
    "hard_tanh": lambda g, op, x: _clip(g, x, -1.0, 1.0),
    "tanh_shrink": lambda g, op, x: g.node("Sub", x, g.node("Tanh", x)),
    "softplus": lambda g, op, x: g.node("Softplus", x),
    "softsign": lambda g, op, x: g.node("Softsign", x),
    "exponential": lambda g, op, x: g.node("Exp", x),
    "mish": _mish,
    "log_sigmoid": lambda g, op, x: g.node("Neg", g.node("Softplus", g.node("Neg", x))),
    "squareplus": _squareplus,
    "threshold": _threshold,
    "hard_shrink": _hard_shrink,
    "soft_shrink": _soft_shrink,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda g, op, x: g.node("HardSigmoid", x, alpha=0.5, beta=0.5),
}
"""For each function, the nodes that make it of the tensor `x`; they return the result's name."""

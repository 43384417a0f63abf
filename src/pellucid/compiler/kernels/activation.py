"""Activations in registers: f, and its slope from y = f(x) where y says enough.

An activation is fused into what makes its input (convolution, dense), which is then never stored:
in training if its slope follows from its output alone, in inference whichever it is. The others run
by themselves, from x. Floor: one load and one store for each number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.kernels import _math as m
from pellucid.compiler.schedule import NO_FRAME, Frame, Place
from pellucid.compiler.spans import cells, parts_of_cells, span_of
from pellucid.ops._activations import GELU_CUBE, GELU_SLOPE

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.ops.activation import Activation

__all__ = ["apply", "backward", "forward", "fusable", "gated", "slope_from_output"]


def relu(f: Function, x: Value) -> Value:
    """max(x, 0); NaN stays NaN."""
    return f.select(x < 0.0, 0.0, x)


def _clipped(f: Function, x: Value, low: float, high: float) -> Value:
    return f.select(x < low, low, f.select(x > high, high, x))


def _inside(f: Function, x: Value, low: float, high: float, slope: float = 1.0) -> Value:
    return f.select((x > low) & (x < high), f.splat(slope), f.zero())


def _relu(f: Function, x: Value, a: Activation) -> Value:
    slope, threshold = a.negative_slope or 0.0, a.threshold or 0.0
    if not slope and not threshold:
        y = relu(f, x)
    else:
        y = f.select(x <= threshold, (x - threshold) * slope, x)
    return y if a.max_value is None else f.select(y > a.max_value, a.max_value, y)


def _relu_slope(f: Function, y: Value, a: Activation) -> Value:
    slope, threshold = a.negative_slope or 0.0, a.threshold or 0.0
    passes = y > threshold
    if a.max_value is not None:
        inner = f.select(y < a.max_value, f.splat(1.0), f.zero())
        return f.select(passes, inner, f.splat(slope))
    return f.select(passes, f.splat(1.0), f.splat(slope))


def _celu(f: Function, x: Value, a: Activation) -> Value:
    alpha = a.alpha or 1.0
    below = m.expm1(f, f.select(x > 0.0, 0.0, x) * (1 / alpha)) * alpha
    return f.select(x > 0.0, x, below)


def _gelu_gate(f: Function, x: Value) -> Value:
    return m.sigmoid(f, x * f.fma(x * x, f.splat(2 * GELU_SLOPE * GELU_CUBE), _gelu_slope(f)))


def _gelu_slope(f: Function) -> Value:
    return f.splat(2 * GELU_SLOPE)


def _gelu(f: Function, x: Value, a: Activation) -> Value:
    return x * (_gelu_gate(f, x) if a.approximate else m.normal(f, x)[0])


def _gelu_derivative(f: Function, x: Value, a: Activation) -> Value:
    if not a.approximate:
        area, density = m.normal(f, x)
        return f.fma(x, density, area)
    gate = _gelu_gate(f, x)
    steepness = f.fma(x * x, f.splat(6 * GELU_SLOPE * GELU_CUBE), _gelu_slope(f))
    # The gate's slope is 0 before x³ can be too large for a float.
    rising = f.select(gate * (1.0 - gate) > 0.0, x * steepness, 0.0)
    return f.fma(gate * (1.0 - gate), rising, gate)


def _mish_gate(f: Function, x: Value) -> Value:
    """tanh(ln(1 + eˣ)) = u / (u + 2) for u = eˣ·(eˣ + 2); 1 to the last bit beyond 20."""
    e = m.exp(f, f.select(x > 20.0, 20.0, x))
    u = e * (e + 2.0)
    return u / (u + 2.0)


def _mish_derivative(f: Function, x: Value, a: Activation) -> Value:
    gate = _mish_gate(f, x)
    return f.fma(x * m.sigmoid(f, x), 1.0 - gate * gate, gate)


def _root(f: Function, x: Value, a: Activation) -> Value:
    return f.intrinsic("sqrt", f.fma(x, x, f.splat(a.b or 0.0)))


def _squareplus(f: Function, x: Value, a: Activation) -> Value:
    root = _root(f, x, a)
    below = f.splat((a.b or 0.0) / 2) / (root - x)
    return f.select(x < 0.0, below, (x + root) * 0.5)


def _beyond(f: Function, x: Value, a: Activation, above: Value, below: Value) -> Value:
    """`above` over the threshold, `below` under its negative, 0 in between."""
    limit = a.threshold or 0.0
    return f.select(x > limit, above, f.select(x < -limit, below, f.zero()))


def _ramp(f: Function, x: Value) -> Value:
    return _clipped(f, x * 0.5 + 0.5, 0.0, 1.0)


def _selu_depth(a: Activation) -> float:
    """How far below 0 the negative side goes."""
    return (a.alpha or 0.0) * (a.gamma or 0.0)


def _tanh_squared(f: Function, x: Value, a: Activation) -> Value:
    y = m.tanh(f, x)
    return y * y


Forward = Callable[[Function, Value, "Activation"], Value]
Slope = Callable[[Function, Value, "Activation"], Value]

FORWARD: dict[str, Forward] = {
    "linear": lambda f, x, a: x,
    "relu": _relu,
    "relu6": lambda f, x, a: _clipped(f, x, 0.0, 6.0),
    "leaky_relu": lambda f, x, a: f.select(x > 0.0, x, x * (a.negative_slope or 0.0)),
    "elu": lambda f, x, a: f.select(
        x > 0.0, x, m.expm1(f, f.select(x > 0.0, 0.0, x)) * (a.alpha or 0.0)
    ),
    "selu": lambda f, x, a: f.select(
        x > 0.0, x * (a.gamma or 0.0), m.expm1(f, f.select(x > 0.0, 0.0, x)) * _selu_depth(a)
    ),
    "sigmoid": lambda f, x, a: m.sigmoid(f, x),
    "tanh": lambda f, x, a: m.tanh(f, x),
    "exponential": lambda f, x, a: m.exp(f, x),
    "silu": lambda f, x, a: x * m.sigmoid(f, x),
    "softplus": lambda f, x, a: m.log1p_of_exp(f, x),
    "hard_sigmoid": lambda f, x, a: _clipped(f, x * (a.alpha or 0.0) + (a.beta or 0.0), 0.0, 1.0),
    "hard_silu": lambda f, x, a: x * _clipped(f, x * (1 / 6) + 0.5, 0.0, 1.0),
    "softsign": lambda f, x, a: x / (f.intrinsic("fabs", x) + 1.0),
    "celu": _celu,
    "gelu": _gelu,
    "hard_tanh": lambda f, x, a: _clipped(f, x, -1.0, 1.0),
    "tanh_shrink": lambda f, x, a: x - m.tanh(f, x),
    "mish": lambda f, x, a: x * _mish_gate(f, x),
    "log_sigmoid": lambda f, x, a: 0.0 - m.log1p_of_exp(f, 0.0 - x),
    "squareplus": _squareplus,
    "threshold": lambda f, x, a: f.select(x <= (a.threshold or 0.0), a.default_value or 0.0, x),
    "hard_shrink": lambda f, x, a: _beyond(f, x, a, x, x),
    "soft_shrink": lambda f, x, a: _beyond(
        f, x, a, x - (a.threshold or 0.0), x + (a.threshold or 0.0)
    ),
    "sparse_plus": lambda f, x, a: f.select(x >= 1.0, x, _ramp(f, x) * _ramp(f, x)),
    "sparse_sigmoid": lambda f, x, a: _ramp(f, x),
}
"""f of x."""

FROM_OUTPUT: dict[str, Slope] = {
    "linear": lambda f, y, a: f.splat(1.0),
    "relu": _relu_slope,
    "relu6": lambda f, y, a: _inside(f, y, 0.0, 6.0),
    "leaky_relu": lambda f, y, a: f.select(y > 0.0, f.splat(1.0), f.splat(a.negative_slope or 0.0)),
    "elu": lambda f, y, a: f.select(y > 0.0, f.splat(1.0), y + (a.alpha or 0.0)),
    "selu": lambda f, y, a: f.select(y > 0.0, f.splat(a.gamma or 0.0), y + _selu_depth(a)),
    "sigmoid": lambda f, y, a: y * (1.0 - y),
    "tanh": lambda f, y, a: 1.0 - y * y,
    "exponential": lambda f, y, a: y,
    "celu": lambda f, y, a: f.select(y > 0.0, f.splat(1.0), y * (1 / (a.alpha or 1.0)) + 1.0),
    "hard_tanh": lambda f, y, a: _inside(f, y, -1.0, 1.0),
    "sparse_sigmoid": lambda f, y, a: _inside(f, y, 0.0, 1.0, 0.5),
}
"""f′ from y = f(x)."""


def _silu_slope(f: Function, x: Value, a: Activation) -> Value:
    s = m.sigmoid(f, x)
    return s * (x * (1.0 - s) + 1.0)


def _softsign_slope(f: Function, x: Value, a: Activation) -> Value:
    u = f.intrinsic("fabs", x) + 1.0
    return 1.0 / (u * u)


FROM_INPUT: dict[str, Slope] = {
    "silu": _silu_slope,
    "softplus": lambda f, x, a: m.sigmoid(f, x),
    "hard_sigmoid": lambda f, x, a: _inside(
        f, x * (a.alpha or 0.0) + (a.beta or 0.0), 0.0, 1.0, a.alpha or 0.0
    ),
    "hard_silu": lambda f, x, a: f.select(
        x > -3.0, f.select(x < 3.0, x * (1 / 3) + 0.5, f.splat(1.0)), f.zero()
    ),
    "softsign": _softsign_slope,
    "gelu": _gelu_derivative,
    "tanh_shrink": _tanh_squared,
    "mish": _mish_derivative,
    "log_sigmoid": lambda f, x, a: m.sigmoid(f, 0.0 - x),
    "squareplus": lambda f, x, a: _squareplus(f, x, a) / _root(f, x, a),
    "threshold": lambda f, x, a: f.select(x > (a.threshold or 0.0), f.splat(1.0), f.zero()),
    "hard_shrink": lambda f, x, a: _beyond(f, x, a, f.splat(1.0), f.splat(1.0)),
    "soft_shrink": lambda f, x, a: _beyond(f, x, a, f.splat(1.0), f.splat(1.0)),
    "sparse_plus": lambda f, x, a: _ramp(f, x),
}
"""f′ from x, for the functions whose output does not tell."""


def fusable(op: Activation, training: bool) -> bool:
    """Whether it can be part of what makes its input, which then is never stored."""
    if not training:
        return True
    if op.function == "leaky_relu" and (op.negative_slope or 0.0) < 0:
        return False
    if op.function == "elu" and (op.alpha or 0.0) < 0:
        return False
    return op.function in FROM_OUTPUT


def monotone_piecewise(op: Activation | None) -> bool:
    """Whether pooling may come first: the largest input then makes the largest output."""
    if op is None or op.function == "linear":
        return True
    plain = op.function == "relu" and not op.negative_slope and not op.threshold
    return plain and op.max_value is None


def apply(f: Function, op: Activation | None, x: Value) -> Value:
    """Return f(x) for one vector; x itself without an activation."""
    return x if op is None else FORWARD[op.function](f, x, op)


def slope_from_output(f: Function, op: Activation | None, dy: Value, y: Value) -> Value:
    """Return dy · f′, from y = f(x)."""
    if op is None or op.function == "linear":
        return dy
    if monotone_piecewise(op):
        return f.select(y > 0.0, dy, 0.0)
    return dy * FROM_OUTPUT[op.function](f, y, op)


def gated(b: Builder, group: Group, frame: Frame = NO_FRAME) -> Place:
    """Return the place of dy · f′(y): the gradient before the activation, pooled as y is."""
    dy, y = b.gradient(group.output), b.place(group.output)
    if group.activation is None or group.activation.function == "linear" or group in b.gated:
        return dy
    dz = b.extra(group, "gated", y.shape, frame=frame)
    op = group.activation

    def emit(f: Function) -> None:
        gradient, output, target = f.arguments
        for (i, j, k), n in cells(f, dy, y, dz):
            value = slope_from_output(f, op, gradient.load(i, n), output.load(j, n))
            target.store(value, k, n)

    key = ("gate", op, dy.layout, y.layout, dz.layout)
    b.schedule.add(group.layer, key, "sample", [dy, y, dz], [dz], emit)
    return dz


def forward(b: Builder, group: Group) -> None:
    """Add the job y = f(x)."""
    op: Activation = group.op
    x, y = b.place(group.node.inputs[0]), b.place(group.output)

    parts = 1 if b.training else parts_of_cells(x, y)

    def emit(f: Function) -> None:
        source, target = f.arguments[:2]
        for (i, j), n in cells(f, x, y, span=span_of(f, parts)):
            target.store(FORWARD[op.function](f, source.load(i, n), op), j, n)

    key = ("activation", op, x.layout, y.layout)
    b.schedule.add(group.layer, key, "sample", [x, y], [y], emit, parts=parts)


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy · f′(x)."""
    op: Activation = group.op
    source = group.node.inputs[0]
    if not b.wants(source):
        return
    dy = b.gradient(group.output)
    from_output = op.function in FROM_OUTPUT
    seen = b.place(group.output if from_output else source)
    dx, add = b.claim(source)

    def emit(f: Function) -> None:
        gradient, point, target = f.arguments
        table = FROM_OUTPUT if from_output else FROM_INPUT
        for (i, j, k), n in cells(f, dy, seen, dx):
            value = gradient.load(i, n) * table[op.function](f, point.load(j, n), op)
            target.store(value + target.load(k, n) if add else value, k, n)

    key = ("activation_gradient", op, dy.layout, seen.layout, add)
    b.schedule.add(group.layer, key, "sample", [dy, seen, dx], [dx], emit)

"""Elementary functions of each number alone. Floor: a load and a store for each number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.kernels import _math as m
from pellucid.compiler.kernels._elementwise import elementwise

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def _sign(f: Function, x: Value) -> Value:
    return f.select(x > 0.0, f.splat(1.0), f.select(x < 0.0, f.splat(-1.0), x))


def _flat(f: Function, x: Value, y: Value) -> Value:
    return f.zero()


FORWARD: dict[str, Callable[[Function, Value], Value]] = {
    "absolute": lambda f, x: f.intrinsic("fabs", x),
    "negative": lambda f, x: 0.0 - x,
    "sign": _sign,
    "reciprocal": lambda f, x: 1.0 / x,
    "square": lambda f, x: x * x,
    "sqrt": lambda f, x: f.intrinsic("sqrt", x),
    "rsqrt": lambda f, x: 1.0 / f.intrinsic("sqrt", x),
    "log": m.log,
    "log2": lambda f, x: m.log(f, x) * (1 / math.log(2)),
    "log10": lambda f, x: m.log(f, x) * (1 / math.log(10)),
    "erf": m.erf,
    "floor": lambda f, x: f.intrinsic("floor", x),
    "ceil": lambda f, x: f.intrinsic("ceil", x),
    "round": lambda f, x: f.intrinsic("rint", x),
}
"""f of x."""

SLOPE: dict[str, Callable[[Function, Value, Value], Value]] = {
    "absolute": lambda f, x, y: _sign(f, x),
    "negative": lambda f, x, y: f.splat(-1.0),
    "sign": _flat,
    "reciprocal": lambda f, x, y: 0.0 - y * y,
    "square": lambda f, x, y: x + x,
    "sqrt": lambda f, x, y: 0.5 / y,
    "rsqrt": lambda f, x, y: y * -0.5 / x,
    "log": lambda f, x, y: 1.0 / x,
    "log2": lambda f, x, y: (1 / math.log(2)) / x,
    "log10": lambda f, x, y: (1 / math.log(10)) / x,
    "erf": lambda f, x, y: m.exp(f, 0.0 - x * x) * (2 / math.sqrt(math.pi)),
    "floor": _flat,
    "ceil": _flat,
    "round": _flat,
}
"""f′ from x and y = f(x)."""


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    return None if op.function in FORWARD else f"{op.function} has no kernel"


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    name = group.op.function
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    elementwise(b, group.layer, (name,), [x], y, lambda f, x: FORWARD[name](f, x))


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy · f′(x)."""
    source, name = group.node.inputs[0], group.op.function
    if b.wants(source):
        dx, add = b.claim(source)
        seen = [b.gradient(group.output), b.place(source), b.place(group.output)]
        elementwise(
            b, group.layer, (f"{name}_gradient",), seen, dx,
            lambda f, dy, x, y: dy * SLOPE[name](f, x, y), add=add,
        )  # fmt: skip

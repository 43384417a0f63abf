"""Numbers held between two bounds. Floor: a load and a store for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._elementwise import elementwise

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.ops.clip import Clip

__all__ = ["backward", "forward"]


def _held(f: Function, x: Value, op: Clip) -> Value:
    y = x if op.x_min is None else f.select(x < op.x_min, op.x_min, x)
    return y if op.x_max is None else f.select(y > op.x_max, op.x_max, y)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    op: Clip = group.op
    x, y = b.place(group.node.inputs[0]), b.place(group.output)
    elementwise(b, group.layer, ("clip", op), [x], y, lambda f, x: _held(f, x, op))


def backward(b: Builder, group: Group) -> None:
    """Add the job dx = dy where the number is its own value."""
    source, op = group.node.inputs[0], group.op
    if b.wants(source):
        dx, add = b.claim(source)
        elementwise(
            b, group.layer, ("clip_gradient", op), [b.gradient(group.output), b.place(source)], dx,
            lambda f, dy, x: f.select(x.equals(_held(f, x, op)), dy, 0.0), add=add,
        )  # fmt: skip

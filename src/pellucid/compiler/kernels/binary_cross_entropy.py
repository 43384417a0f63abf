"""The cross-entropy of yes and no, from logits or probabilities; see `_mean_loss.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Function, Value
from pellucid.compiler.kernels import _math
from pellucid.compiler.kernels._mean_loss import mean_backward, mean_forward

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    return None if op.from_logits else "binary_cross_entropy of probabilities"


def _smooth(group: Group, t: Value) -> Value:
    smoothing = group.op.label_smoothing
    return t * (1 - smoothing) + 0.5 * smoothing if smoothing else t


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass: ln(1 + eˣ) − x·t."""

    def loss(f: Function, x: Value, t: Value) -> Value:
        return _math.log1p_of_exp(f, x) - x * _smooth(group, t)

    mean_forward(b, group, loss)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass: σ(x) − t."""
    mean_backward(b, group, lambda f, x, t: _math.sigmoid(f, x) - _smooth(group, t))

"""Resizing, row by row and then column by column; `_separable.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._separable import is_short, separable
from pellucid.ops.resize import Resize

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node
    from pellucid.ops._operation import Array

__all__ = ["backward", "forward", "refusal"]


def _matrices(node: Node) -> tuple[Array, Array]:
    x, op = node.inputs[0], node.op
    assert x is not None
    assert isinstance(op, Resize)
    rows, columns = op.axes(x.shape)
    return rows.matrix(), columns.matrix()


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    return None if is_short(*_matrices(node)) else "resizing in which no two rows are alike"


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    source = b.place(group.node.inputs[0])
    separable(b, group, *_matrices(group.node), source, b.place(group.output))


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    x = group.node.inputs[0]
    if b.wants(x):
        rows, columns = _matrices(group.node)
        dx, add = b.claim(x)
        separable(b, group, rows.T, columns.T, b.gradient(group.output), dx, add=add)

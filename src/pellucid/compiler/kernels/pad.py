"""Padding of images, each cell a cell of the image or 0; `_separable.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.compiler.kernels._separable import is_short, separable
from pellucid.ops._operation import known
from pellucid.ops.pad import Pad

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node
    from pellucid.ops._operation import Array

__all__ = ["backward", "forward", "refusal"]


def _matrices(node: Node) -> list[Array]:
    """Which cell is where, along the height and along the width."""
    x, op = node.inputs[0], node.op
    assert x is not None
    assert isinstance(op, Pad)
    sizes = known((1, *x.shape[1:]))
    sources = dict(op._sources(sizes))
    found = []
    for axis in (1, 2):
        source = sources.get(axis, np.arange(sizes[axis]))
        found.append((source[:, np.newaxis] == np.arange(sizes[axis])).astype(float))
    return found


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op = node.op
    assert isinstance(op, Pad)
    if len(op.pad_width) != 3 or op.pad_width[2] != (0, 0):
        return "padding of something else than rows and columns of images"
    if op.mode == "constant" and op.constant_value != 0:
        return "padding with a number other than 0"
    return None if is_short(*_matrices(node)) else "padding by more than there is"


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    rows, columns = _matrices(group.node)
    separable(b, group, rows, columns, b.place(group.node.inputs[0]), b.place(group.output))


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    x = group.node.inputs[0]
    if b.wants(x):
        rows, columns = _matrices(group.node)
        dx, add = b.claim(x)
        separable(b, group, rows.T, columns.T, b.gradient(group.output), dx, add=add)

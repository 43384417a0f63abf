"""Cropping: the rows and columns that are left are taken; `_separable.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.compiler.kernels._separable import separable

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.ops._operation import Array

__all__ = ["backward", "forward"]


def _matrices(b: Builder, group: Group) -> list[Array]:
    """Which row, and which column, is where."""
    large, small = b.place(group.node.inputs[0]).shape, b.place(group.output).shape
    firsts = [before for before, _ in group.op.cropping]
    return [
        np.eye(left, whole, first)
        for left, whole, first in zip(small[:2], large[:2], firsts, strict=True)
    ]


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    rows, columns = _matrices(b, group)
    separable(b, group, rows, columns, b.place(group.node.inputs[0]), b.place(group.output))


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    x = group.node.inputs[0]
    if b.wants(x):
        rows, columns = _matrices(b, group)
        dx, add = b.claim(x)
        separable(b, group, rows.T, columns.T, b.gradient(group.output), dx, add=add)

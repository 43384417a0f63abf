"""Kernels: one file for each operation that has them, named as the operation's own in `ops/`.

A file has `forward(builder, group)`, which adds the jobs of the forward pass to the builder's
schedule, and `backward(builder, group)`. It may have `refusal(node)`, which says why a node has to
run through its operation after all; `fuses(group, node, training)`, if it can take what follows
along; `NORMALISES`, if that may be a batch normalisation by stored statistics; `gates(builder,
group)`, which says whether the way back begins at the gradient before the fused activation, so that
the layer above may give that; and `frame(group)`, if it reads its first input with padding.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.graph import Node

__all__ = ["find_kernel"]


def find_kernel(node: Node) -> tuple[ModuleType | None, str]:
    """Return the module with the kernels for a node, or None and why there is none."""
    name = f"{__name__}.{node.op.name}"
    if find_spec(name) is None:
        return None, f"{node.op.name} has no kernel"
    module = import_module(name)
    reason = module.refusal(node) if hasattr(module, "refusal") else None
    return (None, reason) if reason else (module, "")

"""The quotient of two tensors; `_merge.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value

__all__ = ["backward", "forward", "refusal"]


def _share(f: Function, i: int, dy: Value, y: Value, xs: list[Value]) -> Value:
    """Return dy / x1, and −dy · y / x1."""
    return (0.0 - dy) * y / xs[1] if i else dy / xs[1]


_RULE = Rule(lambda f, xs: xs[0] / xs[1], _share)
forward, backward = _RULE.forward, _RULE.backward

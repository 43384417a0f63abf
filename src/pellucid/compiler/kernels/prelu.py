"""Parametric ReLU, with slopes that are spread over the image; `_merge.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value

__all__ = ["backward", "forward", "refusal"]


def _merge(f: Function, xs: list[Value]) -> Value:
    x, slope = xs
    return f.select(x > 0.0, x, x * slope)


def _share(f: Function, i: int, dy: Value, y: Value, xs: list[Value]) -> Value:
    """Return dy, sloped where x is not positive; and dy · x there, for the slope."""
    x, slope = xs
    return f.select(x > 0.0, 0.0, dy * x) if i else f.select(x > 0.0, dy, dy * slope)


_RULE = Rule(_merge, _share)
forward, backward = _RULE.forward, _RULE.backward

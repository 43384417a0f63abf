"""The smallest of tensors, the first of equals; `_merge.py` has the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._merge import Rule, refusal

if TYPE_CHECKING:
    from pellucid.compiler.ir import Function, Value

__all__ = ["backward", "forward", "refusal"]


def _merge(f: Function, xs: list[Value]) -> Value:
    best = xs[0]
    for x in xs[1:]:
        best = f.select((x < best) | x.differs(x), x, best)
    return best


def _share(f: Function, i: int, dy: Value, y: Value, xs: list[Value]) -> Value:
    """Give dy to the first number that is y."""
    share = f.select(xs[i].equals(y), dy, 0.0)
    for earlier in xs[:i]:
        share = f.select(earlier.equals(y), 0.0, share)
    return share


_RULE = Rule(_merge, _share)
forward, backward = _RULE.forward, _RULE.backward

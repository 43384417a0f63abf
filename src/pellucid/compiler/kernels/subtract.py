"""The difference of two tensors; `_merge.py` has the loops."""

from __future__ import annotations

from pellucid.compiler.kernels._merge import Rule, refusal

__all__ = ["backward", "forward", "refusal"]


_RULE = Rule(lambda f, xs: xs[0] - xs[1], lambda f, i, dy, y, xs: 0.0 - dy if i else dy, "nothing")
forward, backward = _RULE.forward, _RULE.backward

"""How ONNX's operators make the operations on arrays of any shape.

All numbers in the graph are float32: whole numbers and truth values as well.
"""

from __future__ import annotations

import numpy as np

from pellucid.formats.onnx.export_graph import Form, Graph
from pellucid.graph import Value
from pellucid.ops.cast import Cast
from pellucid.ops.slice import Slice

__all__ = ["cast", "slice_"]

_END = np.iinfo(np.int64).max
"""Further than any axis is long."""


def cast(g: Graph, op: Cast, x: Value) -> Form:
    """Cut off fractions, or say what is not 0."""
    tensor, axes = g.any(x)
    if np.dtype(op.dtype).kind == "f":
        return tensor, axes
    return as_float(g, as_type(g, tensor, op.dtype)), axes


def slice_(g: Graph, op: Slice, x: Value) -> Form:
    """Cut a part out, along the axes that are not kept whole."""
    tensor, axes = g.any(x)
    ends = zip(op.starts, op.stops, op.steps, strict=True)
    cuts = [(axes.index(i), *_bounds(*end)) for i, end in enumerate(ends) if slice(*end) != _WHOLE]
    if not cuts:
        return tensor, axes
    along, starts, stops, steps = (
        g.constant(column, "int64") for column in zip(*cuts, strict=True)
    )
    return g.node("Slice", tensor, starts, stops, along, steps), axes


_WHOLE = slice(None, None, 1)


def _bounds(start: int | None, stop: int | None, step: int | None) -> tuple[int, int, int]:
    step = step or 1
    first, last = (0, _END) if step > 0 else (_END, -_END)
    return first if start is None else start, last if stop is None else stop, step


def as_type(g: Graph, tensor: str, dtype: str) -> str:
    """Return a tensor in a type of ONNX."""
    from onnx import helper

    return g.node("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def as_float(g: Graph, tensor: str) -> str:
    """Return a tensor as the graph has all numbers."""
    return as_type(g, tensor, "float32")

"""How ONNX's operators make the operations on arrays of any shape.

All numbers in the graph are float32: whole numbers and truth values as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pellucid.formats.onnx.export_graph import Form, Graph, in_order
from pellucid.graph import Value
from pellucid.ops.argmax import ArgMax
from pellucid.ops.broadcast_to import BroadcastTo
from pellucid.ops.cast import Cast
from pellucid.ops.clip import Clip
from pellucid.ops.compare import Compare
from pellucid.ops.elementwise import Elementwise
from pellucid.ops.matmul import MatMul
from pellucid.ops.reduce import Reduce
from pellucid.ops.slice import Slice
from pellucid.ops.take import Take
from pellucid.ops.where import Where

__all__ = ["ARRAYS"]

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


def broadcast_to(g: Graph, op: BroadcastTo, x: Value) -> Form:
    """Repeat a tensor along axes."""
    sizes = [1 if n is None else n for n in op.shape]  # 1 leaves a size as it is
    return g.node("Expand", g.read(x), g.constant(sizes, "int64")), in_order(len(sizes))


def clip(g: Graph, op: Clip, x: Value) -> Form:
    """Hold numbers between bounds."""
    tensor, axes = g.any(x)
    low, high = (None if n is None else g.constant(n) for n in (op.x_min, op.x_max))
    return g.node("Clip", tensor, low, high), axes


def elementwise(g: Graph, op: Elementwise, x: Value) -> Form:
    """Apply an elementary function."""
    tensor, axes = g.any(x)
    made = _ELEMENTWISE[op.function]
    return made(g, tensor) if callable(made) else g.node(made, tensor), axes


def _over_log(base: float) -> Callable[[Graph, str], str]:
    return lambda g, x: g.node("Div", g.node("Log", x), g.constant(math.log(base)))


_ELEMENTWISE: dict[str, str | Callable[[Graph, str], str]] = {
    "absolute": "Abs",
    "negative": "Neg",
    "sign": "Sign",
    "reciprocal": "Reciprocal",
    "square": lambda g, x: g.node("Mul", x, x),
    "sqrt": "Sqrt",
    "rsqrt": lambda g, x: g.node("Reciprocal", g.node("Sqrt", x)),
    "log": "Log",
    "log1p": lambda g, x: g.node("Log", g.node("Add", x, g.constant(1.0))),
    "log2": _over_log(2),
    "log10": _over_log(10),
    "expm1": lambda g, x: g.node("Sub", g.node("Exp", x), g.constant(1.0)),
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "arcsin": "Asin",
    "arccos": "Acos",
    "arctan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    "erf": "Erf",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
}


def reduce(g: Graph, op: Reduce, x: Value) -> Form:
    """Make one number of many."""
    tensor, order = g.any(x)
    named = range(len(order)) if op.axes is None else op.axes
    if not named:
        return tensor, order
    operator = f"Reduce{_REDUCE[op.function]}"
    places = [order.index(axis) for axis in named]
    kept = tuple(axis for axis in order if op.keepdims or axis not in named)
    ranks = sorted(kept)
    axes = tuple(ranks.index(axis) for axis in kept)
    if op.function == "sum" or g.opset >= 18:
        inputs = (tensor, g.constant(places, "int64"))
        return g.node(operator, *inputs, keepdims=int(op.keepdims)), axes
    return g.node(operator, tensor, axes=places, keepdims=int(op.keepdims)), axes


_REDUCE = {
    "sum": "Sum",
    "mean": "Mean",
    "max": "Max",
    "min": "Min",
    "prod": "Prod",
    "logsumexp": "LogSumExp",
}


def argmax(g: Graph, op: ArgMax, x: Value) -> Form:
    """Look for a place."""
    tensor = g.node(
        "ArgMin" if op.least else "ArgMax",
        g.read(x),
        axis=op.axis,
        keepdims=int(op.keepdims),
        select_last_index=int(op.last),
    )
    return as_float(g, tensor), in_order(len(op.output_shape(x.shape)))


def take(g: Graph, op: Take, x: Value, indices: Value) -> Form:
    """Take slices with given indices."""
    places = as_type(g, g.read(indices), "int64")
    shape = op.output_shape(x.shape, indices.shape)
    return g.node("Gather", g.read(x), places, axis=op.axis), in_order(len(shape))


def compare(g: Graph, op: Compare, x0: Value, x1: Value) -> Form:
    """Say whether a relation holds."""
    tensors = [g.read(x0), g.read(x1)]
    if op.relation.startswith("logical"):
        tensors = [as_type(g, tensor, "bool") for tensor in tensors]
    axes = in_order(len(op.output_shape(x0.shape, x1.shape)))
    if op.relation == "not_equal":
        return as_float(g, g.node("Not", g.node("Equal", *tensors))), axes
    return as_float(g, g.node(_COMPARE[op.relation], *tensors)), axes


_COMPARE = {
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "equal": "Equal",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
}


def where(g: Graph, op: Where, condition: Value, x0: Value, x1: Value) -> Form:
    """Choose one or the other number."""
    chosen = as_type(g, g.read(condition), "bool")
    shape = op.output_shape(condition.shape, x0.shape, x1.shape)
    return g.node("Where", chosen, g.read(x0), g.read(x1)), in_order(len(shape))


def matmul(g: Graph, op: MatMul, x0: Value, x1: Value) -> Form:
    """Multiply matrices."""
    shape = op.output_shape(x0.shape, x1.shape)
    return g.node("MatMul", g.read(x0), g.read(x1)), in_order(len(shape))


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


ARRAYS: dict[str, Callable[..., Form]] = {
    "argmax": argmax,
    "broadcast_to": broadcast_to,
    "cast": cast,
    "clip": clip,
    "compare": compare,
    "elementwise": elementwise,
    "matmul": matmul,
    "reduce": reduce,
    "slice": slice_,
    "take": take,
    "where": where,
}
"""By the operation's name."""

"""Gemm and MatMul."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid import layers
from pellucid.formats.onnx._attributes import UnsupportedError
from pellucid.formats.onnx._batch import Batch
from pellucid.formats.onnx._builder import Call, Value
from pellucid.formats.onnx._layout import Tensor
from pellucid.formats.onnx.operators._table import operator
from pellucid.layers._symbolic import KerasTensor
from pellucid.ops._operation import Array
from pellucid.ops.add import Add
from pellucid.ops.matmul import MatMul
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.transpose import Transpose


@operator("Gemm")
def gemm(call: Call) -> Value:
    """Dense: α · A · B + β · C, where B and C are known; else the products themselves."""
    alpha = call.attributes.number("alpha", 1.0)
    beta = call.attributes.number("beta", 1.0)
    turned = call.attributes.flag("transA", default=False)
    other = call.attributes.flag("transB", default=False)
    call.attributes.ignore("broadcast")
    a, b = call.value(0), call.value(1)
    c = call.value(2) if call.has(2) else None
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise UnsupportedError("it multiplies what are not matrices")
    if (
        isinstance(a, Tensor)
        and not turned
        and not isinstance(b, Tensor)
        and not isinstance(c, Tensor)
        and (c is None or c.size in (1, b.shape[0 if other else 1]))
        and b.size
    ):
        kernel = (b.T if other else b) * np.float32(alpha)
        bias = None if c is None else c.reshape(-1) * np.float32(beta)
        return _dense(call, a, kernel, bias)
    left = _matrix(call, a, turned=turned)
    right = _matrix(call, b, turned=other)
    if left.shape[0] is None and turned:
        raise UnsupportedError("it moves the axis of the batch")
    keras = call.operation(MatMul(), [left, right])
    if alpha != 1:
        keras = call.operation(Rescaling(alpha), [keras])
    if c is not None:
        offset = c if not isinstance(c, Tensor) else call.build.plain(c, call.base).keras
        if isinstance(c, Tensor) and beta != 1:
            offset = call.operation(Rescaling(beta), [offset])
        elif not isinstance(c, Tensor):
            offset = c * np.asarray(beta, c.dtype)
        keras = call.operation(Add(), [keras, offset])
    like = a if isinstance(a, Tensor) else b
    assert isinstance(like, Tensor)  # what is wholly known was multiplied at once
    return call.made(keras, (0, 1), like)


@operator("MatMul")
def matmul(call: Call) -> Value:
    """Dense without a bias, where the second factor is a matrix that is known; else `matmul`."""
    a, b = call.value(0), call.value(1)
    if isinstance(a, Tensor) and not isinstance(b, Tensor) and b.ndim == 2 and len(a.axes) > 1:
        return _dense(call, a, b, None)
    if call.all_constant:
        return call.build.fold(MatMul(), [call.constant(0, "factor"), call.constant(1, "factor")])
    operands = [
        call.build.plain(value, call.base).keras if isinstance(value, Tensor) else value
        for value in (a, b)
    ]
    keras = call.operation(MatMul(), operands)
    like = a if isinstance(a, Tensor) else b
    assert isinstance(like, Tensor)
    return call.made(keras, range(len(keras.shape)), like)


def _dense(call: Call, a: Tensor, kernel: Array, bias: Array | None) -> Tensor:
    """Return the product with a known matrix; its rows go to where the tensor's numbers lie."""
    if len(a.axes) == 2:
        a = call.build.rows(a, call.base)
        kernel = kernel[_places(a)] if kernel.shape[0] == a.shape[1] else kernel
    else:
        a = call.build.plain(a, call.base)
    if a.shape[-1] != kernel.shape[0]:
        raise UnsupportedError(
            f"a matrix of shape {kernel.shape} does not fit an input of shape "
            f"({', '.join(map(str, a.shape))})"
        )
    units = kernel.shape[1]
    name = call.name
    if bias is not None:
        bias = np.broadcast_to(bias, (units,))
    keras, linear = call.build.linear(
        lambda use: layers.Dense(units, use_bias=use, name=name), a.keras, kernel, bias
    )
    return replace(call.made(keras, range(len(a.axes)), a), origin=linear)


def _places(rows: Tensor) -> Array:
    """Return which number of a row, as the file counts them, lies where in memory."""
    axis = rows.axes[1]
    sizes = [atom.size for atom in axis if not isinstance(atom.size, Batch)]
    place = {atom: i for i, atom in enumerate(axis)}
    memory = [atom for atom in rows.order if atom in place]
    numbers = np.arange(int(np.prod(sizes, dtype=np.int64))).reshape(sizes)
    return numbers.transpose([place[atom] for atom in memory]).reshape(-1)


def _matrix(call: Call, value: Value, *, turned: bool) -> KerasTensor | Array:
    """Return a factor as it is multiplied."""
    if not isinstance(value, Tensor):
        return value.T if turned else value
    keras = call.build.plain(value, call.base).keras
    return call.operation(Transpose((1, 0)), [keras]) if turned else keras

"""The checks find what is wrong: operations that each break one promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pellucid.ops._operation import EVERYTHING, Operation
from pellucid.ops._terms import Call, Cell, Product, Sum, cell_of
from pellucid.testing import check_gradients, check_op

X = np.random.default_rng(0).standard_normal((3, 4))


@dataclass(frozen=True)
class Square(Operation):
    """y = x²."""

    name = "square"
    inputs = ("x",)

    def output_shape(self, x):
        return x

    def forward(self, x):
        return x * x

    def backward(self, dy, y, x, *, wrt=EVERYTHING):
        return (2 * x * dy,)

    def terms(self, cell, x):
        return Product((cell_of("x", x, cell), cell_of("x", x, cell)))

    def gradient_terms(self, wrt, cell, dy, y, x):
        once = Product((cell_of("dy", dy, cell), cell_of("x", x, cell)))
        return Sum((once, once))


class WrongShape(Square):
    def output_shape(self, x):
        return (*x[:-1], 1)


class LosesTheBatch(Square):
    def output_shape(self, x):
        return (3, *x[1:])


class WrongGradient(Square):
    def backward(self, dy, y, x, *, wrt=EVERYTHING):
        return (2.001 * x * dy,)


class NoGradient(Square):
    def backward(self, dy, y, x, *, wrt=EVERYTHING):
        return (None,)


class OtherGradientAlone(Square):
    def backward(self, dy, y, x, *, wrt=EVERYTHING):
        return (2 * x * dy * (1 if wrt is EVERYTHING else 2),)


class Widens(Square):
    def forward(self, x):
        return x * x.astype(np.float64)


class ReadsMemoryInOrder(Square):
    def forward(self, x):
        return (x * x).ravel(order="K").reshape(x.shape)


class ChangesItsInput(Square):
    def backward(self, dy, y, x, *, wrt=EVERYTHING):
        result = 2 * x * dy
        x += 1
        return (result,)


class WrongTerms(Square):
    def terms(self, cell, x):
        return cell_of("x", x, cell)


class MadeUpCell(Square):
    def terms(self, cell, x):
        return Cell("x", cell, float(x[cell] ** 2))


class UnknownTensor(Square):
    def terms(self, cell, x):
        return Cell("z", cell, float(x[cell] ** 2))


class NotLinear(Square):
    def gradient_terms(self, wrt, cell, dy, y, x):
        value = 2 * float(x[cell])
        return Call("times", (cell_of("dy", dy, cell),), lambda d: d * value)


def test_right_operation_passes():
    check_op(Square(), [X.copy()])


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (WrongShape, r"output_shape says \(3, 1\), forward gave \(3, 4\)"),
        (LosesTheBatch, "batch of None"),
        (WrongGradient, r"gradient of x\[0, \d\] is wrong: analytic .*, numeric .*, relative"),
        (NoGradient, "no gradient of x"),
        (OtherGradientAlone, "gradient of x alone differs"),
        (Widens, "float32 went in, float64 came out"),
        (ReadsMemoryInOrder, "not contiguous differs"),
        (ChangesItsInput, "backward changed x"),
        (WrongTerms, r"y\[0, 0\] is .*, its terms make"),
        (MadeUpCell, r"says that x\[0, 0\] is"),
        (UnknownTensor, "unknown tensor 'z'"),
        (NotLinear, "not linear in dy"),
    ],
)
def test_broken_promise_is_found(operation, message):
    with pytest.raises(AssertionError, match=message):
        check_op(operation(), [X.copy()])


def test_large_tensors_are_tried_in_one_random_direction():
    calls = []

    def function(x):
        calls.append(1)
        return x**3

    x = np.random.default_rng(1).standard_normal((100, 100))
    check_gradients(function, lambda dy, _, x: (3 * x * x * dy,), [x])
    assert len(calls) == 3
    with pytest.raises(AssertionError, match="in a random direction is wrong"):
        check_gradients(function, lambda dy, _, x: (3.01 * x * x * dy,), [x])


def test_gradient_of_another_shape_is_refused():
    with pytest.raises(AssertionError, match=r"shape \(12,\), expected \(3, 4\)"):
        check_gradients(lambda x: x**2, lambda dy, _, x: ((2 * x * dy).ravel(),), [X], names=["x"])

"""Functions that compute: arithmetic, comparisons, elementary functions, sums and products.

Names and arguments are those of `keras.ops`. Shapes spread to each other as NumPy's do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError
from pellucid.ops._arguments import apply, floats, numbers
from pellucid.ops._array_functions import cast, ravel, reshape
from pellucid.ops._elementwise import ELEMENTWISE
from pellucid.ops._operation import Array
from pellucid.ops._shapes import axes_indices, axis_index
from pellucid.ops._symbolic import Symbolic, function
from pellucid.ops.add import Add
from pellucid.ops.argmax import ArgMax
from pellucid.ops.clip import Clip
from pellucid.ops.compare import Compare
from pellucid.ops.dense import Dense
from pellucid.ops.divide import Divide
from pellucid.ops.elementwise import Elementwise
from pellucid.ops.global_average_pool2d import GlobalAveragePool2D
from pellucid.ops.global_max_pool2d import GlobalMaxPool2D
from pellucid.ops.matmul import MatMul
from pellucid.ops.maximum import Maximum
from pellucid.ops.minimum import Minimum
from pellucid.ops.multiply import Multiply
from pellucid.ops.power import Power
from pellucid.ops.reduce import Reduce
from pellucid.ops.subtract import Subtract
from pellucid.ops.where import Where

Axes = int | Sequence[int] | None
Function = TypeVar("Function", bound=Callable[..., Array])


@function
def add(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 + x2.

    Example:
        >>> add([[1.0, 2.0]], 3)
        array([[4., 5.]], dtype=float32)
    """
    return apply(Add(), *numbers(x1, x2))


@function
def subtract(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 − x2.

    Example:
        >>> subtract([4, 5], 3)
        array([1, 2])
    """
    return apply(Subtract(), *numbers(x1, x2))


@function
def multiply(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 · x2.

    Example:
        >>> multiply([[1.0], [2.0]], [3.0, 4.0])
        array([[3., 4.],
               [6., 8.]], dtype=float32)
    """
    return apply(Multiply(), *numbers(x1, x2))


@function
def maximum(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return the larger of x1 and x2.

    Example:
        >>> maximum([-1.0, 2.0], 0)
        array([0., 2.], dtype=float32)
    """
    return apply(Maximum(), *numbers(x1, x2))


@function
def minimum(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return the smaller of x1 and x2.

    Example:
        >>> minimum([-1.0, 2.0], 0)
        array([-1.,  0.], dtype=float32)
    """
    return apply(Minimum(), *numbers(x1, x2))


@function
def divide(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 / x2.

    Example:
        >>> divide([1, 2], 4)
        array([0.25, 0.5 ], dtype=float32)
    """
    return apply(Divide(), *floats(x1, x2))


@function
def true_divide(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 / x2, as `divide` does."""
    return apply(Divide(), *floats(x1, x2))


@function
def power(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return x1 to the power of x2.

    Example:
        >>> power([1.0, 2.0, 3.0], 2)
        array([1., 4., 9.], dtype=float32)
    """
    return apply(Power(), *numbers(x1, x2))


@function
def matmul(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
    """Return the product of matrices, or of stacks of matrices.

    Example:
        >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
        array([[11.]], dtype=float32)
    """
    first, second = numbers(x1, x2)
    MatMul().output_shape(first.shape, second.shape)
    if first.ndim > 1 and second.ndim == 2 and not isinstance(second, Symbolic):
        return apply(Dense(), first, second, None)  # the same, and there is a kernel for it
    return apply(MatMul(), first, second)


@function
def where(
    condition: npt.ArrayLike, x1: npt.ArrayLike | None = None, x2: npt.ArrayLike | None = None
) -> Array:
    """Return x1 where the condition is true, else x2.

    Raises:
        ArgumentError: x1 or x2 is not given.

    Example:
        >>> where([True, False], 1.0, [2.0, 3.0])
        array([1., 3.], dtype=float32)
    """
    if x1 is None or x2 is None:
        raise ArgumentError("where: expected x1 and x2 beside the condition.")
    return apply(Where(), *numbers(condition), *numbers(x1, x2))


@function
def clip(x: npt.ArrayLike, x_min: float | None, x_max: float | None) -> Array:
    """Return the numbers held between two bounds.

    Example:
        >>> clip([-1.0, 0.5, 9.0], 0, 1)
        array([0. , 0.5, 1. ], dtype=float32)
    """
    for bound in (x_min, x_max):
        if np.ndim(bound):  # type: ignore[arg-type]  # a number or None has no axes
            raise ArgumentError("clip: a bound is one number; for several use maximum and minimum.")
    low, high = (None if n is None else np.asarray(n).item() for n in (x_min, x_max))
    return apply(Clip(low, high), *numbers(x))


# Comparisons: what each gives is in `compare.py`.


def _named(body: Function, name: str, doc: str) -> Function:
    """Return a function on arrays and symbolic tensors, under a name."""
    body.__name__ = body.__qualname__ = name
    body.__doc__ = doc
    return function(body)


def _relation(name: str, formula: str) -> Callable[[npt.ArrayLike, npt.ArrayLike], Array]:
    def compare(x1: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        return apply(Compare(name), *numbers(x1, x2))

    return _named(compare, name, f"Return whether {formula}, number by number.")


greater = _relation("greater", "x1 > x2")
greater_equal = _relation("greater_equal", "x1 ≥ x2")
less = _relation("less", "x1 < x2")
less_equal = _relation("less_equal", "x1 ≤ x2")
equal = _relation("equal", "x1 = x2")
not_equal = _relation("not_equal", "x1 ≠ x2")
logical_and = _relation("logical_and", "both x1 and x2 are other than 0")
logical_or = _relation("logical_or", "x1 or x2, or both, are other than 0")
logical_xor = _relation("logical_xor", "either x1 or x2 is other than 0")


@function
def logical_not(x: npt.ArrayLike) -> Array:
    """Return whether x = 0, number by number.

    Example:
        >>> logical_not([True, False])
        array([False,  True])
    """
    return apply(Compare("equal"), *numbers(x, 0))


# Elementary functions: formula and source of each are in `_elementwise.py`.


def _elementwise(name: str, keras_name: str = "") -> Callable[[npt.ArrayLike], Array]:
    whole = name in ("absolute", "negative", "sign", "square")

    def apply_function(x: npt.ArrayLike) -> Array:
        return apply(Elementwise(name), *(numbers(x) if whole else floats(x)))

    return _named(apply_function, keras_name or name, f"Return {ELEMENTWISE[name].formula}.")


abs = _elementwise("absolute", "abs")
absolute = _elementwise("absolute")
negative = _elementwise("negative")
sign = _elementwise("sign")
reciprocal = _elementwise("reciprocal")
square = _elementwise("square")
sqrt = _elementwise("sqrt")
rsqrt = _elementwise("rsqrt")
log = _elementwise("log")
log1p = _elementwise("log1p")
log2 = _elementwise("log2")
log10 = _elementwise("log10")
expm1 = _elementwise("expm1")
sin = _elementwise("sin")
cos = _elementwise("cos")
tan = _elementwise("tan")
arcsin = _elementwise("arcsin")
arccos = _elementwise("arccos")
arctan = _elementwise("arctan")
sinh = _elementwise("sinh")
cosh = _elementwise("cosh")
arcsinh = _elementwise("arcsinh")
arccosh = _elementwise("arccosh")
arctanh = _elementwise("arctanh")
erf = _elementwise("erf")
floor = _elementwise("floor")
ceil = _elementwise("ceil")


@function
def round(x: npt.ArrayLike, decimals: int = 0) -> Array:
    """Return the nearest number with so many decimals, of two the one whose last digit is even.

    Example:
        >>> round([0.5, 1.5, 2.26], decimals=1)
        array([0.5, 1.5, 2.3], dtype=float32)
    """
    (array,) = floats(x)
    if not decimals:
        return apply(Elementwise("round"), array)
    factor = 10.0**decimals
    return divide(apply(Elementwise("round"), multiply(array, factor)), factor)


# Many numbers made one: the formulas are in `reduce.py`.


@function
def sum(x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the sum, along some axes or all.

    Example:
        >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
        array([4., 6.], dtype=float32)
    """
    (array,) = numbers(x)
    if array.dtype == "bool":
        array = cast(array, "int32")
    return _reduced("sum", array, axis, keepdims)


@function
def mean(x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the mean, along some axes or all.

    Example:
        >>> mean([[1, 2], [3, 4]], axis=0)
        array([2., 3.], dtype=float32)
    """
    return _reduced("mean", floats(x)[0], axis, keepdims)


@function
def max(
    x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False, initial: float | None = None
) -> Array:
    """Return the largest number, along some axes or all.

    Example:
        >>> max([[1.0, 2.0], [3.0, 4.0]], axis=0)
        array([3., 4.], dtype=float32)
    """
    made = _reduced("max", numbers(x)[0], axis, keepdims)
    return made if initial is None else maximum(made, initial)


@function
def min(
    x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False, initial: float | None = None
) -> Array:
    """Return the smallest number, along some axes or all.

    Example:
        >>> min([[1.0, 2.0], [3.0, 4.0]], axis=0)
        array([1., 2.], dtype=float32)
    """
    made = _reduced("min", numbers(x)[0], axis, keepdims)
    return made if initial is None else minimum(made, initial)


@function
def prod(
    x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False, dtype: str | None = None
) -> Array:
    """Return the product, along some axes or all.

    Example:
        >>> prod([[1.0, 2.0], [3.0, 4.0]], axis=0)
        array([3., 8.], dtype=float32)
    """
    (array,) = numbers(x)
    return _reduced("prod", array if dtype is None else cast(array, dtype), axis, keepdims)


@function
def logsumexp(x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return log Σ exp(x), along some axes or all.

    Example:
        >>> logsumexp([0.0, 0.0])
        array(0.6931472, dtype=float32)
    """
    return _reduced("logsumexp", floats(x)[0], axis, keepdims)


@function
def var(x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the variance: the mean square of what differs from the mean, along some axes or all.

    Example:
        >>> var([[1.0, 3.0]])
        array(1., dtype=float32)
    """
    (array,) = floats(x)
    centred = subtract(array, _reduced("mean", array, axis, True))
    return _reduced("mean", square(centred), axis, keepdims)


@function
def std(x: npt.ArrayLike, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the standard deviation: the root of the variance, along some axes or all.

    Example:
        >>> std([[1.0, 3.0]])
        array(1., dtype=float32)
    """
    return sqrt(var(x, axis, keepdims))


@function
def argmax(x: npt.ArrayLike, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return where the largest number is along an axis, or among all; the first of equals.

    Example:
        >>> argmax([[1.0, 3.0, 2.0]], axis=-1)
        array([1], dtype=int32)
    """
    return _place(x, axis, keepdims, least=False)


@function
def argmin(x: npt.ArrayLike, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return where the smallest number is along an axis, or among all; the first of equals.

    Example:
        >>> argmin([[1.0, 3.0, 2.0]], axis=-1)
        array([0], dtype=int32)
    """
    return _place(x, axis, keepdims, least=True)


def _reduced(name: str, array: Array, axis: Axes, keepdims: bool) -> Array:
    axes = None if axis is None else axes_indices(name, axis, array.ndim)
    if array.ndim == 4 and axes == (1, 2) and name in _POOLING:
        return apply(_POOLING[name](bool(keepdims)), array)  # the same, and it has a kernel
    return apply(Reduce(name, axes, bool(keepdims)), array)


_POOLING = {"mean": GlobalAveragePool2D, "max": GlobalMaxPool2D}


def _place(x: npt.ArrayLike, axis: int | None, keepdims: bool, *, least: bool) -> Array:
    (array,) = numbers(x)
    if axis is None:
        place = apply(ArgMax(0, least=least), ravel(array))
        return reshape(place, (1,) * array.ndim) if keepdims else place
    along = axis_index("argmin" if least else "argmax", axis, array.shape)
    return apply(ArgMax(along, bool(keepdims), least), array)

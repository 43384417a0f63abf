"""Checks for operations: whether a gradient is right, and whether an operation keeps its promises.

`check_gradients` compares any gradient, written by hand, with finite differences. `check_op` tries
everything that an `Operation` promises on given inputs. Both are what Pellucid's own tests are made
of, and both raise AssertionError with the place and the two numbers that differ.

Example:
    >>> import numpy as np
    >>> from pellucid.testing import check_gradients
    >>> x = np.array([0.5, -1.0, 2.0])
    >>> check_gradients(lambda x: x**2, lambda dy, y, x: (2 * x * dy,), [x])
    >>> check_gradients(lambda x: x**2, lambda dy, y, x: (3 * x * dy,), [x])
    Traceback (most recent call last):
    ...
    AssertionError: The gradient of x0[0] is wrong: analytic 0.188595..., numeric 0.12573...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from pellucid.ops._operation import Array, Operation
from pellucid.ops._terms import Call, Cell, Constant, Expression, Maximum, Named, Product, Sum

__all__ = ["WEIGHTS", "check_gradients", "check_op"]

WEIGHTS = frozenset(
    {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "alpha", "w"}
)
"""The inputs of Pellucid's operations that are weights, by name: they have no batch axis."""


def check_gradients(
    function: Callable[..., Array],
    backward: Callable[..., Sequence[Array | None]],
    inputs: Sequence[Array | None],
    *,
    names: Sequence[str] | None = None,
    wrt: Sequence[str] | None = None,
    tolerance: float = 1e-6,
    step: float = 1e-5,
    elementwise: int = 200,
    seed: int = 0,
) -> None:
    """Compare the gradients that `backward` gives with central differences of `function`.

    With L = Σ y · dy for a random dy, the derivative of L along a direction v is compared:

        Σ ∂L/∂x · v   against   (L(x + h·v) − L(x − h·v)) / 2h

    For a tensor of up to `elementwise` numbers, v is each unit vector in turn; for a larger one it
    is a single random direction, which costs two calls however large the tensor is. A difference
    is relative to the larger of the two numbers, or to the root mean square of the tensor's
    gradient where that is larger still.

    Args:
        function: Called with the inputs; returns y, of any shape, and has no randomness.
        backward: Called with dy, y and the inputs; returns ∂L/∂input for each, or None.
        inputs: Tensors of double precision, at a point where the function is smooth; None for an
            optional one left out. Those of whole numbers are not differentiated.
        names: What to call the inputs; x0, x1, … by default.
        wrt: The names of the inputs whose gradients to check; by default all that can be.
        tolerance: The largest relative difference that passes.
        step: h, in units of each number's size where that is more than 1.
        elementwise: The largest tensor that is tried number by number.
        seed: Chooses dy and the directions.

    Raises:
        AssertionError: A gradient is missing, has another shape than its input, or differs; the
            message names the input, the index, both numbers and their relative difference.
    """
    names = names or [f"x{i}" for i in range(len(inputs))]
    generator = np.random.default_rng(seed)
    y = function(*inputs)
    dy = generator.standard_normal(np.shape(y))
    gradients = backward(dy, y, *inputs)
    for position, (name, x) in enumerate(zip(names, inputs, strict=True)):
        if x is None or x.dtype.kind != "f" or (wrt is not None and name not in wrt):
            continue
        gradient = gradients[position]
        assert gradient is not None, f"There is no gradient of {name}."
        assert gradient.shape == x.shape, (
            f"The gradient of {name} has shape {gradient.shape}, expected {x.shape}."
        )
        typical = float(np.sqrt(np.mean(np.square(gradient)))) if gradient.size else 0.0
        for where, direction in _directions(x, elementwise, generator):
            analytic = float(np.sum(gradient * direction))
            moved = [
                function(*inputs[:position], x + sign * step * direction, *inputs[position + 1 :])
                for sign in (1, -1)
            ]
            # Subtracted before it is summed up: what does not change then adds no rounding error.
            numeric = float(np.sum(dy * (np.asarray(moved[0], np.float64) - moved[1]))) / (2 * step)
            scale = max(abs(analytic), abs(numeric), typical)
            difference = abs(analytic - numeric) / scale if scale else 0.0
            assert difference <= tolerance, (
                f"The gradient of {name}{where} is wrong: analytic {analytic:.9g}, "
                f"numeric {numeric:.9g}, relative difference {difference:.2g}."
            )


def check_op(
    op: Operation,
    inputs: Sequence[Array | None],
    *,
    weights: Collection[str] = WEIGHTS,
    cells: int = 5,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """Check everything that an operation promises, on inputs of double precision.

    * `output_shape` tells the shape of what `forward` returns, and keeps a batch of None;
    * `backward` agrees with finite differences (see `check_gradients`); constant inputs have no
      gradient; asking for one gradient alone gives the same numbers;
    * single precision stays single, double stays double;
    * how the inputs lie in memory makes no difference, and none of them is changed;
    * `terms` and `gradient_terms` of some cells recombine to the very numbers they explain (to
      1e-12 of the sum of the absolute products), each cell they name holds what they say, and
      gradients are linear in dy.

    Args:
        op: The operation.
        inputs: Its inputs; None for an optional one left out.
        weights: Names of inputs without a batch axis; all others are taken to have one.
        cells: How many cells of the output, and of each gradient, are explained.
        tolerance: The largest relative difference between a gradient and the numeric one.
        seed: Chooses dy, directions and cells.

    Raises:
        AssertionError: A promise is broken; the message says which, where, and how far off.
    """
    names = op.input_names(len(inputs))
    generator = np.random.default_rng(seed)
    present = {n: x for n, x in zip(names, inputs, strict=True) if x is not None}
    wrt = [n for n, x in present.items() if n not in op.constant and x.dtype.kind == "f"]
    originals = {name: x.copy() for name, x in present.items()}

    y = op.forward(*inputs)
    dy = generator.standard_normal(y.shape)
    tensors = {**present, "dy": dy, "y": y}
    originals |= {"dy": dy.copy(), "y": y.copy()}
    gradients = dict(zip(names, op.backward(dy, y, *inputs), strict=True))
    for name, tensor in tensors.items():
        assert np.array_equal(tensor, originals[name]), f"{op}: forward or backward changed {name}."
    _check_shape(op, names, inputs, y, weights)
    check_gradients(
        op.forward,
        op.backward,
        inputs,
        names=names,
        wrt=wrt,
        tolerance=tolerance,
        seed=seed,
    )
    for name, gradient in gradients.items():
        assert (gradient is not None) == (name in wrt), (
            f"{op}: expected {'a' if name in wrt else 'no'} gradient of {name}."
        )
    for name in wrt:
        alone = op.backward(dy, y, *inputs, wrt=frozenset({name}))[names.index(name)]
        _assert_same(op, f"the gradient of {name} alone", alone, gradients[name])
    _check_precision(op, inputs, dy)
    _check_layouts(op, names, inputs, dy, y, gradients)

    for cell in _sample(y.shape, cells, generator):
        _check_terms(f"{op}: y{list(cell)}", op.terms(cell, *inputs), float(y[cell]), tensors)
    for name in wrt:
        gradient = gradients[name]
        assert gradient is not None
        for cell in _sample(gradient.shape, cells, generator):
            what = f"{op}: the gradient of {name}{list(cell)}"
            expression = op.gradient_terms(name, cell, dy, y, *inputs)
            _check_terms(what, expression, float(gradient[cell]), tensors)
            degrees = _degrees(expression)
            assert degrees <= {1}, f"{what} is not linear in dy: it has terms of degree {degrees}."


def _directions(
    x: Array, elementwise: int, generator: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    """Yield (where, direction): each axis of a small tensor, or one random direction."""
    size = np.maximum(np.abs(x), 1.0)
    if x.size > elementwise:
        yield " in a random direction", size * generator.standard_normal(x.shape) / np.sqrt(x.size)
        return
    for index in np.ndindex(x.shape):
        direction = np.zeros_like(x)
        direction[index] = size[index]
        yield str(list(index)) if index else "", direction


def _check_shape(
    op: Operation,
    names: Sequence[str],
    inputs: Sequence[Array | None],
    y: Array,
    weights: Collection[str],
) -> None:
    shapes = [None if x is None else x.shape for x in inputs]
    told = op.output_shape(*shapes)
    assert told == y.shape, f"{op}: output_shape says {told}, forward gave {y.shape}."
    batch = [
        (None, *s[1:]) if s and name not in weights else s
        for name, s in zip(names, shapes, strict=True)
    ]
    if y.ndim and batch != shapes:
        told = op.output_shape(*batch)
        if op.batched:
            right = told == (None, *y.shape[1:])
        else:
            right = len(told) == y.ndim and all(
                n in (None, m) for n, m in zip(told, y.shape, strict=True)
            )
        assert right, f"{op}: with a batch of None, output_shape says {told}."


def _check_precision(op: Operation, inputs: Sequence[Array | None], dy: Array) -> None:
    for dtype in (np.float32, np.float64):
        arrays = [x.astype(dtype) if x is not None and x.dtype.kind == "f" else x for x in inputs]
        y = op.forward(*arrays)
        told = op.output_dtype(*[x.dtype.name for x in arrays if x is not None])
        assert y.dtype == told, f"{op}: {np.dtype(dtype)} went in, {y.dtype} came out, not {told}."
        for gradient in op.backward(dy.astype(dtype), y, *arrays):
            assert gradient is None or gradient.dtype == dtype, (
                f"{op}: {np.dtype(dtype)} went in, a gradient of {gradient.dtype} came out."
            )


def _check_layouts(
    op: Operation,
    names: Sequence[str],
    inputs: Sequence[Array | None],
    dy: Array,
    y: Array,
    gradients: Mapping[str, Array | None],
) -> None:
    for layout in (_columns_first, _every_second):
        arrays = [None if x is None else layout(x) for x in inputs]
        result = op.forward(*arrays)
        _assert_same(op, "y of inputs that are not contiguous", result, y)
        results = op.backward(layout(dy), result, *arrays)
        for name, gradient in zip(names, results, strict=True):
            what = f"the gradient of {name}, of inputs that are not contiguous"
            _assert_same(op, what, gradient, gradients[name])


def _columns_first(x: Array) -> Array:
    """Return x with its first axis running fastest."""
    return np.asfortranarray(x) if x.ndim else x


def _every_second(x: Array) -> Array:
    """Return x as every second number of an array twice as wide, read-only."""
    if not x.ndim:
        return x
    wide = np.repeat(x, 2, axis=-1)[..., ::2]
    wide.flags.writeable = False
    return wide


def _assert_same(op: Operation, what: str, got: Array | None, expected: Array | None) -> None:
    """Assert that two results differ by no more than another order of summation makes them."""
    if got is None or expected is None:
        assert got is expected, f"{op}: {what} is missing."
        return
    scale = max(float(np.max(np.abs(expected), initial=0)), 1e-300)
    difference = float(np.max(np.abs(np.asarray(got, float) - expected), initial=0.0)) / scale
    assert difference <= 1e-12, f"{op}: {what} differs, relatively by {difference:.2g}."


def _sample(
    shape: tuple[int, ...], count: int, generator: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    """Yield up to `count` different cells of a tensor, the first and the last among them."""
    size = int(np.prod(shape))
    chosen = {0, size - 1, *generator.choice(size, min(count, size), replace=False).tolist()}
    for flat in sorted(chosen)[:size]:
        yield tuple(int(i) for i in np.unravel_index(flat, shape))


def _check_terms(
    what: str, expression: Expression, number: float, tensors: Mapping[str, Array]
) -> None:
    for cell in expression.cells():
        assert cell.tensor in tensors, f"{what} names an unknown tensor {cell.tensor!r}."
        real = float(tensors[cell.tensor][cell.index])
        assert real == cell.value, (
            f"{what} says that {cell.tensor}{list(cell.index)} is {cell.value!r}; it is {real!r}."
        )
    difference = abs(expression.value - number)
    assert difference <= 1e-12 * _magnitude(expression), (
        f"{what} is {number!r}, its terms make {expression.value!r}."
    )


def _magnitude(expression: Expression) -> float:
    """Return what the expression would be, were every number in it positive: the error's scale."""
    match expression:
        case Sum(terms):
            return sum(_magnitude(term) for term in terms)
        case Product(factors):
            return float(np.prod([_magnitude(factor) for factor in factors]))
        case Maximum(candidates):
            return max(_magnitude(candidate) for candidate in candidates)
        case Named(_, named):
            return _magnitude(named)
        case Cell() | Constant() | Call():
            return abs(expression.value)


def _degrees(expression: Expression) -> set[int]:
    """Return the degrees in dy of the expression's terms; none for a term that is nothing."""
    match expression:
        case Cell(tensor):
            return {int(tensor == "dy")}
        case Sum(terms):
            return {degree for term in terms for degree in _degrees(term)}
        case Product(factors):
            degrees = {0}
            for factor in factors:
                degrees = {a + b for a in degrees for b in _degrees(factor)}
            return degrees
        case Named(_, named):
            return _degrees(named)
        case Constant(_, value):
            return {0} if value else set()
        case Call() | Maximum():
            # A function of dy that is not a sum or a product is not known to be linear.
            return {2 if any(cell.tensor == "dy" for cell in expression.cells()) else 0}

"""An activation function, applied to each number alone.

    y[i] = f(x[i])        ∂L/∂x[i] = ∂L/∂y[i] · f′(x[i])

| tensor | shape  |
|--------|--------|
| x      | any    |
| y      | as x's |

Formula, derivative, parameters and source of each function are in the table of `_activations.py`.

Source: each function's own, named there; a function behind a weighted sum: McCulloch, Pitts, "A
Logical Calculus of the Ideas Immanent in Nervous Activity", 1943.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, NameLookupError, unknown_name
from pellucid.ops._activations import ALIASES, FUNCTIONS, Function
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid, Operation, Shape
from pellucid.ops._terms import Call, Expression, Product, cell_of


@dataclass(frozen=True, repr=False)
class Activation(Operation):
    """An activation function by name; the module's docstring has the formula.

    A parameter left out has the function's default; one that the function does not have is
    refused. Afterwards, parameters that the function does not have are None.

    Attributes:
        function: "relu", "gelu" …: a name in `FUNCTIONS` or `ALIASES`.
        negative_slope: The slope on the negative side (relu, leaky_relu).
        max_value: Where relu stops rising; None for never.
        threshold: Where relu begins, threshold cuts, or the width of a shrinking function.
        default_value: What threshold puts in the place of what it cuts.
        alpha: The depth of the negative side (elu, selu, celu), or the slope of hard_sigmoid.
        approximate: Whether gelu is the approximation with tanh.
        b: How round the corner of squareplus is.
        beta: What hard_sigmoid is at 0.
        gamma: The slope of selu on the positive side.
    """

    function: str
    negative_slope: float | None = None
    max_value: float | None = None
    threshold: float | None = None
    default_value: float | None = None
    alpha: float | None = None
    approximate: bool | None = None
    b: float | None = None
    beta: float | None = None
    gamma: float | None = None

    name: ClassVar[str] = "activation"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        name = ALIASES.get(self.function, self.function)
        if name not in FUNCTIONS:
            raise unknown_name("activation", self.function, [*FUNCTIONS, *ALIASES])
        object.__setattr__(self, "function", name)
        known = FUNCTIONS[name].parameters
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if field.name not in known:
                if value is not None:
                    has = f"only {', '.join(known)}" if known else "none"
                    raise ArgumentError(
                        f"activation: {name} has no parameter {field.name}; it has {has}."
                    )
                continue
            if value is None:
                value = known[field.name].default
            if value is not None or not known[field.name].optional:
                value = _checked(f"{name}'s {field.name}", value, known[field.name].kind)
            object.__setattr__(self, field.name, value)

    def __repr__(self) -> str:
        given = (f", {name}={value!r}" for name, value in self.parameters.items())
        return f"Activation({self.function!r}{''.join(given)})"

    @property
    def definition(self) -> Function:
        """The function's line in the table: its formula, derivative and source."""
        return FUNCTIONS[self.function]

    @cached_property
    def parameters(self) -> dict[str, float | None]:
        """The parameters of the function, by name."""
        return {name: getattr(self, name) for name in self.definition.parameters}

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        return x

    def forward(self, x: Array) -> Array:
        """Apply f."""
        return self.definition.f(x, **self.parameters)

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return dx = dy · f′(x)."""
        if self.function == "linear":
            return (dy,)
        return (dy * self.definition.derivative(x, y, **self.parameters),)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """The function of the one number."""
        return Call(
            self.function,
            (cell_of("x", x, cell),),
            of_one(partial(self.definition.f, **self.parameters)),
        )

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The gradient behind it, times the slope: 1 is an open gate, 0 a shut one."""
        return Product(
            (
                cell_of("dy", dy, cell),
                Call(f"{self.function}'", (cell_of("x", x, cell),), of_one(self._derivative)),
            )
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every function with its defaults, and the parameters of those that have some."""
        for name in FUNCTIONS:
            if name != "threshold":
                yield _case(cls(name))
        yield _case(cls("threshold", threshold=0.4, default_value=-0.7))
        yield _case(cls("relu", max_value=1.5))
        yield _case(cls("relu", negative_slope=0.3, max_value=1.2, threshold=0.5))
        yield _case(cls("leaky_relu", negative_slope=0.01))
        yield _case(cls("elu", alpha=0.5))
        yield _case(cls("celu", alpha=2.0))
        yield _case(cls("selu", alpha=2.0, gamma=0.5))
        yield _case(cls("hard_sigmoid", alpha=0.2, beta=0.6))
        yield _case(cls("gelu", approximate=True))
        yield _case(cls("squareplus", b=1.0))
        yield _case(cls("hard_shrink", threshold=0.9))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Names and parameters that cannot be."""
        yield Invalid(lambda: cls("rulu"), NameLookupError, "Did you mean 'relu'")
        yield Invalid(lambda: cls("tanh", alpha=1.0), ArgumentError, "no parameter alpha")
        yield Invalid(lambda: cls("relu", max_value=-1.0), ArgumentError, "max_value")
        yield Invalid(lambda: cls("celu", alpha=0.0), ArgumentError, "positive")
        yield Invalid(lambda: cls("elu", alpha=math.nan), ArgumentError, "finite")
        yield Invalid(lambda: cls("threshold", threshold=1.0), ArgumentError, "default_value")

    def _derivative(self, x: Array) -> Array:
        y = self.definition.f(x, **self.parameters)
        return self.definition.derivative(x, y, **self.parameters)


def _checked(what: str, value: object, kind: str) -> float:
    """Return the parameter's value; ArgumentError unless it is of the kind."""
    if kind == "flag":
        if not isinstance(value, bool):
            raise ArgumentError(f"activation: {what} must be True or False, received {value!r}.")
        return value
    wanted = "finite number" if kind == "any" else f"finite {kind} number"
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    result = float(value) if number else math.nan  # type: ignore[arg-type]  # number says so
    too_low = (kind == "nonnegative" and result < 0) or (kind == "positive" and result <= 0)
    if not math.isfinite(result) or too_low:
        raise ArgumentError(f"activation: {what} must be a {wanted}, received {value!r}.")
    return result


def of_one(function: Callable[[Array], Array]) -> Callable[[float], float]:
    """Return the function of arrays as a function of one number."""
    return lambda number: float(function(np.array([number]))[0])


def _case(op: Activation) -> Case:
    """Return the case of one function, with inputs that keep away from its kinks."""
    kinks = op.definition.kinks(**op.parameters)

    def make(generator: np.random.Generator) -> tuple[Array | None, ...]:
        x = 2.5 * generator.standard_normal((3, 4, 2))
        for kink in kinks:
            x = np.where(np.abs(x - kink) < 0.05, kink + 0.1, x)
        return (x,)

    return Case(op, ((3, 4, 2),), make)

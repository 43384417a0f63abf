"""Constraints: what weights are brought back to after every step of training.

    MaxNorm       w · min(‖w‖, max_value) / (ε + ‖w‖)
    UnitNorm      w / (ε + ‖w‖)
    MinMaxNorm    w · (rate · clip(‖w‖, min_value, max_value) + (1 − rate) · ‖w‖) / (ε + ‖w‖)
    NonNeg        max(w, 0)

‖w‖ = √Σw² along `axis`, and ε = 1e-7. The weights that lead to one output have their sum along
axis 0 of a dense layer's kernel, and along [0, 1, 2] of a convolution's.

A layer takes one as `kernel_constraint=` or `bias_constraint=`.

Source: the formulas are Keras'; MaxNorm: Srebro, Shraibman, "Rank, Trace-Norm and Max-Norm", COLT
2005.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config, Registry, snake_case
from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import Array
from pellucid.ops._terms import Call, Constant, Expression, Product

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "serialize",
]

_EPSILON = 1e-7


class Constraint:
    """The base of all constraints: a subclass says what `__call__` makes of the weights.

    Example:
        >>> class AtMostOne(Constraint):
        ...     def __call__(self, w):
        ...         return np.minimum(w, 1)
        >>> from pellucid.layers import Dense
        >>> layer = Dense(2, kernel_constraint=AtMostOne())
    """

    def __call__(self, w: npt.ArrayLike) -> Array:
        """Return what is allowed in place of the weights `w`, in their shape."""
        raise NotImplementedError  # every subclass has its own

    def terms(self, weight: Expression, w: Array, cell: tuple[int, ...]) -> Expression:
        """Return how one number comes about: `weight` is its account, `w` all of the weights."""
        allowed = float(self(w)[cell])
        return Call(snake_case(type(self).__name__), (weight,), lambda _: allowed)

    def get_config(self) -> Config:
        """Return the arguments that make this constraint again."""
        return {}

    @classmethod
    def from_config(cls, config: Config) -> Constraint:
        """Make a constraint from its arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class NonNeg(Constraint):
    """No weight below 0.

    Example:
        >>> NonNeg()([-1.0, 2.0])
        array([0., 2.])
    """

    def __call__(self, w: npt.ArrayLike) -> Array:
        """Return max(w, 0)."""
        return np.maximum(w, 0)


class _Norm(Constraint):
    """What the constraints of norms share: each run of weights along `axis` gets a factor."""

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        axes = axis if isinstance(axis, list | tuple) else [axis]
        if not axes or not all(isinstance(n, int) and not isinstance(n, bool) for n in axes):
            raise ArgumentError(
                f"{type(self).__name__}: axis must be a whole number or a list of them, received "
                f"{axis!r}."
            )
        self.axis = list(axis) if isinstance(axis, tuple) else axis

    def desired(self, norms: Array) -> Array:
        """Return the norms that are allowed in place of these."""
        raise NotImplementedError  # every subclass has its own

    def __call__(self, w: npt.ArrayLike) -> Array:
        """Return the weights with norms that are allowed."""
        array = np.asarray(w)
        return np.asarray(array * self._factors(array))

    def terms(self, weight: Expression, w: Array, cell: tuple[int, ...]) -> Expression:
        """Return the weight times the factor of those that share its norm."""
        factor = float(np.broadcast_to(self._factors(w), w.shape)[cell])
        return Product((weight, Constant(f"{snake_case(type(self).__name__)} factor", factor)))

    def _factors(self, w: Array) -> Array:
        axes = (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        if not all(-w.ndim <= axis < w.ndim for axis in axes):
            raise ShapeError(f"{self!r}: weights of shape {w.shape} do not have such an axis.")
        norms = np.sqrt(np.sum(np.square(w), axis=axes, keepdims=True))
        return np.asarray(self.desired(norms) / (_EPSILON + norms))

    def _require(self, **given: float) -> None:
        for name, value in given.items():
            if not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
                raise ArgumentError(
                    f"{type(self).__name__}: expected {name} as a number of at least 0, received "
                    f"{value!r}."
                )


class MaxNorm(_Norm):
    """No norm above `max_value`.

    Example:
        >>> MaxNorm(1)([[3.0], [4.0]]).round(3)
        array([[0.6],
               [0.8]])
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        super().__init__(axis)
        self._require(max_value=max_value)
        self.max_value = max_value

    def desired(self, norms: Array) -> Array:
        """Return the smaller one of each norm and `max_value`."""
        return np.minimum(norms, self.max_value)

    def get_config(self) -> Config:
        """Return `max_value` and `axis`."""
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(_Norm):
    """Every norm is 1."""

    def desired(self, norms: Array) -> Array:
        """Return 1 for each norm."""
        return np.ones_like(norms)

    def get_config(self) -> Config:
        """Return `axis`."""
        return {"axis": self.axis}


class MinMaxNorm(_Norm):
    """Norms go from `min_value` to `max_value`; with a `rate` below 1 they only move towards it."""

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(axis)
        self._require(min_value=min_value, max_value=max_value, rate=rate)
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate

    def desired(self, norms: Array) -> Array:
        """Return the norms, moved into the limits or towards them."""
        inside = np.minimum(np.maximum(norms, self.min_value), self.max_value)
        return np.asarray(self.rate * inside + (1 - self.rate) * norms)

    def get_config(self) -> Config:
        """Return the limits, `rate` and `axis`."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


_REGISTRY: Registry[Constraint] = Registry(
    "constraint", "keras.constraints", Constraint, ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"]
)


def get(identifier: object) -> Constraint | None:
    """Return the constraint meant by a name ("non_neg"), a configuration, a class or an instance.

    None stays None. NameLookupError if no constraint has that name.
    """
    return None if identifier is None else _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

"""Penalties on weights, added to the loss, that keep the weights small.

    L1: l1 · Σ|w|      pulls every weight towards 0 by the same amount: many become 0
    L2: l2 · Σ w²      pulls each in proportion to its size: all become smaller

A layer takes one as `kernel_regularizer=` or `bias_regularizer=`; its `operation` is what joins
the program that is trained, so that the penalty has gradients like everything else.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config, Registry
from pellucid.errors import ArgumentError
from pellucid.ops import l1_l2 as penalty
from pellucid.ops._operation import Operation

__all__ = ["L1", "L1L2", "L2", "Regularizer", "deserialize", "get", "serialize"]


class Regularizer:
    """The base of all penalties: a subclass says which operation it is."""

    def operation(self) -> Operation:
        """Return the operation that makes the penalty, one number, of a weight of any shape."""
        raise NotImplementedError  # every subclass has its own

    def __call__(self, x: npt.ArrayLike) -> float:
        """Return the penalty of `x`."""
        return float(self.operation().forward(np.asarray(x, float)))

    def get_config(self) -> Config:
        """Return the arguments that make this penalty again."""
        raise NotImplementedError  # every subclass has its own

    @classmethod
    def from_config(cls, config: Config) -> Regularizer:
        """Make a penalty from its arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class L1L2(Regularizer):
    """l1 · Σ|w| + l2 · Σ w².

    Example:
        >>> L1L2(l1=0.5, l2=0.25)([1.0, -2.0])
        2.75
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _strength("l1", 0.0 if l1 is None else l1)
        self.l2 = _strength("l2", 0.0 if l2 is None else l2)

    def operation(self) -> Operation:
        """Return the penalty as an operation."""
        return penalty.L1L2(l1=self.l1, l2=self.l2)

    def get_config(self) -> Config:
        """Return `l1` and `l2`."""
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 · Σ|w|."""

    def __init__(self, l1: float | None = 0.01) -> None:
        # Keras keeps this one, alone of all, in single precision, and writes it so.
        super().__init__(l1=float(np.float32(_strength("l1", 0.01 if l1 is None else l1))))

    def get_config(self) -> Config:
        """Return `l1`."""
        return {"l1": self.l1}


class L2(L1L2):
    """l2 · Σ w²."""

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> Config:
        """Return `l2`."""
        return {"l2": self.l2}


def _strength(name: str, value: float) -> float:
    if not isinstance(value, (int, float, np.number)) or not (0 <= value < math.inf):
        raise ArgumentError(f"Expected {name} as a number of at least 0, received {value!r}.")
    return float(value)


_REGISTRY: Registry[Regularizer] = Registry(
    "regularizer", "keras.regularizers", Regularizer, ["L1", "L2", "L1L2"], {"l1_l2": "L1L2"}
)


def get(identifier: object) -> Regularizer | None:
    """Return the penalty meant by a name ("l2"), a configuration, a class or an instance.

    None stays None. NameLookupError if no penalty has that name.
    """
    return None if identifier is None else _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize
l1, l2, l1_l2 = L1, L2, L1L2

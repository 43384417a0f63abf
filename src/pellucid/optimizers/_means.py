"""Running means, which most optimisers keep: how they change, and the account of it."""

from __future__ import annotations

from pellucid.ops._terms import Constant, Expression, Product, Sum
from pellucid.optimizers._optimizer import MINUS, Array

__all__ = ["mix", "mixed", "move", "moved"]


def mix(mean: Array, new: Array, keep: float) -> None:
    """Set mean := keep · mean + (1 − keep) · new, which is changed on the way."""
    mean *= keep
    new *= 1 - keep
    mean += new


def mixed(name: str, keep: float, mean: Expression, new: Expression) -> Sum:
    """Return keep · mean + (1 − keep) · new; `name` is what `keep` is called."""
    kept = Product((Constant(name, keep), mean))
    return Sum((kept, Product((Constant(f"1 − {name}", 1 - keep), new))))


def move(mean: Array, new: Array, share: float) -> None:
    """Set mean := mean + share · (new − mean), new being changed on the way."""
    new -= mean
    new *= share
    mean += new


def moved(name: str, share: float, mean: Expression, new: Expression) -> Sum:
    """Return mean + share · (new − mean); `name` is what `share` is called."""
    difference = Sum((new, Product((MINUS, mean))))
    return Sum((mean, Product((Constant(name, share), difference))))

"""RMSprop: the gradient divided by the root of the mean of its past squares.

    v := ρ · v + (1 − ρ) · g²
    a := ρ · a + (1 − ρ) · g                 only if `centered`; v − a² is then used in v's place
    s  = rate · g / √(v + ε)
    w := w − s                               or, with momentum,  m := momentum · m + s;  w := w − m

Source: Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012; centred: Graves,
"Generating Sequences With Recurrent Neural Networks", 2013.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum
from pellucid.optimizers._means import mix, mixed
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule.
        rho: ρ, how much of the mean of the squares is kept at each step.
        momentum: The share of the last step that is kept.
        epsilon: ε, added under the root.
        centered: Whether the squares are taken about the mean of the gradients.
        weight_decay: See `Optimizer`, as for all that follow.
        clipnorm: The greatest length of each gradient.
        clipvalue: The greatest size of each number of a gradient.
        global_clipnorm: The greatest length of all gradients together.
        name: The optimiser's name.
        **options: See `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self._require_number("rho", rho)
        self._require_number("momentum", momentum)
        self._require_number("epsilon", epsilon)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Every v, then every m if there is momentum, then every a if centred."""
        wanted = {
            "velocity": True,
            "momentum": self.momentum > 0,
            "average_gradient": self.centered,
        }
        return tuple((slot,) for slot, there in wanted.items() if there)

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change v, m, a and the weights."""
        v = slots["velocity"]
        part, root = scratch
        np.multiply(gradient, gradient, out=part)
        mix(v, part, self.rho)
        if self.centered:
            a = slots["average_gradient"]
            np.copyto(part, gradient)
            mix(a, part, self.rho)
            np.multiply(a, a, out=root)
            np.subtract(v, root, out=root)
            root += self.epsilon
        else:
            np.add(v, self.epsilon, out=root)
        np.sqrt(root, out=root)
        step = np.multiply(gradient, learning_rate, out=part)
        step /= root
        if self.momentum > 0:
            m = slots["momentum"]
            m *= self.momentum
            m += step
            step = m
        weights -= step

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        v = mixed("ρ", self.rho, slots["velocity"], Product((gradient, gradient)))
        new: dict[str, Expression] = {"velocity": v}
        under: tuple[Expression, ...] = (Named("new velocity", v),)
        if self.centered:
            new["average_gradient"] = mixed("ρ", self.rho, slots["average_gradient"], gradient)
            mean = Named("new average_gradient", new["average_gradient"])
            under = (*under, Product((MINUS, mean, mean)))
        root = Call("sqrt", (Sum((*under, Constant("epsilon", self.epsilon))),), math.sqrt)
        above = Product((learning_rate, gradient))
        step: Expression = Call("divide", (above, root), lambda a, b: a / b)
        if self.momentum > 0:
            keep = Constant("momentum", self.momentum)
            new["momentum"] = Sum((Product((keep, slots["momentum"])), step))
            step = Named("new momentum", new["momentum"])
        return Sum((weight, Product((MINUS, step)))), new

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }

"""Adadelta: Adagrad that forgets, with steps in the size of the steps before.

    a := ρ · a + (1 − ρ) · g²
    d  = √(s + ε) / √(a + ε) · g
    s := ρ · s + (1 − ρ) · d²
    w := w − rate · d

Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, 2012, where the rate
is 1; Keras' default is 0.001, with which it learns very slowly.
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

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Adadelta; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule; 1 for the paper's form.
        rho: ρ, how much of the means of the squares is kept at each step.
        epsilon: ε, added under the roots.
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
        rho: float = 0.95,
        epsilon: float = 1e-7,
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
        self._require_number("epsilon", epsilon)
        self.rho = rho
        self.epsilon = epsilon

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Of each variable the mean of the gradients' squares, and of the steps'."""
        return (("accumulated_grad", "accumulated_delta_var"),)

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change both means and the weights."""
        a, s = slots["accumulated_grad"], slots["accumulated_delta_var"]
        change, root = scratch
        np.multiply(gradient, gradient, out=change)
        mix(a, change, self.rho)
        np.sqrt(np.add(s, self.epsilon, out=change), out=change)
        change *= gradient
        change /= np.sqrt(np.add(a, self.epsilon, out=root), out=root)
        mix(s, np.multiply(change, change, out=root), self.rho)
        weights -= np.multiply(change, learning_rate, out=change)

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        a = mixed("ρ", self.rho, slots["accumulated_grad"], Product((gradient, gradient)))
        above = Product((self._root(slots["accumulated_delta_var"]), gradient))
        size = self._root(Named("new accumulated_grad", a))
        step = Named("d", Call("divide", (above, size), lambda x, y: x / y))
        s = mixed("ρ", self.rho, slots["accumulated_delta_var"], Product((step, step)))
        new = Sum((weight, Product((MINUS, learning_rate, step))))
        return new, {"accumulated_grad": a, "accumulated_delta_var": s}

    def _root(self, mean: Expression) -> Call:
        return Call("sqrt", (Sum((mean, Constant("epsilon", self.epsilon))),), math.sqrt)

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}

"""Adamax: Adam with the largest past gradient in place of the root of the mean square.

    m := m + (1 − β₁) · (g − m)
    u := max(β₂ · u, |g|)
    w := w − rate / (1 − β₁ᵗ) · m / (u + ε)       t = 1 at the first step

Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 7.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.ops._terms import Call, Constant, Expression, Maximum, Named, Product, Sum
from pellucid.optimizers._means import move, moved
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Adamax; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule.
        beta_1: β₁, how much of the mean of the gradients is kept at each step.
        beta_2: β₂, how much of the largest gradient's size is kept.
        epsilon: ε, added below the fraction.
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
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self._require_number("beta_1", beta_1, below=1)
        self._require_number("beta_2", beta_2)
        self._require_number("epsilon", epsilon)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Of each variable m and u."""
        return (("momentum", "norm"),)

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change m, u and the weights."""
        m, u = slots["momentum"], slots["norm"]
        change, size = scratch
        np.copyto(change, gradient)
        move(m, change, 1 - self.beta_1)
        u *= self.beta_2
        np.maximum(u, np.abs(gradient, out=size), out=u)
        np.add(u, self.epsilon, out=size)
        np.multiply(m, learning_rate / (1 - self.beta_1 ** (self.iterations + 1)), out=change)
        weights -= np.divide(change, size, out=change)

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        t = self.iterations + 1
        m = moved("1 − β₁", 1 - self.beta_1, slots["momentum"], gradient)
        kept = Product((Constant("β₂", self.beta_2), slots["norm"]))
        u = Maximum((kept, Call("abs", (gradient,), abs)))
        rate = Product((learning_rate, Constant(f"1 / (1 − β₁^{t})", 1 / (1 - self.beta_1**t))))
        above = Product((rate, Named("new momentum", m)))
        below = Sum((Named("new norm", u), Constant("epsilon", self.epsilon)))
        step = Call("divide", (above, below), lambda x, y: x / y)
        return Sum((weight, Product((MINUS, step)))), {"momentum": m, "norm": u}

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }

"""Nadam: Adam whose momentum looks ahead, as Nesterov's does.

    m := m + (1 − β₁) · (g − m)
    v := v + (1 − β₂) · (g² − v)
    uₜ = β₁ · (1 − ½ · 0.96ᵗ)                     t = 1 at the first step
    n  = uₜ₊₁ · m / (1 − u₁ ⋯ uₜ₊₁) + (1 − uₜ) · g / (1 − u₁ ⋯ uₜ)
    w := w − rate · n / (√(v / (1 − β₂ᵗ)) + ε)

Source: Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum
from pellucid.optimizers._means import move, moved
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["Nadam"]


class Nadam(Optimizer):
    """Nadam; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule.
        beta_1: β₁, how much of the mean of the gradients is kept at each step.
        beta_2: β₂, how much of the mean of their squares is kept.
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
        self._require_number("beta_2", beta_2, below=1)
        self._require_number("epsilon", epsilon)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._multiplied = 0, 1.0

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Of each variable m and v."""
        return (("momentum", "velocity"),)

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change m, v and the weights."""
        ahead, now, size = self._shares()
        m, v = slots["momentum"], slots["velocity"]
        change, root = scratch
        np.copyto(change, gradient)
        move(m, change, 1 - self.beta_1)
        move(v, np.multiply(gradient, gradient, out=change), 1 - self.beta_2)
        np.multiply(m, ahead, out=change)
        change += np.multiply(gradient, now, out=root)
        change *= learning_rate
        np.sqrt(np.multiply(v, size, out=root), out=root)
        root += self.epsilon
        weights -= np.divide(change, root, out=change)

    def _shares(self) -> tuple[float, float, float]:
        """What m, g and v are multiplied with in this step."""
        t = self.iterations + 1
        product, ahead = self._product(t), self._weight(t + 1)
        now = (1 - self._weight(t)) / (1 - product)
        return ahead / (1 - product * ahead), now, 1 / (1 - self.beta_2**t)

    def _product(self, t: int) -> float:
        """u₁ ⋯ uₜ."""
        done, product = self._multiplied
        if done > t:
            done, product = 0, 1.0
        for step in range(done + 1, t + 1):
            product *= self._weight(step)
        self._multiplied = t, product
        return product

    def derived_state(self) -> list[tuple[str, Array]]:
        """Return u₁ ⋯ uₜ, which Keras calls no more than a variable."""
        return [("variable", np.array(self._product(self.iterations), np.float32))]

    def _weight(self, step: int) -> float:
        """uₜ."""
        return self.beta_1 * (1 - 0.5 * 0.96**step)

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        t = self.iterations + 1
        ahead, now, size = self._shares()
        m = moved("1 − β₁", 1 - self.beta_1, slots["momentum"], gradient)
        squared = Product((gradient, gradient))
        v = moved("1 − β₂", 1 - self.beta_2, slots["velocity"], squared)
        share = Constant(f"u{t + 1} / (1 − u1 ⋯ u{t + 1})", ahead)
        looked = Product((share, Named("new momentum", m)))
        here = Product((Constant(f"(1 − u{t}) / (1 − u1 ⋯ u{t})", now), gradient))
        above = Product((learning_rate, Named("n", Sum((looked, here)))))
        corrected = Product((Named("new velocity", v), Constant(f"1 / (1 − β₂^{t})", size)))
        root = Call("sqrt", (corrected,), math.sqrt)
        below = Sum((root, Constant("epsilon", self.epsilon)))
        step = Call("divide", (above, below), lambda x, y: x / y)
        return Sum((weight, Product((MINUS, step)))), {"momentum": m, "velocity": v}

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }

"""Adagrad: each weight's rate falls with the squares of all its past gradients.

    a := a + g²                            a begins at `initial_accumulator_value`
    w := w − rate · g / √(a + ε)

Source: Duchi, Hazan, Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
Optimization", JMLR 12, 2011; ε is under the root as in Keras.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adagrad; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule.
        initial_accumulator_value: What the sum of the squares begins at.
        epsilon: ε, added under the root.
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
        initial_accumulator_value: float = 0.1,
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
        self._require_number("initial_accumulator_value", initial_accumulator_value)
        self._require_number("epsilon", epsilon)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Of each variable the sum of the squares."""
        return (("accumulator",),)

    def slot_start(self, slot: str) -> float:
        """Return what the sum of the squares begins at."""
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change the sum and the weights."""
        a = slots["accumulator"]
        change, root = scratch
        a += np.multiply(gradient, gradient, out=root)
        np.sqrt(np.add(a, self.epsilon, out=root), out=root)
        np.multiply(gradient, learning_rate, out=change)
        weights -= np.divide(change, root, out=change)

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        a = Sum((slots["accumulator"], Product((gradient, gradient))))
        under = Sum((Named("new accumulator", a), Constant("epsilon", self.epsilon)))
        above = Product((learning_rate, gradient))
        step = Call("divide", (above, Call("sqrt", (under,), math.sqrt)), lambda x, y: x / y)
        return Sum((weight, Product((MINUS, step)))), {"accumulator": a}

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }

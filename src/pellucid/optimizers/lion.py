"""Lion: steps of one size, in the direction that gradient and momentum agree on.

    c  = β₁ · m + (1 − β₁) · g
    w := w − rate · sign(c)                       sign(0) = 0
    m := β₂ · m + (1 − β₂) · g

Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.errors import ArgumentError
from pellucid.ops._terms import Call, Expression, Product, Sum
from pellucid.optimizers._means import mix, mixed
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["Lion"]


class Lion(Optimizer):
    """Lion; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule; a third to a tenth of Adam's.
        beta_1: β₁, how much the momentum counts in the direction.
        beta_2: β₂, how much of the momentum is kept at each step.
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
        beta_2: float = 0.99,
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
        if not 0 < beta_1 <= 1:
            raise ArgumentError(
                f"{self.name}: expected beta_1 above 0 and at most 1, received {beta_1!r}."
            )
        self._require_number("beta_2", beta_2)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Of each variable m."""
        return (("momentum",),)

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change the weights, and then m."""
        m = slots["momentum"]
        direction, part = scratch
        np.multiply(m, self.beta_1, out=direction)
        direction += np.multiply(gradient, 1 - self.beta_1, out=part)
        np.sign(direction, out=direction)
        weights -= np.multiply(direction, learning_rate, out=direction)
        np.copyto(part, gradient)
        mix(m, part, self.beta_2)

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        direction = mixed("β₁", self.beta_1, slots["momentum"], gradient)
        sign = Call("sign", (direction,), lambda c: float(np.sign(c)))
        m = mixed("β₂", self.beta_2, slots["momentum"], gradient)
        return Sum((weight, Product((MINUS, learning_rate, sign)))), {"momentum": m}

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}

"""Adam: each weight has a rate of its own, from the mean and the size of its past gradients.

    m := m + (1 − β₁) · (g − m)            the mean of the gradients
    v := v + (1 − β₂) · (g² − v)           the mean of their squares
    α  = rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ)     undoes that m and v began at 0; t = 1 at the first step
    w := w − α · m / (√v + ε)

With `amsgrad`, √v is replaced by the root of the largest v so far. AdamW is Adam with weight decay
by default: w := w − w · weight_decay · rate, before the above and apart from m and v.

Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015 (the last form of its
section 2, as in Keras: ε is added to √v, which is not corrected); Reddi, Kale, Kumar, "On the
Convergence of Adam and Beyond", ICLR 2018; Loshchilov, Hutter, "Decoupled Weight Decay
Regularization", ICLR 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.ops._terms import Call, Constant, Expression, Maximum, Named, Product, Sum
from pellucid.optimizers._means import move, moved
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule.
        beta_1: β₁, how much of the mean of the gradients is kept at each step.
        beta_2: β₂, how much of the mean of their squares is kept.
        epsilon: ε, added below the fraction.
        amsgrad: Whether the size of past gradients is never forgotten.
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
        amsgrad: bool = False,
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
        self.amsgrad = amsgrad

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """Of each variable m and v, then of each the largest v if it is kept."""
        return (("momentum", "velocity"), *((("velocity_hat",),) if self.amsgrad else ()))

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change m, v and the weights."""
        t = self.iterations + 1
        alpha = learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m, v = slots["momentum"], slots["velocity"]
        change, root = scratch
        np.copyto(change, gradient)
        move(m, change, 1 - self.beta_1)
        move(v, np.multiply(gradient, gradient, out=change), 1 - self.beta_2)
        if self.amsgrad:
            v = np.maximum(slots["velocity_hat"], v, out=slots["velocity_hat"])
        np.sqrt(v, out=root)
        root += self.epsilon
        np.multiply(m, alpha, out=change)
        change /= root
        weights -= change

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        t = self.iterations + 1
        correction = math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m = moved("1 − β₁", 1 - self.beta_1, slots["momentum"], gradient)
        squared = Product((gradient, gradient))
        v = moved("1 − β₂", 1 - self.beta_2, slots["velocity"], squared)
        new: dict[str, Expression] = {"momentum": m, "velocity": v}
        size: Expression = Named("new velocity", v)
        if self.amsgrad:
            new["velocity_hat"] = Maximum((slots["velocity_hat"], size))
            size = Named("new velocity_hat", new["velocity_hat"])
        rate = Product((learning_rate, Constant(f"√(1 − β₂^{t}) / (1 − β₁^{t})", correction)))
        above = Product((Named("alpha", rate), Named("new momentum", m)))
        below = Sum((Call("sqrt", (size,), math.sqrt), Constant("epsilon", self.epsilon)))
        step = Call("divide", (above, below), lambda a, b: a / b)
        return Sum((weight, Product((MINUS, step)))), new

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """Adam with weight decay, 0.004 by default, kept apart from the gradients.

    Args:
        learning_rate: A number, or a schedule.
        weight_decay: The share of each weight, times the rate, taken off it at each step.
        beta_1: See `Adam`, as for all that follow.
        beta_2: How much of the mean of the squares is kept.
        epsilon: Added below the fraction.
        amsgrad: Whether the size of past gradients is never forgotten.
        clipnorm: The greatest length of each gradient.
        clipvalue: The greatest size of each number of a gradient.
        global_clipnorm: The greatest length of all gradients together.
        name: The optimiser's name.
        **options: See `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            name,
            **options,
        )
        self._require_number("weight_decay", weight_decay)

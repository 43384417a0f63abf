"""Stochastic gradient descent, with momentum if wanted.

    plain      w := w − rate · g
    momentum   m := momentum · m − rate · g        w := w + m
    Nesterov   m as above                          w := w + momentum · m − rate · g

Source: Robbins, Monro, 1951; momentum: Polyak, 1964; Nesterov's: Sutskever, Martens, Dahl, Hinton,
"On the importance of initialization and momentum in deep learning", ICML 2013.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._registry import Config
from pellucid.errors import ArgumentError
from pellucid.ops._terms import Constant, Expression, Named, Product, Sum
from pellucid.optimizers._optimizer import MINUS, Array, Optimizer, Slots
from pellucid.optimizers.schedules import LearningRateSchedule

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent; the module's docstring has the formulas.

    Args:
        learning_rate: A number, or a schedule.
        momentum: The share of the last step that is kept, from 0 to 1.
        nesterov: Whether the momentum looks ahead.
        weight_decay: See `Optimizer`, as for all that follow.
        clipnorm: The greatest length of each gradient.
        clipvalue: The greatest size of each number of a gradient.
        global_clipnorm: The greatest length of all gradients together.
        name: The optimiser's name.
        **options: See `Optimizer`.

    Example:
        >>> import numpy as np
        >>> from pellucid.graph import Variable
        >>> weight = Variable([1.0, 2.0])
        >>> SGD(learning_rate=0.5).apply([np.array([1.0, -1.0], "float32")], [weight])
        >>> weight.value
        array([0.5, 2.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if not 0 <= momentum <= 1:
            raise ArgumentError(
                f"{self.name}: expected momentum from 0 to 1, received {momentum!r}."
            )
        self.momentum = float(momentum)
        self.nesterov = nesterov

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """One slot, and only with momentum."""
        return (("momentum",),) if self.momentum else ()

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change the weights, and the momentum if there is one."""
        step = np.multiply(gradient, learning_rate, out=scratch[0])
        if not self.momentum:
            weights -= step
            return
        m = slots["momentum"]
        m *= self.momentum
        m -= step
        if self.nesterov:
            ahead = np.multiply(m, self.momentum, out=scratch[1])
            ahead -= step
            weights += ahead
        else:
            weights += m

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of one number's step."""
        step = Product((MINUS, learning_rate, gradient))
        if not self.momentum:
            return Sum((weight, step)), {}
        keep = Constant("momentum", self.momentum)
        m = Sum((Product((keep, slots["momentum"])), step))
        named = Named("new momentum", m)
        if self.nesterov:
            return Sum((weight, Product((keep, named)), step)), {"momentum": m}
        return Sum((weight, named)), {"momentum": m}

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}

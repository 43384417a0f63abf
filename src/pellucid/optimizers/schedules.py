"""Learning rates that change with the step.

Each is a function of the number of steps already made (0 at the first), given to an optimiser in
place of a number: `SGD(learning_rate=CosineDecay(0.1, decay_steps=1000))`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid._registry import Config, Registry
from pellucid.errors import ArgumentError

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule:
    """The base of all schedules: a subclass defines `__call__(step)`."""

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        raise NotImplementedError  # every subclass has its own

    def get_config(self) -> Config:
        """Return the arguments that make this schedule again."""
        raise NotImplementedError  # every subclass has its own

    @classmethod
    def from_config(cls, config: Config) -> LearningRateSchedule:
        """Make a schedule from its arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items() if k != "name")
        return f"{type(self).__name__}({arguments})"


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate · decay_rate^(step / decay_steps); whole powers if `staircase`.

    Example:
        >>> rate = ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
        >>> rate(0), rate(200)
        (0.1, 0.025)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        return self.initial_learning_rate * float(self.decay_rate ** self._progress(step))

    def _progress(self, step: int) -> float:
        return step // self.decay_steps if self.staircase else step / self.decay_steps

    def get_config(self) -> Config:
        """Return the arguments that make this schedule again."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """initial_learning_rate / (1 + decay_rate · step / decay_steps); in steps if `staircase`."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        return self.initial_learning_rate / (1 + self.decay_rate * self._progress(step))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and including step boundaries[0], values[1] up to boundaries[1], and so on.

    Example:
        >>> rate = PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])
        >>> rate(10), rate(11), rate(21)
        (0.1, 0.01, 0.001)
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        if len(boundaries) != len(values) - 1 or not boundaries:
            raise ArgumentError(
                f"PiecewiseConstantDecay: expected at least one boundary, and one value more than "
                f"boundaries, received {len(boundaries)} boundaries and {len(values)} values."
            )
        if list(boundaries) != sorted(boundaries):
            raise ArgumentError(
                f"PiecewiseConstantDecay: expected ascending boundaries, received {boundaries}."
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        return float(self.values[sum(step > boundary for boundary in self.boundaries)])

    def get_config(self) -> Config:
        """Return the arguments that make this schedule again."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """(initial − end) · (1 − step / decay_steps)^power + end, and `end` from decay_steps on.

    With `cycle`, decay_steps is instead stretched to its next multiple whenever step passes it, so
    that the rate rises again and falls from there.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        length: float = self.decay_steps
        if self.cycle:
            length *= max(1, math.ceil(step / self.decay_steps))
        left = 1 - min(step, length) / length
        span = self.initial_learning_rate - self.end_learning_rate
        return span * float(left**self.power) + self.end_learning_rate

    def get_config(self) -> Config:
        """Return the arguments that make this schedule again."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class CosineDecay(LearningRateSchedule):
    """Half a cosine wave from the initial rate down to `alpha` times it, after a linear warm-up.

        rate = start · ((1 − alpha) · (1 + cos(π · step / decay_steps)) / 2 + alpha)

    Without `warmup_target`, start is `initial_learning_rate`. With it, the rate first rises in a
    straight line from `initial_learning_rate` to `warmup_target` over `warmup_steps`, and the
    cosine starts from there, its steps counted from the end of the warm-up.

    Source: Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017;
    the warm-up: Goyal et al., "Accurate, Large Minibatch SGD", 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            start = self.warmup_target
            step -= self.warmup_steps
        done = min(step, self.decay_steps) / self.decay_steps
        return start * _cosine(done, self.alpha)

    def get_config(self) -> Config:
        """Return the arguments that make this schedule again."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay that starts again, each period `t_mul` times as long and `m_mul` as high.

    Source: Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        if not t_mul >= 1:
            raise ArgumentError(
                f"CosineDecayRestarts: expected t_mul of at least 1, received {t_mul}."
            )
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive("first_decay_steps", first_decay_steps)
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps."""
        left, length, height = float(step), float(self.first_decay_steps), 1.0
        if self.t_mul == 1:
            periods, left = divmod(left, length)
            height = self.m_mul**periods
        else:
            while left >= length:
                left, length, height = left - length, length * self.t_mul, height * self.m_mul
        return self.initial_learning_rate * _cosine(left / length, self.alpha, height)

    def get_config(self) -> Config:
        """Return the arguments that make this schedule again."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def _cosine(done: float, alpha: float, height: float = 1.0) -> float:
    return (1 - alpha) * height * 0.5 * (1 + math.cos(math.pi * done)) + alpha


def _positive(name: str, steps: int) -> int:
    if not steps > 0:
        raise ArgumentError(f"Expected {name} to be positive, received {steps!r}.")
    return steps


_REGISTRY: Registry[LearningRateSchedule] = Registry(
    "learning rate schedule",
    "keras.optimizers.schedules",
    LearningRateSchedule,
    [
        "CosineDecay",
        "CosineDecayRestarts",
        "ExponentialDecay",
        "InverseTimeDecay",
        "PiecewiseConstantDecay",
        "PolynomialDecay",
    ],
)

serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize

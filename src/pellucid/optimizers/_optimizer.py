"""What every optimiser does: the step's order, clipping, weight decay, the state and its names.

One step, as in Keras 3:

1. gradients are clipped, if clipping was asked for;
2. weights decay: w := w − w · weight_decay · rate;
3. the optimiser's own rule changes the weights and its slots (momentum, velocity …);
4. the iteration counter goes up by one.

Arithmetic is in the weights' own type, in place, some thousand numbers at a time so that they
stay in the processor's cache from the first operation of the rule to the last.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config, snake_case
from pellucid.errors import (
    ArgumentError,
    NonFiniteError,
    NotBuiltError,
    ShapeError,
    TypeMismatchError,
)
from pellucid.graph.variable import Variable, aligned, realigned
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum
from pellucid.optimizers import schedules

__all__ = ["MINUS", "Array", "Optimizer", "Slots"]

Array = npt.NDArray[Any]
Slots = Mapping[str, Array]

MINUS = Constant("−1", -1.0)
"""The sign of what is taken away, in accounts."""

_CHUNK = 32768
"""Numbers at a time: weights, gradient, slots and scratch together fit a second-level cache."""

_NOT_OFFERED: Config = {
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""Options of Keras' that are written to files with these values, and may have no others."""


class Optimizer:
    """The base of all optimisers: a subclass names its slots and defines `update_step`.

    Args:
        learning_rate: A number, or a schedule: a function of the steps already made.
        weight_decay: The share of each weight, times the rate, taken off it at each step.
        clipnorm: The greatest length √Σg² of each variable's gradient; longer ones are shortened.
        clipvalue: The greatest size of each number of a gradient.
        global_clipnorm: The greatest length of all gradients taken together.
        name: The optimiser's name; by default its class's in snake_case.
        use_ema: Whether to keep a running mean of each variable, which takes the variable's place
            when `fit` ends: average := ema_momentum · average + (1 − ema_momentum) · w.
        ema_momentum: How much of the running means is kept at each step.
        ema_overwrite_frequency: After so many steps each, the means take the variables' places
            while training goes on; None for never.
        **options: Options of Keras' that are not offered here, with the values that are.

    Attributes:
        iterations: How many steps were made.

    Raises:
        ArgumentError: more than one kind of clipping, or an option that is not offered.
    """

    def __init__(
        self,
        learning_rate: float | schedules.LearningRateSchedule,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        **options: object,
    ) -> None:
        self.name = name or snake_case(type(self).__name__)
        for option, value in options.items():
            if option not in _NOT_OFFERED:
                raise ArgumentError(f"{self.name}: there is no option {option!r}.")
            if value != _NOT_OFFERED[option]:
                raise ArgumentError(
                    f"{self.name}: {option}={value!r} is not offered; leave it out or give "
                    f"{_NOT_OFFERED[option]!r}."
                )
        clipping = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
        }
        given = [f"{k}={v}" for k, v in clipping.items() if v is not None]
        if len(given) > 1:
            raise ArgumentError(
                f"{self.name}: expected at most one of clipnorm, clipvalue and global_clipnorm, "
                f"received {' and '.join(given)}."
            )
        for option, amount in (*clipping.items(), ("weight_decay", weight_decay)):
            if amount is not None:
                self._require_number(option, amount)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self._require_number("ema_momentum", ema_momentum)
        often = ema_overwrite_frequency
        if ema_momentum > 1 or not (often is None or (isinstance(often, int) and often >= 1)):
            raise ArgumentError(
                f"{self.name}: expected ema_momentum from 0 to 1 and ema_overwrite_frequency as a "
                f"whole number of at least 1 or None, received {ema_momentum!r} and {often!r}."
            )
        self.use_ema = bool(use_ema)
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = often
        self.iterations = 0
        self.built = False
        self._schedule: schedules.LearningRateSchedule | None = None
        self._rate = np.float32(0)
        if isinstance(learning_rate, schedules.LearningRateSchedule):
            self._schedule = learning_rate
        else:
            self.learning_rate = learning_rate
        self._excluded: set[int] = set()
        self._excluded_names: re.Pattern[str] | None = None
        self._trained: list[Variable] = []
        self._slots: dict[int, dict[str, Array]] = {}
        self._scratch: dict[np.dtype[Any], Array] = {}

    @property
    def learning_rate(self) -> float:
        """The rate of the next step; may be set, unless it follows a schedule."""
        if self._schedule is not None:
            return float(self._schedule(self.iterations))
        return float(self._rate)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        if self._schedule is not None:
            raise TypeMismatchError(
                f"{self.name}: the learning rate follows {self._schedule!r} and cannot be set. "
                "Make the optimizer with a number to be able to."
            )
        try:
            value = np.float32(-1 if isinstance(rate, str | bytes) else rate)
        except (TypeError, ValueError):
            value = np.float32(-1)
        if not 0 <= value < math.inf:
            raise ArgumentError(
                f"{self.name}: expected learning_rate as a number of at least 0 or a "
                f"LearningRateSchedule, received {rate!r}."
            )
        self._rate = value

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle needs; slots follow their variables, not addresses."""
        slots = [(v, self._slots[id(v)]) for v in self._trained if id(v) in self._slots]
        excluded = [v for v in self._trained if id(v) in self._excluded]
        return self.__dict__ | {"_slots": slots, "_excluded": excluded, "_scratch": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._slots = {
            id(variable): {slot: realigned(array) for slot, array in slots.items()}
            for variable, slots in state["_slots"]
        }
        self._excluded = {id(variable) for variable in state["_excluded"]}

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the slots for `variables`; does nothing the second time."""
        if self.built:
            return
        self._trained = list(variables)
        for variable in self._trained:
            self._slots[id(variable)] = self.new_slots(variable.shape, variable.dtype)
        self.built = True

    def require(self, variables: Iterable[Variable]) -> None:
        """Raise ArgumentError if one of `variables` is not what the optimiser was built with."""
        for variable in variables:
            if id(variable) not in self._slots:
                raise ArgumentError(
                    f"{self.name}: {variable.path} is not among the variables that the optimizer "
                    "was built with. Use a new optimizer (compile again) for other variables."
                )

    @property
    def variables(self) -> list[tuple[str, Array]]:
        """The optimiser's state as (name, array), in the order in which Keras saves it."""
        state = [("iteration", np.array(self.iterations, np.int32))]
        if self._schedule is None:
            state.append(("learning_rate", np.array(self._rate)))
        return state + list(self._named_slots()) + self.derived_state()

    def set_variables(self, arrays: Sequence[npt.ArrayLike]) -> None:
        """Take over a state in the order of `variables`.

        Raises:
            ShapeError: the arrays are not as many, or not of the shapes, that they should be;
                nothing is then changed.
        """
        expected = self.variables
        given = [np.asarray(array) for array in arrays]
        if len(given) != len(expected):
            hint = "" if self.built else " The optimizer has no slots yet: call build() first."
            raise ShapeError(
                f"{self.name}: expected {len(expected)} arrays of state, received {len(given)}."
                + hint
            )
        for (name, old), new in zip(expected, given, strict=True):
            if old.shape != new.shape:
                raise ShapeError(
                    f"{self.name}: expected {name} of shape {old.shape}, received {new.shape}."
                )
        self.iterations = int(given[0])
        if self._schedule is None:
            self.learning_rate = float(given[1])
        first = 2 if self._schedule is None else 1
        for (_, slot), new in zip(self._named_slots(), given[first:], strict=False):
            slot[...] = new

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay: those given, and those whose name contains a word.

        Raises:
            ArgumentError: the optimiser is built already.

        Example:
            >>> from pellucid.optimizers import AdamW
            >>> AdamW().exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        """
        if self.built:
            raise ArgumentError(
                f"{self.name}: exclude_from_weight_decay() must come before the optimizer is "
                "built, that is before the first step."
            )
        self._excluded = {id(variable) for variable in var_list or ()}
        words = sorted(set(var_names or ()))
        self._excluded_names = re.compile("|".join(words)) if words else None

    def apply(
        self, gradients: Sequence[Array | None], variables: Sequence[Variable] | None = None
    ) -> None:
        """Make one step, in place.

        Args:
            gradients: A gradient for each variable, of its shape; None for one to be left alone.
            variables: The variables; by default those the optimiser was built with. At the first
                call they build it.

        Raises:
            NonFiniteError: a gradient holds NaN or infinity; no weight and no slot was changed.
            ShapeError: a gradient does not have its variable's shape.
            ArgumentError: the numbers of gradients and variables differ, a variable is new to the
                optimiser, or every gradient is None.
            NotBuiltError: neither `variables` now, nor `build` before.
        """
        if variables is None:
            if not self.built:
                raise NotBuiltError(f"{self.name}: give the variables, or call build() first.")
            variables = self._trained
        self.build(variables)
        pairs = self._checked(gradients, variables)
        norms = self.clipping_norms([gradient for gradient, _ in pairs])
        rate = self.learning_rate
        for norm, (gradient, variable) in zip(norms, pairs, strict=True):
            slots = self._slots[id(variable)]
            self._advance(variable, variable.value, gradient, slots, rate, norm)
        self.finish_step(variable for _, variable in pairs)

    def finish_step(self, variables: Iterable[Variable]) -> None:
        """Bring variables that were changed back to what is allowed, and count the step."""
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))
        self.iterations += 1

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Give variables their running means, where these are kept; `fit` does so at its end."""
        if self.use_ema and self.iterations:
            for variable in var_list:
                variable.assign(self._slots[id(variable)]["average"])

    def tried(
        self,
        variable: Variable,
        weights: Array,
        gradient: Array,
        slots: Slots,
        learning_rate: float,
        norm: float,
    ) -> tuple[Array, dict[str, Array]]:
        """Return the weights and slots that the next `apply` would leave; nothing is changed.

        Args:
            variable: The variable that the weights belong to.
            weights: All of its weights, or a part of them.
            gradient: The gradient of these.
            slots: The slots of these.
            learning_rate: The rate of the step.
            norm: The length that clipping looks at, from `clipping_norms`.
        """
        weights = weights.copy()
        slots = {slot: array.copy() for slot, array in slots.items()}
        self._advance(variable, weights, gradient, slots, learning_rate, norm)
        return weights, slots

    def account(
        self,
        variable: Variable,
        weight: Expression,
        gradient: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
        norm: float,
    ) -> tuple[Expression, dict[str, Expression]]:
        """Return how a step makes one weight and its slots: `tried`, number by number told."""
        gradient = self._clipping_terms(gradient, norm)
        new, new_slots = self.update_terms(gradient, weight, slots, learning_rate)
        decay = self._decay_of(variable)
        if decay:
            taken = Product((MINUS, weight, Constant("weight_decay", decay), learning_rate))
            new = Sum((weight, taken, *new.terms[1:]))
        if not self.use_ema:
            return new, new_slots
        keep = self._kept_of_average
        new_slots["average"] = average = Sum(
            (
                Product((Constant("ema_momentum", keep), slots["average"])),
                Product((Constant("1 − ema_momentum", 1 - keep), Named("new weight", new))),
            )
        )
        return (average if self._overwrites else new), new_slots

    def slots_of(self, variable: Variable) -> dict[str, Array]:
        """Return the slots of a variable by name, as they are or as they will begin."""
        if id(variable) in self._slots:
            return self._slots[id(variable)]
        return self.new_slots(variable.shape, variable.dtype)

    def new_slots(
        self, shape: tuple[int, ...], dtype: npt.DTypeLike = "float32"
    ) -> dict[str, Array]:
        """Return the slots of a variable of this shape before the first step."""
        starts = {slot: np.asarray(self.slot_start(slot), dtype) for slot in self.slot_names}
        return {slot: aligned(np.broadcast_to(start, shape)) for slot, start in starts.items()}

    @property
    def slot_names(self) -> list[str]:
        """The names of all slots of a variable."""
        return [slot for group in self._groups for slot in group]

    @property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        return ((("average",),) if self.use_ema else ()) + self.slot_groups

    def _advance(
        self,
        variable: Variable,
        weights: Array,
        gradient: Array,
        slots: Slots,
        rate: float,
        norm: float,
    ) -> None:
        """Clip, decay, and change weights and slots in place, some thousand numbers at a time."""
        scratch = self._scratch_of(weights.dtype)
        decay = self._decay_of(variable)
        flat = [array.reshape(-1) for array in (weights, gradient, *slots.values())]
        for start in range(0, weights.size, _CHUNK):
            some, part, *own = (array[start : start + _CHUNK] for array in flat)
            room = scratch[:, : len(some)]
            part = self._clipped(part, norm, room[2])
            if decay:
                np.multiply(some, decay, out=room[0])
                np.multiply(room[0], rate, out=room[0])
                some -= room[0]
            parts = dict(zip(slots, own, strict=True))
            self.update_step(part, some, parts, rate, room[:2])
            if self.use_ema:
                average, keep = parts["average"], self._kept_of_average
                average *= keep
                average += np.multiply(some, 1 - keep, out=room[0])
                if self._overwrites:
                    some[...] = average

    @property
    def _kept_of_average(self) -> float:
        """How much of the running means this step keeps: the first one begins them."""
        return self.ema_momentum if self.iterations else 0.0

    @property
    def _overwrites(self) -> bool:
        """Whether the running means take the variables' places after this step."""
        often = self.ema_overwrite_frequency
        return often is not None and (self.iterations + 1) % often == 0

    def decay_of(self, variable: Variable) -> float:
        """Return the share of a variable, times the rate, that a step takes off it."""
        return self._decay_of(variable)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Array | None, Variable]]) -> int:
        """Make one step from (gradient, variable) pairs; return how many steps were made."""
        gradients, variables = zip(*grads_and_vars, strict=True)
        self.apply(gradients, variables)
        return self.iterations

    @property
    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        """The slots' names, in the order in which Keras saves them.

        Those of one group lie side by side for each variable; one group follows the other.
        """
        return ()

    def derived_state(self) -> list[tuple[str, Array]]:
        """Return what Keras saves besides the slots, and what follows from the iterations here."""
        return []

    def slot_start(self, slot: str) -> float:
        """Return what the numbers of a slot are before the first step."""
        del slot
        return 0.0

    def update_step(
        self, gradient: Array, weights: Array, slots: Slots, learning_rate: float, scratch: Array
    ) -> None:
        """Change `weights` and `slots` in place by the optimiser's rule.

        Args:
            gradient: The gradient, clipped; not to be changed. All arrays have one axis.
            weights: The weights.
            slots: The slots by name.
            learning_rate: The rate of this step.
            scratch: Two rows, as long as the weights, to work in.
        """
        raise NotImplementedError  # every subclass has its own

    def update_terms(
        self,
        gradient: Expression,
        weight: Expression,
        slots: Mapping[str, Expression],
        learning_rate: Expression,
    ) -> tuple[Sum, dict[str, Expression]]:
        """Return the account of `update_step` for one number.

        Args:
            gradient: The gradient, clipped.
            weight: The weight.
            slots: The slots by name.
            learning_rate: The rate of this step.

        Returns:
            The new weight, a sum that begins with the old one; and the new slots.
        """
        raise NotImplementedError  # every subclass has its own

    def get_config(self) -> Config:
        """Return the arguments that make this optimiser again, with Keras' names."""
        rate = float(self._rate) if self._schedule is None else schedules.serialize(self._schedule)
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            **_NOT_OFFERED,
        }

    @classmethod
    def from_config(cls, config: Config) -> Optimizer:
        """Make an optimiser from its arguments."""
        rate = config.get("learning_rate")
        if isinstance(rate, Mapping):
            config = {**config, "learning_rate": schedules.deserialize(rate)}
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, iterations={self.iterations}>"

    def _require_number(self, option: str, value: object, below: float = math.inf) -> None:
        """Raise ArgumentError unless 0 ≤ value < below."""
        if not isinstance(value, (int, float, np.number)) or not 0 <= value < below:
            limit = "" if below == math.inf else f" and less than {below:g}"
            raise ArgumentError(
                f"{self.name}: expected {option} as a number of at least 0{limit}, "
                f"received {value!r}."
            )

    def _named_slots(self) -> Iterator[tuple[str, Array]]:
        for group in self._groups:
            for variable in self._trained:
                path = variable.path.replace("/", "_")
                for slot in group:
                    yield f"{path}_{slot}", self._slots[id(variable)][slot]

    def _scratch_of(self, dtype: np.dtype[Any]) -> Array:
        if dtype not in self._scratch:
            self._scratch[dtype] = np.empty((3, _CHUNK), dtype)
        return self._scratch[dtype]

    def _decay_of(self, variable: Variable) -> float:
        if self._excluded_names and self._excluded_names.search(variable.name):
            return 0.0
        return 0.0 if id(variable) in self._excluded else self.weight_decay or 0.0

    def _checked(
        self, gradients: Sequence[Array | None], variables: Sequence[Variable]
    ) -> list[tuple[Array, Variable]]:
        if len(gradients) != len(variables):
            raise ArgumentError(
                f"{self.name}: received {len(gradients)} gradients for {len(variables)} variables."
            )
        self.require(variables)
        pairs = []
        for gradient, variable in zip(gradients, variables, strict=True):
            if gradient is None:
                continue
            if gradient.shape != variable.shape:
                raise ShapeError(
                    f"{self.name}: expected the gradient of {variable.path} with its shape "
                    f"{variable.shape}, received {gradient.shape}."
                )
            self._refuse_non_finite(gradient, variable)
            pairs.append((gradient, variable))
        if not pairs and variables:
            raise ArgumentError(f"{self.name}: there is no gradient for any variable.")
        return pairs

    def _refuse_non_finite(self, gradient: Array, variable: Variable) -> None:
        if np.isfinite(gradient).all():
            return
        place = np.argwhere(~np.isfinite(gradient))[0].tolist()
        raise NonFiniteError(
            f"the gradient of {variable.path} is {gradient[tuple(place)]} at {place} in step "
            f"{self.iterations + 1}; no weight was changed"
        )

    def clipping_norms(self, gradients: Sequence[Array]) -> list[float]:
        """Return for each gradient the length that clipping looks at; 0 if it looks at none."""
        if self.clipnorm:
            return [_norm([gradient]) for gradient in gradients]
        return [_norm(gradients) if self.global_clipnorm else 0.0] * len(gradients)

    def _clipped(self, part: Array, norm: float, out: Array) -> Array:
        """Return a part of a gradient, clipped into `out` if there is clipping."""
        if self.clipnorm:
            limit = self.clipnorm
            return np.divide(np.multiply(part, limit, out=out), max(norm, limit), out=out)
        if self.global_clipnorm:
            return np.multiply(part, _shrink(self.global_clipnorm, norm), out=out)
        if self.clipvalue:
            return np.clip(part, -self.clipvalue, self.clipvalue, out=out)
        return part

    def _clipping_terms(self, gradient: Expression, norm: float) -> Expression:
        """`_clipped` of one number."""
        if self.clipnorm or self.global_clipnorm:
            limit = self.clipnorm or self.global_clipnorm or 0.0
            whose = "its gradient" if self.clipnorm else "all gradients"
            factor = Call(
                "shrink",
                (Constant("limit", limit), Constant(f"length of {whose}", norm)),
                _shrink,
            )
            return Named("clipped gradient", Product((gradient, factor)))
        if self.clipvalue:
            limits = Constant("lowest", -self.clipvalue), Constant("highest", self.clipvalue)
            clip = Call("clip", (gradient, *limits), lambda g, low, high: min(max(g, low), high))
            return Named("clipped gradient", clip)
        return gradient


def _shrink(limit: float, norm: float) -> float:
    """What a gradient of this length is multiplied by, to be no longer than the limit."""
    return limit * min(1 / norm if norm > 0 else math.inf, 1 / limit)


def _norm(gradients: Sequence[Array]) -> float:
    """√Σg² over all numbers of all gradients, summed in double precision."""
    total = 0.0
    for gradient in gradients:
        flat = gradient.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            part = flat[start : start + _CHUNK].astype(np.float64)
            total += float(np.sum(part * part))
    return math.sqrt(total)

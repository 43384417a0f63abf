"""The optimisers' steps, one pass over every weight, its gradient and its slots.

Nothing is changed unless every gradient and every loss is finite: `finite` looks at them all and
raises a flag, `update` looks at the flag. Floor: each number read once and, but for gradients,
written once; Adam takes a root and a division for each besides.

The formulas are those of `optimizers/`; the rates come with every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.compiler.ir import Address, Function, Index, Value
from pellucid.compiler.schedule import Place

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder

__all__ = ["Update", "add_finite", "add_update", "update_of"]

PARAMETERS = 8
"""How many numbers an optimiser's step may take."""

Rule = Callable[
    [Function, Value, Value, Sequence[Value], Sequence[Value]], tuple[Value, list[Value]]
]
"""(f, weights, gradient, slots, parameters) → new weights, new slots."""


class Update:
    """How one optimiser's step is compiled.

    Attributes:
        key: All that the code depends on.
        rule: Writes the step for a vector.
        parameters: Gives the step's numbers, the rate first.
    """

    def __init__(
        self, key: tuple[Any, ...], rule: Rule, parameters: Callable[[Any], list[float]]
    ) -> None:
        self.key, self.rule, self.parameters = key, rule, parameters


def _sgd(momentum: bool, nesterov: bool) -> Rule:
    def rule(
        f: Function, w: Value, g: Value, slots: Sequence[Value], p: Sequence[Value]
    ) -> tuple[Value, list[Value]]:  # as Rule says
        step = g * p[0]
        if not momentum:
            return w - step, []
        m = slots[0] * p[2] - step
        return (w + (m * p[2] - step) if nesterov else w + m), [m]

    return rule


def _adam(amsgrad: bool) -> Rule:
    def rule(
        f: Function, w: Value, g: Value, slots: Sequence[Value], p: Sequence[Value]
    ) -> tuple[Value, list[Value]]:  # as Rule says
        alpha, keep_m, keep_v, epsilon = p[2], p[3], p[4], p[5]
        m = f.fma(g - slots[0], keep_m, slots[0])
        v = f.fma(f.fma(g, g, 0.0 - slots[1]), keep_v, slots[1])
        largest, new = v, [m, v]
        if amsgrad:
            largest = f.select(slots[2] > v, slots[2], v)
            new.append(largest)
        return w - m * alpha / (f.intrinsic("sqrt", largest) + epsilon), new

    return rule


def _rmsprop(centered: bool, momentum: bool) -> Rule:
    def rule(
        f: Function, w: Value, g: Value, slots: Sequence[Value], p: Sequence[Value]
    ) -> tuple[Value, list[Value]]:  # as Rule says
        rho, rest, epsilon = p[2], p[3], p[4]
        v = slots[0] * rho + g * g * rest
        new = {"velocity": v}
        below = v + epsilon
        position = 1
        if momentum:
            position = 2
        if centered:
            a = slots[position] * rho + g * rest
            new["average_gradient"] = a
            below = v - a * a + epsilon
        step = g * p[0] / f.intrinsic("sqrt", below)
        if momentum:
            step = slots[1] * p[5] + step
            new["momentum"] = step
        order = ["velocity", "momentum", "average_gradient"]
        return w - step, [new[name] for name in order if name in new]

    return rule


def update_of(optimizer: Any) -> Update | None:
    """Return the compiled step of an optimiser; None if it has to run by itself."""
    from pellucid.optimizers import SGD, Adam, AdamW, RMSprop

    if optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue:
        return None
    if type(optimizer) is SGD:
        return Update(
            ("sgd", bool(optimizer.momentum), optimizer.nesterov),
            _sgd(bool(optimizer.momentum), optimizer.nesterov),
            lambda o: [o.learning_rate, 0.0, o.momentum],
        )
    if type(optimizer) in (Adam, AdamW):

        def adam(o: Any) -> list[float]:
            t, rate = o.iterations + 1, o.learning_rate
            alpha = rate * math.sqrt(1 - o.beta_2**t) / (1 - o.beta_1**t)
            return [rate, 0.0, alpha, 1 - o.beta_1, 1 - o.beta_2, o.epsilon]

        return Update(("adam", optimizer.amsgrad), _adam(optimizer.amsgrad), adam)
    if type(optimizer) is RMSprop:
        return Update(
            ("rmsprop", optimizer.centered, optimizer.momentum > 0),
            _rmsprop(optimizer.centered, optimizer.momentum > 0),
            lambda o: [o.learning_rate, 0.0, o.rho, 1 - o.rho, o.epsilon, o.momentum],
        )
    return None


def add_finite(b: Builder, losses: Sequence[Place], flag: Place) -> None:
    """Add jobs that raise the flag where a loss or a gradient is NaN or infinite.

    They all may write the flag at the same time, and all the same: 1.
    """
    from pellucid.compiler.lowering import BLOCK, vectors_over_block

    def raised(f: Function, value: Value, flag_at: Address) -> None:
        bad = (value - value).differs(0.0)
        with f.when(f.population(bad) > 0):
            flag_at.put(1)

    for place in losses:

        def emit_losses(f: Function, place: Place = place) -> None:
            loss, flag_at, _, batch = f.arguments
            with f.each(batch) as n:
                for i, count in _vectors(f, place.size):
                    raised(f, loss.load(n * place.stride + i, count), flag_at)

        key = ("finite_losses", place.size, place.stride)
        b.schedule.add("", key, "item", [place, flag], [], emit_losses, count=lambda _: 1)
    for gradient in b.weight_gradients.values():
        size = gradient.size

        def emit(f: Function, size: int = size) -> None:
            source, flag_at, item, _ = f.arguments
            bad = Address(f, "float", f.line(f"alloca {f.vector}, align 64"))
            bad.store(f.zero())
            for i, n in vectors_over_block(f, size, item):
                value = source.load(i, n)
                bad.store(bad.load() + (value - value))
            raised(f, bad.load(), flag_at)

        b.schedule.add(
            gradient.name, ("finite", size), "item", [gradient, flag], [], emit,
            count=lambda _, size=size: -(-size // BLOCK),
        )  # fmt: skip


def _vectors(f: Function, size: int) -> Iterator[tuple[Index, int | None]]:
    from pellucid.compiler.ir import vectors_over

    return vectors_over(f, size)


def add_update(
    b: Builder, update: Update, optimizer: Any, flag: Place, parameters: Place
) -> list[tuple[Place, np.ndarray]]:
    """Add the jobs that change the weights; return the places of the slots and their arrays."""
    from pellucid.compiler.lowering import BLOCK, vectors_over_block

    external: list[tuple[Place, np.ndarray]] = []
    for variable in b.trained:
        gradient = b.weight_gradients.get(id(variable))
        if gradient is None:
            continue
        weight = b.weight_place(variable)
        slots = []
        for name, array in optimizer.slots_of(variable).items():
            place = b.schedule.place(
                f"{variable.path}.{name}", variable.shape, extent="whole", external=True
            )
            external.append((place, array))
            slots.append(place)
        decays = bool(optimizer.decay_of(variable))

        def emit(f: Function, size: int = gradient.size, decays: bool = decays) -> None:
            weights, source, flag_at, rates, *rest = f.arguments
            *slot_list, item, _ = rest
            with f.when(flag_at.get().equals(0)):
                p = [rates.broadcast(k) for k in range(PARAMETERS)]
                for i, n in vectors_over_block(f, size, item):
                    w = weights.load(i, n)
                    if decays:
                        w = w - w * p[1]
                    old = [slot.load(i, n) for slot in slot_list]
                    w, new = update.rule(f, w, source.load(i, n), old, p)
                    weights.store(w, i, n)
                    for slot, value in zip(slot_list, new, strict=True):
                        slot.store(value, i, n)

        places = [weight, gradient, flag, parameters, *slots]
        key = (*update.key, gradient.size, decays)
        b.schedule.add(
            variable.path, key, "item", places, [weight, *slots], emit,
            count=lambda _, size=gradient.size: -(-size // BLOCK),
        )  # fmt: skip
    return external

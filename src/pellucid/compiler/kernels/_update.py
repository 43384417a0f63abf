"""The optimisers' steps: on each gradient as it is made, or in one pass over what is in memory.

**Nothing is changed unless every gradient and every loss is finite.** Jobs look at them and raise a
flag; steps are taken after them all, and only if it is down. A gradient that a kernel makes tile by
tile (a dense layer's) is stepped on in registers and is never seen whole. It is a sum of products,
so that it is finite if the numbers it is made of are at most `LIMIT`: they are looked at instead.
Where one is larger the flag goes up, the gradients are written out, and Python looks at those.

Floor: each weight and slot read once and written once; Adam takes a root and a division for each.
The formulas are those of `optimizers/`; the rates come with every step.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.schedule import Place

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder
    from pellucid.graph import Value as Tensor
    from pellucid.graph import Variable

__all__ = ["Update", "Updates", "flag_of", "looking", "take_gradient", "update_of"]

PARAMETERS = 8
"""How many numbers an optimiser's step may take."""

LIMIT = 1e15
"""Sums of up to 10⁸ products of two numbers within this are finite."""

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

    clips = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue
    if clips or optimizer.use_ema:
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


Taken = Callable[[Sequence[tuple[Value, Index, int | None]]], None]
"""Takes part of a gradient: its vectors, where each lies in it, and how many lanes it uses."""
Ahead = Callable[[Index], None]
"""Told where each vector will lie, well before."""
Emit = Callable[[Function, Ahead, Taken], None]
"""Writes the kernel of a gradient, whose vectors it gives away."""

ROWS = 32
"""How many samples one piece of `bounded` has."""


def take_gradient(
    b: Builder,
    layer: str,
    weight: Tensor,
    key: tuple[Any, ...],
    places: list[Place],
    emit: Emit,
    *,
    count: int,
    macs: int = 0,
) -> None:
    """Add the job that makes a weight's gradient, and takes the optimiser's step if it can.

    Args:
        b: The builder.
        layer: The layer.
        weight: The weight.
        key: All that the kernel's code depends on.
        places: What the gradient is a sum of products of; the kernel's first arguments.
        emit: Writes the kernel; it gives each vector of the gradient away once.
        count: How many pieces there are.
        macs: The multiply-adds of one sample.
    """
    assert weight.variable is not None
    gradient, add = b.weight_gradient(weight)
    if b.updates is not None and b.read_once(weight):
        b.updates.fuse(weight.variable, layer, key, places, emit, count, macs)
        return

    def whole(f: Function) -> None:
        target = f.arguments[len(places)]

        def taken(found: Sequence[tuple[Value, Index, int | None]]) -> None:
            for value, place, n in found:
                target.store(value + target.load(place, n) if add else value, place, n)

        emit(f, lambda place: None, taken)

    b.schedule.add(
        layer, (*key, add), "item", [*places, gradient], [gradient], whole,
        count=lambda _: count, macs=macs,
    )  # fmt: skip


def flag_of(b: Builder, weight: Tensor | None) -> list[Place]:
    """Return the flag, for the job that alone makes all of a weight's gradient: it is `looking`.

    Nothing where other jobs add to the gradient, or no step is compiled.
    """
    if weight is None or b.updates is None or not b.read_once(weight):
        return []
    return [b.updates.seen(weight)]


@contextmanager
def looking(f: Function, flag: Sequence[Address]) -> Iterator[Callable[[Value], None]]:
    """Yield what is to be shown each vector of a gradient; raise the flag unless all are finite."""
    spoilt = f.room(f.lanes)
    spoilt.store(f.zero())
    yield lambda value: spoilt.store(spoilt.load() + (value - value)) if flag else None
    for address in flag:
        _raise(f, _finite(spoilt.load()), address)


def _finite(value: Value) -> Value:
    """Return which lanes are neither NaN nor infinite."""
    return (value - value).equals(0.0)


def _raise(f: Function, fine: Value, flag: Address) -> None:
    """Write that the flag is raised unless all lanes are true; several threads may do so."""
    with f.when(f.population(fine) < f.lanes):
        flag.put(1)


def _size(f: Function, value: Value) -> Value:
    """Return numbers that are ordered as the absolute values are; those of NaN are the largest."""
    return f.bits(f.intrinsic("fabs", value), "i32")


class Updates:
    """The steps of all variables, for an optimiser that is compiled.

    Args:
        b: The builder.
        update: How a step is compiled.
        optimizer: The optimiser.
        flag: The place of the flag.
        rates: The place of the step's numbers.

    Attributes:
        slots: The places of the optimiser's slots, and their arrays.
    """

    def __init__(
        self, b: Builder, update: Update, optimizer: Any, flag: Place, rates: Place
    ) -> None:
        self._b, self._update, self._optimizer = b, update, optimizer
        self._flag, self._rates = flag, rates
        self.slots: list[tuple[Place, np.ndarray]] = []
        self._bounded: set[Place] = set()
        self._seen: set[int] = set()
        self._fused: dict[int, Callable[[], None]] = {}

    @property
    def unwritten(self) -> list[Place]:
        """The gradients that are never whole in memory, unless a number is too large."""
        return [self._b.weight_gradients[variable] for variable in self._fused]

    # What must hold before anything is changed.

    def look(self, f: Function, values: Sequence[Value], flag: Address) -> None:
        """Write that the flag is raised where a number is larger than `LIMIT`, or NaN."""
        sizes = [_size(f, value) for value in values]
        self._look(f, functools.reduce(lambda a, b: f.select(a > b, a, b), sizes), flag)

    def _look(self, f: Function, largest: Value, flag: Address) -> None:
        _raise(f, largest <= int(np.float32(LIMIT).view(np.int32)), flag)

    def guard(self, place: Place) -> Place:
        """Say that the job that makes a place looks at it; return the flag that it has to raise."""
        self._bounded.add(place.root)
        return self._flag

    def seen(self, weight: Tensor) -> Place:
        """Say that the job that makes a gradient looks at it; return the flag it has to raise."""
        self._seen.add(id(weight.variable))
        return self._flag

    def _bound(self, place: Place) -> None:
        """Add the job that raises the flag where a number of a place is larger than `LIMIT`."""
        if place.root in self._bounded:
            return
        self._bounded.add(place.root)

        def emit(f: Function) -> None:
            source, flag, item, batch = f.arguments
            left = batch - item * ROWS
            first = source + item * (ROWS * place.stride)
            whole, rest = divmod(place.size, f.lanes)

            def larger(acc: list[Value], value: Value) -> list[Value]:
                size = _size(f, value)
                return [f.select(size > acc[0], size, acc[0])]

            def row(r: Index, acc: list[Value]) -> list[Value]:
                here = first + r * place.stride
                if whole:
                    acc = f.carry(whole, acc, lambda i, acc: larger(acc, here.load(i * f.lanes)))
                return larger(acc, here.load(whole * f.lanes, rest)) if rest else acc

            least = f.constant(0, f"<{f.lanes} x i32>")
            (largest,) = f.carry(f.select(left < ROWS, left, ROWS), [least], row)
            self._look(f, largest, flag)

        self._b.schedule.add(
            place.name, ("bounded", place.size, place.stride), "item", [place, self._flag], [],
            emit, count=lambda batch: -(-batch // ROWS),
        )  # fmt: skip

    def add_checks(self, losses: Sequence[Place]) -> None:
        """Add jobs that raise the flag where a loss or a gradient is NaN or infinite."""
        from pellucid.compiler.lowering import BLOCK, vectors_over_block

        for place in losses:

            def emit_losses(f: Function, place: Place = place) -> None:
                loss, flag, _, batch = f.arguments
                with f.each(batch) as n:
                    for i, count in vectors_over(f, place.size):
                        _raise(f, _finite(loss.load(n * place.stride + i, count)), flag)

            key = ("finite_losses", place.size, place.stride)
            self._b.schedule.add(
                "", key, "item", [place, self._flag], [], emit_losses, count=lambda _: 1
            )
        for variable, gradient in self._b.weight_gradients.items():
            if variable in self._fused or variable in self._seen:
                continue
            size = gradient.size

            def emit(f: Function, size: int = size) -> None:
                source, flag, item, _ = f.arguments
                with looking(f, [flag]) as look:
                    for i, n in vectors_over_block(f, size, item):
                        look(source.load(i, n))

            self._b.schedule.add(
                gradient.name, ("finite", size), "item", [gradient, self._flag], [], emit,
                count=lambda _, size=size: -(-size // BLOCK),
            )  # fmt: skip

    # Steps.

    def _places(self, variable: Variable) -> list[Place]:
        """Return what a step reads and writes: gradient, flag, rates, weights, slots."""
        b = self._b
        slots = []
        for name, array in self._optimizer.slots_of(variable).items():
            place = b.schedule.place(
                f"{variable.path}.{name}", variable.shape, extent="whole", external=True
            )
            self.slots.append((place, array))
            slots.append(place)
        gradient = b.weight_gradients[id(variable)]
        return [gradient, self._flag, self._rates, b.weight_place(variable), *slots]

    def _step(
        self, f: Function, given: Sequence[Address], decays: bool
    ) -> Callable[[Value, Index, int | None], None]:
        """Return what writes the step of one vector: of its gradient, place and lanes."""
        rates, weights, *slots = given
        p = [rates.broadcast(k) for k in range(PARAMETERS)]

        def step(g: Value, i: Index, n: int | None) -> None:
            w = weights.load(i, n)
            if decays:
                w = w - w * p[1]
            w, new = self._update.rule(f, w, g, [slot.load(i, n) for slot in slots], p)
            weights.store(w, i, n)
            for slot, value in zip(slots, new, strict=True):
                slot.store(value, i, n)

        return step

    def fuse(
        self,
        variable: Variable,
        layer: str,
        key: tuple[Any, ...],
        places: list[Place],
        emit: Emit,
        count: int,
        macs: int,
    ) -> None:
        """Have the step of a variable taken by the job that makes its gradient."""
        decays = bool(self._optimizer.decay_of(variable))

        def whole(f: Function) -> None:
            gradient, flag, *given = f.arguments[len(places) : -2]

            def ahead(place: Index) -> None:
                for address in given[1:]:
                    address.fetch(place)

            def taken(found: Sequence[tuple[Value, Index, int | None]]) -> None:
                down = flag.get().equals(0)
                with f.when(down):
                    step = self._step(f, given, decays)
                    for value, place, n in found:
                        step(value, place, n)
                with f.when(flag.get().differs(0)):
                    for value, place, n in found:
                        gradient.store(value, place, n)

            emit(f, ahead, taken)

        def add() -> None:
            stepped = self._places(variable)
            self._b.schedule.add(
                layer, (f"{key[0]}_{self._update.key[0]}", *key[1:], *self._update.key, decays),
                "item", [*places, *stepped], [stepped[0], *stepped[3:]], whole,
                count=lambda _: count, macs=macs,
            )  # fmt: skip

        self._fused[id(variable)] = add
        for place in places:
            self._bound(place)

    def add_steps(self) -> None:
        """Add the jobs that change the weights."""
        from pellucid.compiler.lowering import BLOCK, vectors_over_block

        for add in self._fused.values():
            add()
        for variable in self._b.trained:
            if id(variable) in self._fused or id(variable) not in self._b.weight_gradients:
                continue
            places = self._places(variable)
            size, decays = places[0].size, bool(self._optimizer.decay_of(variable))

            def emit(f: Function, size: int = size, decays: bool = decays) -> None:
                source, flag, *given, item, _ = f.arguments
                with f.when(flag.get().equals(0)):
                    step = self._step(f, given, decays)
                    for i, n in vectors_over_block(f, size, item):
                        step(source.load(i, n), i, n)

            self._b.schedule.add(
                variable.path, (*self._update.key, size, decays), "item", places, places[3:], emit,
                count=lambda _, size=size: -(-size // BLOCK),
            )  # fmt: skip

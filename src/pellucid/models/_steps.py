"""One step of training, testing or predicting: a batch in, numbers out, weights changed or not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pellucid.compiler import engine as compiler
from pellucid.errors import NonFiniteError
from pellucid.graph import Program, Value, Variable
from pellucid.graph import reference as engine
from pellucid.ops._operation import Array
from pellucid.optimizers import Optimizer

if TYPE_CHECKING:
    from pellucid.compiler.plan import Fed, Plan

__all__ = ["Losses", "PreparedBatch", "Step", "Steps", "predict_step", "test_step"]


@dataclass(frozen=True)
class Losses:
    """What a step found.

    Attributes:
        total: The loss: all outputs' losses, weighted, and the penalties on the weights.
        parts: Each output's own loss.
        outputs: The predictions for the batch.
    """

    total: float
    parts: list[float]
    outputs: list[Array]


def predict_step(
    program: Program, inputs: Sequence[Array], chosen: str = "reference"
) -> list[Array]:
    """Return the outputs for one batch; `chosen` is the engine, "auto" or "reference"."""
    random = engine.draw(program, len(inputs[0]), ("predict",))
    plan = None
    if chosen != "reference":
        plan = compiler.plan_for(program, len(inputs[0]), pixels=_pixels(program, inputs))
    if plan is not None:
        return plan.forward(inputs, random)
    values = engine.forward(program, _floats(program, inputs), random)
    return [values[output] for output in program.outputs]


def test_step(
    program: Program,
    feeds: Sequence[Array],
    parts: int,
    chosen: str = "reference",  # noqa: PT028  # a step of testing, not a test
) -> Losses:
    """Return losses and predictions for one batch; nothing is changed."""
    random = engine.draw(program, len(feeds[0]), ("test",))
    plan = None
    if chosen != "reference":
        plan = compiler.plan_for(program, len(feeds[0]), pixels=_pixels(program, feeds))
    if plan is not None:
        return _losses(plan.forward(feeds, random), parts)
    values = engine.forward(program, _floats(program, feeds), random)
    return _losses([values[output] for output in program.outputs], parts)


@dataclass(frozen=True)
class Prepared:
    """Feeds, prepared for a step.

    Attributes:
        number: How many steps come before it; its random values depend on that.
        feeds: The feeds as they came.
        random: The random values.
        fed: What the plan is fed; None for the reference.
    """

    number: int
    feeds: Sequence[Array]
    random: engine.Values
    fed: Fed | None


class Step:
    """Takes training steps on feeds of one kind: of one number, and of the same sizes and types.

    A step runs the program forward and backward and lets the optimiser take one step.

    Args:
        program: Its first output is the loss; then come the `parts` losses of the outputs, and the
            outputs themselves.
        feeds: Some of the feeds: inputs, targets and sample weights, as the program has them.
        parts: How many losses there are.
        variables: The variables to train.
        optimizer: Takes the step.
        chosen: The engine: "auto" or "reference".

    Raises:
        ArgumentError: The optimiser was built with other variables.
    """

    def __init__(
        self,
        program: Program,
        feeds: Sequence[Array],
        parts: int,
        variables: Sequence[Variable],
        optimizer: Optimizer,
        chosen: str = "reference",
    ) -> None:
        optimizer.build(variables)
        optimizer.require(variables)
        self._program, self._parts = program, parts
        self._variables, self._optimizer = variables, optimizer
        self._plan: Plan | None = None
        if chosen != "reference":
            pixels = _pixels(program, feeds)
            self._plan = compiler.plan_for(program, len(feeds[0]), variables, optimizer, pixels)

    def prepare(self, feeds: Sequence[Array], ahead: int = 0) -> Prepared:
        """Prepare feeds for the next step, or for one that comes `ahead` steps after it."""
        number = self._optimizer.iterations + ahead
        random = engine.draw(self._program, len(feeds[0]), ("step", number))
        fed = None if self._plan is None else self._plan.feed(feeds, random)
        return Prepared(number, feeds, random, fed)

    def take(
        self, prepared: Prepared, meanwhile: Callable[[], None] | None = None
    ) -> Callable[[], Losses]:
        """Take a step, and return what says what it found: that can be asked later.

        `meanwhile` may be called while other threads are at work on the step; it must not raise.

        Raises:
            NonFiniteError: The loss or a gradient is NaN or infinite; nothing is changed.
        """
        if prepared.number != self._optimizer.iterations:  # one before it was refused
            prepared = self.prepare(prepared.feeds)
        if self._plan is None or prepared.fed is None:
            found = self._by_the_reference(prepared)
            return lambda: found
        results, finite = self._plan.train(prepared.fed, meanwhile)
        if not finite:  # nothing was changed, so the reference meets the same, and can say where
            values = self._values(prepared)
            per_variable = [bool(np.isfinite(g).all()) for g in self._plan.gradients()]
            raise NonFiniteError(_where(self._program, values, self._variables, per_variable))
        return lambda: _losses(results(), self._parts)

    def _values(self, prepared: Prepared) -> engine.Values:
        feeds = _floats(self._program, prepared.feeds)
        return engine.forward(self._program, feeds, prepared.random, keep=True)

    def _by_the_reference(self, prepared: Prepared) -> Losses:
        program, variables = self._program, self._variables
        values = self._values(prepared)
        losses = _losses([values[output] for output in program.outputs], self._parts)
        weights = _weights(program, variables)
        found = engine.gradients(program, values, [w for w in weights if w is not None])
        gradients = [
            np.zeros_like(v.value) if w is None else found[w]
            for v, w in zip(variables, weights, strict=True)
        ]
        good = [bool(np.isfinite(gradient).all()) for gradient in gradients]
        if not np.isfinite(losses.total) or not all(good):
            raise NonFiniteError(_where(program, values, variables, good))
        updates = engine.state_updates(program, values)
        self._optimizer.apply(gradients, variables)
        for variable, new in updates:
            variable.assign(new)
        return losses


Steps = dict[Hashable, Step]
"""What takes steps on batches of each kind."""


class PreparedBatch(NamedTuple):
    """A batch, prepared for a step, as far as what takes steps of its kind is known already."""

    kind: Hashable
    feeds: list[Array]
    targets: dict[int, Array]
    weights: dict[int, Array]
    prepared: Prepared | None

    @property
    def nbytes(self) -> int:
        """How much memory it takes, at most: it may be part of other arrays."""
        drawn = self.prepared.random.values() if self.prepared else ()
        return sum(array.nbytes for array in (*self.feeds, *drawn))


def _pixels(program: Program, feeds: Sequence[Array]) -> tuple[bool, ...]:
    """Return for each feed whether it is an input of uint8, which machine code takes as it is."""
    return tuple(
        feed.dtype == np.uint8 and value.kind == "input"
        for feed, value in zip(feeds, program.inputs, strict=True)
    )


def _floats(program: Program, feeds: Sequence[Array]) -> list[Array]:
    """Return the feeds as the reference takes them."""
    pixels = _pixels(program, feeds)
    return [f.astype("float32") if small else f for f, small in zip(feeds, pixels, strict=True)]


def _losses(outputs: Sequence[Array], parts: int) -> Losses:
    own = [float(part) for part in outputs[1 : 1 + parts]]
    return Losses(float(outputs[0]), own, list(outputs[1 + parts :]))


def _weights(program: Program, variables: Sequence[Variable]) -> list[Value | None]:
    """Return the program's value of each variable, None for one that it does not read."""
    by_variable = {
        id(value.variable): value
        for node in program.nodes
        for value in node.inputs
        if value is not None and value.variable is not None
    }
    return [by_variable.get(id(variable)) for variable in variables]


def _where(
    program: Program,
    values: engine.Values,
    variables: Sequence[Variable],
    finite: Sequence[bool],
) -> str:
    """Say where the first NaN or infinity appeared."""
    for value in program.inputs:
        array = values[value]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            return f"row {row} of the batch has a NaN or an infinity in its {value.kind}"
    for variable in program.variables:
        if not np.isfinite(variable.value).all():
            return f"the weight {variable.path} already held a NaN or an infinity"
    for node in program.nodes:
        if not np.isfinite(values[node.output]).all():
            layer = f"layer {node.layer!r}" if node.layer else "the loss"
            return f"{layer} made a NaN or an infinity ({node.op.name}, {node.output.name})"
    broken = [v.path for v, good in zip(variables, finite, strict=True) if not good]
    return f"the gradient of {', '.join(broken)} has a NaN or an infinity"

"""A trace's pass once more, by machine code: once forward, once with every gradient."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pellucid.explain._recording import Recording
from pellucid.graph import Program, Value
from pellucid.ops._operation import Array

__all__ = ["CompiledRun"]


class CompiledRun:
    """What the compiled engine makes of a recorded pass.

    Args:
        recording: The pass. Machine code reads the model's own weights, so there are no numbers
            once these have been changed; nor in double precision, which is not compiled.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.program = recording.program
        self._fed = [recording.array(value) for value in self.program.inputs]
        self._drawn = {v: recording.array(v) for v in self.program.random_values}

    def array(self, value: Value, gradient: bool) -> Array | None:
        """Return a value of the pass, or its gradient; None where there is none."""
        return (self._gradients if gradient else self._values).get(value)

    @cached_property
    def _weights(self) -> list[Value]:
        """The values of the weights, each once."""
        read = (value for node in self.program.nodes for value in node.inputs)
        return list(dict.fromkeys(v for v in read if v is not None and v.variable is not None))

    @cached_property
    def _possible(self) -> bool:
        return self.recording.dtype == np.float32 and all(
            v.variable is not None
            and np.array_equal(v.variable.value, self.recording.array(v), equal_nan=True)
            for v in self._weights
        )

    @cached_property
    def _values(self) -> dict[Value, Array]:
        if not self._possible:
            return {}
        made = tuple(node.output for node in self.program.nodes)
        whole = Program(self.program.inputs, made, self.program.nodes, self.program.training)
        try:
            from pellucid.compiler.compiled import Compiled
            from pellucid.compiler.plan import Plan
            from pellucid.compiler.schedule import UnsupportedError
        except ImportError:  # llvmlite is not there
            return {}
        try:
            plan = Plan(Compiled(whole), len(self._fed[0]))
        except UnsupportedError:
            return {}
        return dict(zip(made, plan.forward(self._fed, self._drawn), strict=True))

    @cached_property
    def _gradients(self) -> dict[Value, Array]:
        if not self._possible or self.program.training:
            return {}  # a step of training would move the running statistics
        trained = [v for v in self._weights if v.variable is not None and v.variable.trainable]
        inputs = [value for value in self.program.inputs if value.kind == "input"]
        try:
            from pellucid.compiler.compiled import Compiled
            from pellucid.compiler.plan import Plan
            from pellucid.compiler.schedule import UnsupportedError
        except ImportError:  # llvmlite is not there
            return {}
        try:
            variables = [v.variable for v in trained if v.variable is not None]
            plan = Plan(Compiled(self.program, variables, wanted=inputs), len(self._fed[0]))
        except UnsupportedError:
            return {}
        plan.train(plan.feed(self._fed, self._drawn))
        found = dict(zip(trained, plan.gradients(), strict=True))
        return found | {value: plan.gradient(value) for value in inputs}

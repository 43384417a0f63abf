"""A network that is code, with random numbers: what both engines make of it, and what is close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import pellucid as keras
from conformance.random_networks import build, layers_of
from layer_cases import RANDOM
from pellucid.compiler.compiled import Compiled
from pellucid.compiler.plan import Plan
from pellucid.graph import Program, Tracer, Value, Variable, reference
from pellucid.layers._symbolic import flatten
from pellucid.ops._operation import known
from pellucid.ops.add import Add
from pellucid.ops.dense import Dense
from pellucid.ops.flatten import Flatten
from pellucid.ops.multiply import Multiply
from pellucid.ops.reshape import Reshape
from pellucid.ops.weighted_mean import WeightedMean

__all__ = ["Arrays", "Drawn", "require_close"]

Arrays = list[np.ndarray]


class Drawn:
    """A network with random weights, inputs, and a cotangent for each output.

    Attributes:
        told: The code and all that it takes to have the same numbers again.
        training: Whether gradients are those of training, where that is not random.
    """

    def __init__(self, code: str, seed: int) -> None:
        keras.utils.clear_session()
        self.code = code
        self.model = build(code, keras)
        rng = np.random.default_rng(seed)
        self.model.set_weights([_weight(rng, v) for v in self.model.weights])
        self.batch = int(rng.integers(1, 6))
        self.inputs = [self._normal(rng, tensor) for tensor in self.model.inputs]
        self.cotangents = [self._normal(rng, tensor) for tensor in self.model.outputs]
        self.training = bool(rng.integers(2)) and not layers_of(code) & RANDOM
        self.told = f"seed {seed}, a batch of {self.batch}, training={self.training}:\n{code}"

    def outputs(self) -> tuple[Arrays, Arrays]:
        """Return what the reference makes of the inputs, and what the compiled engine does."""
        program = self.model.program()
        values = reference.forward(program, self.inputs)
        compiled = Plan(Compiled(program), self.batch).forward(self.inputs)
        return [values[output] for output in program.outputs], compiled

    def exact(self) -> Arrays:
        """Return what the reference makes of the inputs in double precision."""
        program = self.model.program()
        values = reference.forward(program, [x.astype("f8") for x in self.inputs])
        return [values[output] for output in program.outputs]

    def gradients(self) -> tuple[Arrays, Arrays]:
        """Return the gradients of the trainable weights and the inputs, by either engine.

        They are those of Σ y·c / N over all outputs y and their cotangents c.
        """
        program, trained = self._pulled_back(), self.model.trainable_weights
        inputs, feeds = program.inputs[: len(self.inputs)], [*self.inputs, *self.cotangents]
        wanted = [*_values_of(program, trained), *inputs]
        values = reference.forward(program, feeds, keep=True)
        found = reference.gradients(program, values, wanted)
        plan = Plan(Compiled(program, trained, wanted=inputs), self.batch)
        plan.train(plan.feed(feeds))
        compiled = [*plan.gradients(), *(plan.gradient(value) for value in inputs)]
        return [found[value] for value in wanted], compiled

    def _pulled_back(self) -> Program:
        g = Tracer(self.training)
        inputs = self.model.trace_inputs(g)
        cotangents, terms = [], []
        for y in flatten(self.model.call(g, *inputs)):
            cotangents.append(g.input(y.shape, "cotangent", "target"))
            rows = g.apply(Flatten(), g.apply(Multiply(), y, cotangents[-1]))
            ones = g.weight(Variable(np.ones((*known(rows.shape[1:]), 1)), "ones", trainable=False))
            sums = g.apply(Reshape(()), g.apply(Dense(), rows, ones, None))
            terms.append(g.apply(WeightedMean(), sums, None))
        total = terms[0] if len(terms) == 1 else g.apply(Add(), *terms)
        return g.program([*inputs, *cotangents], [total])

    def _normal(self, rng: np.random.Generator, tensor: Any) -> np.ndarray:
        return rng.standard_normal((self.batch, *tensor.shape[1:])).astype("f4")


def _weight(rng: np.random.Generator, variable: Variable) -> np.ndarray:
    if variable.name == "gamma" or "variance" in variable.name:
        return rng.uniform(0.5, 1.5, variable.shape)
    spread = 0.3 if len(variable.shape) < 2 else np.prod(variable.shape[:-1]) ** -0.5
    return spread * rng.standard_normal(variable.shape)


def require_close(
    found: Arrays,
    expected: Arrays,
    what: str,
    told: str,
    own: float,
    common: float = 0.0,
    rounding: Sequence[float] | None = None,
) -> None:
    """Require errors of at most `own` of an array's largest number and `common` of the largest.

    The largest number of an array counts as 0.01 at least: it may be what is left of larger ones.
    The expected numbers may themselves be off by `rounding`, one number for each array.
    """
    largest = [float(np.abs(b).max(initial=0.01)) for b in expected]
    off = rounding or [0.0] * len(expected)
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert a.shape == b.shape, f"{what} {i} has shape {a.shape}, not {b.shape}; {told}"
        assert np.isfinite(b).all(), f"{what} {i} is not finite; {told}"
        error = float(np.abs(a - b).max(initial=0))
        allowed = own * largest[i] + common * max(largest) + off[i]
        assert error <= allowed, f"{what} {i} is off by {error:.1e} of {largest[i]:.1e}; {told}"


def _values_of(program: Program, variables: list[Variable]) -> list[Value]:
    read = [value for node in program.nodes for value in node.inputs if value is not None]
    values = {id(value.variable): value for value in read if value.variable is not None}
    return [values[id(variable)] for variable in variables]

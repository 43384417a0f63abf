"""The reference engine: a program run node by node with the operations' own NumPy definitions.

Forward, each node's `forward` in order. Backward, each node's `backward` in reverse order: the
gradient of a value that several nodes read is the sum of what they hand back (the chain rule).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pellucid.graph.program import Node, Program, Value
from pellucid.graph.variable import Variable
from pellucid.ops._operation import Array
from pellucid.random import generator, seeded_generator

__all__ = ["Values", "draw", "forward", "gradients", "state_updates"]

Values = dict[Value, Array]


def draw(program: Program, batch_size: int, key: Sequence[int | str]) -> Values:
    """Draw the program's random values for one step.

    Each comes from a generator of its own, keyed by `key` and the value's place among them, so
    that any step can be repeated alone. Where the layer has a seed of its own, that and `key`
    decide alone, wherever the layer stands.
    """
    drawn: Values = {}
    for place, value in enumerate(program.random_values):
        if value.seed is None:
            source = generator(*key, place)
        else:
            source = seeded_generator(value.seed, *key, value.name.rpartition(".")[2])
        if value.sample is not None:
            drawn[value] = value.sample(source, batch_size)
    return drawn


def forward(
    program: Program,
    inputs: Iterable[Array],
    random: Mapping[Value, Array] | None = None,
    *,
    keep: bool = False,
) -> Values:
    """Run the program and return its values.

    Args:
        program: What to run.
        inputs: An array for each of the program's inputs, in order.
        random: The random values, as `draw` gives them.
        keep: Whether to keep every intermediate value (for `gradients`, or to look at); otherwise
            each is let go after its last use, and only the outputs are returned.
    """
    values: Values = dict(zip(program.inputs, inputs, strict=True))
    values.update(random or {})
    last_use = {} if keep else _last_uses(program)
    with _overflow_is_a_result():
        for position, node in enumerate(program.nodes):
            values[node.output] = node.op.forward(*_arrays(node, values))
            for value in last_use.get(position, ()):
                values.pop(value, None)
    return values


def gradients(program: Program, values: Mapping[Value, Array], wanted: Sequence[Value]) -> Values:
    """Return ∂(the sum of the first output)/∂value for each of the `wanted` values.

    Args:
        program: The program that was run.
        values: Every value of that run (`forward(…, keep=True)`).
        wanted: Inputs, weights or results; one that the output does not depend on gets zeros.
    """
    needed = _depends_on(program, wanted)
    output = program.outputs[0]
    found: Values = {output: np.ones_like(values[output])}
    owned: set[Value] = set()
    for node in reversed(program.nodes):
        dy = found.get(node.output)
        if dy is None or node.output not in needed:
            continue
        names = node.input_names
        wrt = {name for name, value in zip(names, node.inputs, strict=True) if value in needed}
        with _overflow_is_a_result():
            shares = node.op.backward(
                dy, values[node.output], *_arrays(node, values), wrt=frozenset(wrt)
            )
        for name, value, share in zip(names, node.inputs, shares, strict=True):
            if value is None or share is None or name not in wrt:
                continue
            if value not in found:
                found[value] = share
            elif value in owned:
                found[value] += share
            else:  # a share may be another array's view: never add to it in place
                found[value] = found[value] + share
                owned.add(value)
        if node.output not in wanted:
            del found[node.output]
    return {value: found.get(value, np.zeros_like(_array(value, values))) for value in wanted}


def state_updates(program: Program, values: Mapping[Value, Array]) -> list[tuple[Variable, Array]]:
    """Return the new state that a training step leaves, such as running statistics.

    What several nodes update, as those of a layer that is used twice, goes from one to the next.
    """
    latest: dict[Variable | None, Array] = {}
    for node in program.nodes:
        if node.updates:
            given = [
                None if value is None else latest.get(value.variable, array)
                for value, array in zip(node.inputs, _arrays(node, values), strict=True)
            ]
            latest.update(zip(node.updates, node.op.state_updates(*given), strict=True))
    return [(variable, new) for variable, new in latest.items() if variable is not None]


def _overflow_is_a_result() -> np.errstate:
    """Infinities and NaN are passed on, not warned about: whoever runs a step looks for them."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def _array(value: Value, values: Mapping[Value, Array]) -> Array:
    return values[value] if value.variable is None else values.get(value, value.variable.value)


def _arrays(node: Node, values: Mapping[Value, Array]) -> list[Array | None]:
    return [None if value is None else _array(value, values) for value in node.inputs]


def _last_uses(program: Program) -> dict[int, list[Value]]:
    last: dict[Value, int] = {}
    for position, node in enumerate(program.nodes):
        last[node.output] = position
        last.update({value: position for value in node.inputs if value is not None})
    wanted = set(program.outputs)
    uses: dict[int, list[Value]] = {}
    for value, position in last.items():
        if value not in wanted:
            uses.setdefault(position, []).append(value)
    return uses


def _depends_on(program: Program, wanted: Iterable[Value]) -> set[Value]:
    """Return the wanted values and all that is made from them."""
    needed = set(wanted)
    for node in program.nodes:
        names = zip(node.input_names, node.inputs, strict=True)
        if any(v in needed for name, v in names if name not in node.op.constant):
            needed.add(node.output)
    return needed

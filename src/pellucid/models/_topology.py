"""The graph of layers behind a model: which uses of which layers, in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.errors import ArgumentError
from pellucid.layers._layer import Layer
from pellucid.layers._symbolic import KerasTensor, LayerCall, flatten

__all__ = ["Topology", "topology"]


@dataclass(frozen=True)
class Topology:
    """What lies between a model's inputs and its outputs.

    Attributes:
        calls: The uses of layers, each after those whose results it reads.
        layers: The layers, each once, in Keras' order: the farther from the outputs the earlier,
            and at the same distance in the order in which they are met from the outputs.
    """

    calls: tuple[LayerCall, ...]
    layers: tuple[Layer, ...]


def topology(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> Topology:
    """Return what lies between `inputs` and `outputs`.

    Raises:
        ArgumentError: An output depends on an Input that is not among the inputs, or two layers
            have the same name.
    """
    given = {tensor.call for tensor in inputs}
    met: dict[int, int] = {}
    calls = _calls(inputs, outputs, met)
    for call in calls:
        if call not in given and not flatten_inputs(call):
            raise ArgumentError(
                f"The outputs depend on the input {call.layer.name!r}, which is not among the "
                f"model's inputs {[tensor.call.layer.name for tensor in inputs]}. Add it there."
            )
    for call in given:
        met.setdefault(id(call.layer), -1)
    met_calls = set(calls)
    missing = [call for call in given if call not in met_calls]
    layers = _in_order([*missing, *calls], set(inputs), met)
    for name, count in Counter(layer.name for layer in layers).items():
        if count > 1:
            raise ArgumentError(
                f"Two layers of the model are called {name!r}. Give one of them another name."
            )
    return Topology(tuple(calls), tuple(layers))


def flatten_inputs(call: LayerCall) -> list[KerasTensor]:
    """Return the tensors that a use of a layer reads; none for an Input."""
    return [] if call.inputs is None else flatten(call.inputs)


def _calls(
    inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor], met: dict[int, int]
) -> list[LayerCall]:
    """Return the calls in depth-first order, without recursion: networks may be deep."""
    given = set(inputs)
    done: dict[LayerCall, None] = {}
    for output in outputs:
        stack: list[tuple[KerasTensor, bool]] = [(output, False)]
        while stack:
            tensor, expanded = stack.pop()
            if tensor.call in done:
                continue
            if expanded:
                done[tensor.call] = None
                continue
            met.setdefault(id(tensor.call.layer), len(met))
            stack.append((tensor, True))
            if tensor not in given:
                stack.extend((read, False) for read in reversed(flatten_inputs(tensor.call)))
    return list(done)


def _in_order(
    calls: Sequence[LayerCall], given: set[KerasTensor], met: dict[int, int]
) -> list[Layer]:
    depth_of_call: dict[LayerCall, int] = {}
    depth: dict[int, int] = {}
    layers = {id(call.layer): call.layer for call in calls}
    for call in reversed(calls):
        here = max(depth_of_call.get(call, 0), depth.get(id(call.layer), 0))
        depth[id(call.layer)] = depth_of_call[call] = here
        if not any(output in given for output in flatten(call.outputs)):
            for read in flatten_inputs(call):
                depth_of_call[read.call] = max(here + 1, depth_of_call.get(read.call, 0))
    order = sorted(layers, key=lambda key: (-depth[key], met[key]))
    return [layers[key] for key in order]

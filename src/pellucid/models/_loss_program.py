"""A model and its losses as one program: from inputs, targets and weights to the total loss."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pellucid.graph import Program, Tracer, Variable
from pellucid.layers._symbolic import flatten
from pellucid.models.network import Network
from pellucid.ops.add import Add
from pellucid.ops.rescaling import Rescaling

__all__ = ["loss_program"]


def loss_program(
    model: Network,
    losses: Sequence[Any],
    loss_weights: Sequence[float],
    training: bool,
    weighted: Collection[int],
    variables: Sequence[Variable],
) -> Program:
    """Trace a model together with its losses.

    Args:
        model: The model.
        losses: The loss of each output, or None.
        loss_weights: How much each output's loss counts.
        training: Whether to trace for training.
        weighted: The outputs whose samples have weights.
        variables: The variables whose penalties count.

    Returns:
        A program that reads inputs, then targets, then sample weights, and makes the total loss,
        each output's own loss, and the outputs.
    """
    g = Tracer(training)
    inputs = model.trace_inputs(g)
    outputs = flatten(model.call(g, *inputs))
    targets, sample_weights, parts, terms = [], [], [], []
    for index, loss in enumerate(losses):
        if loss is None:
            continue
        target = g.input(loss.target_shape(outputs[index].shape), "target", "target")
        weight = g.input((None,), "sample_weight", "target") if index in weighted else None
        part = loss.build(g, outputs[index], target, weight)
        scale = loss_weights[index]
        terms.append(part if scale == 1 else g.apply(Rescaling(scale), part, role="weighted_loss"))
        targets.append(target)
        sample_weights += [] if weight is None else [weight]
        parts.append(part)
    terms += [
        g.apply(v.regularizer.operation(), g.weight(v), role=f"{v.path.replace('/', '.')}.penalty")
        for v in variables
        if v.regularizer is not None
    ]
    total = terms[0] if len(terms) == 1 else g.apply(Add(), *terms, role="total_loss")
    return g.program([*inputs, *targets, *sample_weights], [total, *parts, *outputs])

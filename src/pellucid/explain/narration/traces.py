"""A whole pass, told: what went in, what came out, the strongest way there and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from pellucid.explain.address import Address
from pellucid.explain.narration.blocks import Block, Heading, Note, Paragraph, Story, Table
from pellucid.explain.narration.ledgers import ledger_blocks, terms_block
from pellucid.explain.narration.numbers import number

if TYPE_CHECKING:
    from pellucid.explain.ledger import Ledger
    from pellucid.explain.trace import Trace

__all__ = ["prediction_table", "trace_story"]

_MOST_CLASSES = 10
_MOST_STEPS = 60
_TERMS = 4


def trace_story(trace: Trace) -> Story:
    """Return the story of a pass: its layers, its answer, and the strongest way there and back."""
    story = Story(f"What {trace.model.name} makes of one picture")
    story.add(*(Note(note) for note in trace.notes))
    story.add(Heading("What comes out"), prediction_table(trace))
    if trace.loss is not None:
        story.add(Paragraph(f"The loss is {number(trace.loss)}: `loss`."))
    story.add(Heading("Layer by layer"), _layers(trace))
    story.add(Heading("How the answer came about"), *_forward(trace))
    if trace.gradients is not None:
        story.add(Heading("How the network would learn from it"), *_backward(trace))
    story.add(
        Note("Every number can be asked about by its address, with `--at` or as `trace[address]`.")
    )
    return story


def prediction_table(trace: Trace) -> Table:
    """Return the first output of the first sample, the largest numbers first."""
    name = trace.outputs[0]
    values = np.ravel(trace.array(Address(name, None, 0)))
    order = np.argsort(-values, kind="stable")[:_MOST_CLASSES]
    shape = trace.tensors[name].shape
    rows = tuple(
        (_label(trace, i, values.size), _four(values[i]), f"{name}[{_index(i, shape)}]")
        for i in map(int, order)
    )
    more = f"{values.size - len(rows):,} more are smaller; " if values.size > len(rows) else ""
    return Table(
        ("class", "output", "address"), rows, f"{more}rounded to 4 decimals", frozenset({0, 2})
    )


def _label(trace: Trace, place: int, count: int) -> str:
    """Return what an output stands for; the only output of two classes is the second one's."""
    names = trace.class_names or []
    if count == 1:
        return names[1] if len(names) == 2 else ""
    return names[place] if count == len(names) else str(place)


def _index(place: int, shape: tuple[int, ...]) -> str:
    return ",".join(str(int(i)) for i in np.unravel_index(place, shape))


def _four(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


def _layers(trace: Trace) -> Table:
    rows = []
    for tensor in trace.tensors.values():
        if tensor.kind not in ("input", "result") or not tensor.shape:
            continue
        values = trace.array(Address(tensor.name, None, 0))
        rows.append(
            (
                tensor.name,
                " × ".join(map(str, tensor.shape)),
                _three(values.min()),
                _three(values.max()),
                f"{(values == 0).mean():.0%}",
            )
        )
    header = ("numbers", "shape", "least", "greatest", "zeros")
    return Table(header, tuple(rows), "rounded to 3 decimals")


def _three(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _forward(trace: Trace) -> Iterator[Block]:
    values = np.ravel(trace.array(Address(trace.outputs[0], None, 0)))
    shape = trace.tensors[trace.outputs[0]].shape
    start = tuple(map(int, np.unravel_index(int(values.argmax()), shape)))
    yield Paragraph(
        "We begin at the largest output and go back, each time to the largest term or, where one "
        "number was chosen among several, to the one that won."
    )
    ledger = trace[Address(trace.outputs[0], start, 0)]
    for _ in range(_MOST_STEPS):
        yield from _step(ledger)
        onward = _before(ledger)
        if onward is None:
            return
        ledger = onward


def _step(ledger: Ledger) -> Iterator[Block]:
    yield Heading(f"`{ledger.address}` = {number(ledger.value)}", 3)
    if not ledger.terms:
        yield from map(Paragraph, ledger.notes)
        return
    first = next(ledger_blocks(ledger))
    if isinstance(first, Paragraph):
        yield Paragraph(first.text.split(". ", 1)[-1])
    if len(ledger.terms) > 1:
        yield terms_block(ledger, _TERMS)
    elif ledger.how != "copy":
        yield Paragraph(f"`{ledger.formula_with_numbers}`")


def _before(ledger: Ledger) -> Ledger | None:
    """Return the ledger of the strongest number that is no weight, if there is one before."""
    order = [ledger.terms[i] for i in _strongest(ledger)]
    for term in order:
        if term.main is not None and ledger.trace.tensors[term.main.tensor].kind in (
            "result",
            "input",
        ):
            return ledger.trace[term.main]
    return None


def _strongest(ledger: Ledger) -> list[int]:
    values = ledger.terms.values
    if ledger.how == "maximum":
        return [values.index(max(values))]
    if ledger.how == "function":
        return list(range(len(values)))
    return sorted(range(len(values)), key=lambda i: -abs(values[i]))


def _backward(trace: Trace) -> Iterator[Block]:
    address = _strongest_weight(trace)
    if address is None:
        yield Paragraph("Nothing in this network is trained.")
        return
    yield Paragraph(
        f"Of the weights of the first layer that is trained, `{address}` has the largest gradient. "
        f"The gradient is made of what the layers behind hand back:"
    )
    ledger = trace[address.grad]
    for _ in range(_MOST_STEPS):
        yield from _step(ledger)
        onward = [t.main for t in map(ledger.terms.__getitem__, _strongest(ledger)) if t.main]
        if not onward or not onward[0].is_gradient or onward[0] == ledger.address:
            break
        ledger = trace[onward[0]]
    yield Heading("And the step", 3)
    yield from ledger_blocks(trace[Address(address.tensor, address.index, None, "updated")])


def _strongest_weight(trace: Trace) -> Address | None:
    for tensor in trace.tensors.values():
        trained = tensor.kind == "weight" and {"grad", "updated"} <= set(tensor.quantities)
        if not trained or len(tensor.shape) < 2:
            continue
        gradient = trace.array(Address(tensor.name, None, None, "grad"))
        if gradient.any():
            place = np.unravel_index(int(np.abs(gradient).argmax()), gradient.shape)
            return Address(tensor.name, tuple(map(int, place)))
    return None

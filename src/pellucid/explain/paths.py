"""How one number reaches another, step by step: pixel, products, gate, pool, logit, loss.

Each step goes from a number to one that was made from it, and has a slope: how much the second
changes when the first does. Along a path slopes multiply; over all paths the products add up to
the gradient (the chain rule).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.explain._recording import Gradients
from pellucid.explain.address import Address
from pellucid.explain.formula import number
from pellucid.explain.receptive_field import Axes, reachable
from pellucid.explain.terms import note_of
from pellucid.graph import Node, Value
from pellucid.ops._terms import Expression, Named, Product, Sum, Table

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["Path", "Step", "all_paths", "find_path"]


@dataclass(frozen=True)
class Step:
    """One step of a path.

    Attributes:
        source: The number that is read.
        target: The number made from it.
        slope: ∂target/∂source.
        contribution: The term of the target that the source stands in; None where there is none.
        value: The target.
        gradient: ∂end/∂target.
        choices: How many numbers read the source; this target hands back the largest share.
        operation: The operation between them.
        layer: Its layer; "" for the loss.
        note: "gate open", "gate shut", "winner", "winner, tied", "tie", "loser", or "".
    """

    source: Address
    target: Address
    slope: float
    contribution: float | None
    value: float
    gradient: float
    choices: int
    operation: str
    layer: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return the step as JSON."""
        return {**vars(self), "source": str(self.source), "target": str(self.target)}

    def __str__(self) -> str:
        note = f", {self.note}" if self.note else ""
        return (
            f"{self.source} → {self.target} = {number(self.value)} "
            f"({self.operation}: slope {number(self.slope)}{note})"
        )


@dataclass(frozen=True)
class Path:
    """The way from one number to another along which most of the gradient comes back.

    Attributes:
        start: The number that it begins with, towards the input.
        end: The number that it ends with, towards the loss.
        steps: The steps, from start to end.
        gradient: ∂end/∂start, over all paths.
    """

    start: Address
    end: Address
    steps: tuple[Step, ...]
    gradient: float

    @property
    def addresses(self) -> list[Address]:
        """The numbers on the way, start and end among them."""
        return [self.start, *(step.target for step in self.steps)]

    @property
    def backward(self) -> list[Address]:
        """The gradients of these numbers, on the way back."""
        return [address.grad for address in reversed(self.addresses)]

    @property
    def product(self) -> float:
        """The product of the slopes: what this path alone adds to the gradient."""
        return math.prod(step.slope for step in self.steps)

    @property
    def blocked(self) -> Step | None:
        """The first step that lets nothing through: a shut gate, a lost maximum, a weight of 0."""
        return next((step for step in self.steps if step.slope == 0), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the path as JSON."""
        return {
            "start": str(self.start),
            "end": str(self.end),
            "gradient": self.gradient,
            "product": self.product,
            "blocked": None if self.blocked is None else str(self.blocked.target),
            "steps": [step.to_dict() for step in self.steps],
        }

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


class _Edge(NamedTuple):
    node: Node
    cell: tuple[int, ...]
    slope: float
    note: str


def find_path(trace: Trace, first: Address, second: Address) -> Path:
    """Return the path between two numbers, whichever comes first; see `Trace.path`.

    Where nothing gets through, it goes on along the largest slopes to the end all the same, so
    that it shows what stands in the way.

    Raises:
        ArgumentError: Neither number was made from the other.
    """
    first, second = trace[first.plain].address, trace[second.plain].address
    for start, end in ((first, second), (second, first)):
        gradients = trace.gradients_of(end)
        value = trace.value_of(start)
        if value not in gradients.reached:
            continue
        if gradients.array(value)[start.cell] != 0:
            return _walked(trace, start, end, gradients, None)
        allowed = reachable(trace, gradients.of, end.cell)
        if _leads(value, start.cell, allowed):
            return _walked(trace, start, end, gradients, allowed)
    raise _no_path(first, second)


def all_paths(trace: Trace, start: Address, end: Address) -> Iterator[tuple[list[Address], float]]:
    """Yield every path from start to end, with the product of its slopes.

    Their number grows with every layer: this is for small networks. The products add up to the
    gradient.
    """
    gradients = trace.gradients_of(end)
    open_ = [([start], 1.0)]
    while open_:
        addresses, product = open_.pop()
        here = addresses[-1]
        if here == end:
            yield addresses, product
            continue
        for edge in _edges(trace, gradients, trace.value_of(here), here.cell):
            following = trace.place(edge.node.output).address(edge.cell)
            open_.append(([*addresses, following], product * edge.slope))


def _no_path(first: Address, second: Address) -> ArgumentError:
    return ArgumentError(
        f"There is no path between {first} and {second}: neither was made from the other. "
        f"trace.receptive_field(address) says what a number was made from."
    )


def _walked(
    trace: Trace,
    start: Address,
    end: Address,
    gradients: Gradients,
    allowed: dict[Value, Axes] | None,
) -> Path:
    steps: list[Step] = []
    here = start
    while here != end:
        edges = [
            edge
            for edge in _edges(trace, gradients, trace.value_of(here), here.cell)
            if _leads(edge.node.output, edge.cell, allowed)
        ]
        if not edges:
            raise _no_path(start, end)
        edge = max(edges, key=lambda e: (abs(e.slope * _gradient(gradients, e)), abs(e.slope)))
        target = trace.place(edge.node.output).address(edge.cell)
        steps.append(_step(trace, here, target, edge, gradients, len(edges)))
        here = target
    value = trace.value_of(start)
    return Path(start, end, tuple(steps), float(gradients.array(value)[start.cell]))


def _step(
    trace: Trace, here: Address, target: Address, edge: _Edge, gradients: Gradients, choices: int
) -> Step:
    ledger = trace[target]
    mine = ledger.terms.containing(here)
    contribution = math.fsum(term.value for term in mine) if ledger.how == "sum" else None
    note = edge.note
    if ledger.how == "maximum" and mine:
        note = mine[0].note
        contribution = mine[0].value
    return Step(
        here,
        target,
        edge.slope,
        contribution,
        ledger.value,
        _gradient(gradients, edge),
        choices,
        edge.node.op.name,
        edge.node.layer,
        note,
    )


def _gradient(gradients: Gradients, edge: _Edge) -> float:
    return float(gradients.array(edge.node.output)[edge.cell])


def _leads(value: Value, cell: tuple[int, ...], allowed: dict[Value, Axes] | None) -> bool:
    """Whether a cell can lead to the end; weights have no place of their own, so they always do."""
    if allowed is None or value.variable is not None:
        return True
    axes = allowed.get(value)
    return axes is not None and all(i in axis for i, axis in zip(cell, axes, strict=True))


def _edges(trace: Trace, gradients: Gradients, value: Value, cell: tuple[int, ...]) -> list[_Edge]:
    """Return who reads a cell, and with what slope: the coefficients of dy in its gradient."""
    edges = []
    for node, part in trace.gradient_parts(gradients, value, cell):
        whole = part.expression
        if isinstance(whole, Sum) and isinstance(whole.terms, Table):
            edges += [_Edge(node, place, s, "") for place, s in coefficients(whole).items()]
            continue
        notes: dict[tuple[int, ...], str] = {}
        slopes: dict[tuple[int, ...], float] = {}
        for term in whole.terms if isinstance(whole, Sum) else (whole,):
            for place, slope in coefficients(term).items():
                slopes[place] = slopes.get(place, 0.0) + slope
                notes.setdefault(place, note_of(term))
        edges += [_Edge(node, place, slope, notes[place]) for place, slope in slopes.items()]
    return edges


def coefficients(expression: Expression) -> dict[tuple[int, ...], float]:
    """Return what each cell of dy is multiplied by in a gradient, which is linear in them."""
    found: dict[tuple[int, ...], float] = {}
    match expression:
        case Sum(Table(columns=columns, tail=())) if columns[0].tensor == "dy":
            above, *others = columns
            slopes = np.ones(len(expression.terms))
            for column in others:
                slopes = slopes * column.values
            index = np.broadcast_arrays(*above.index, slopes)[:-1]
            for place, slope in zip(
                zip(*(i.tolist() for i in index), strict=True), slopes.tolist(), strict=True
            ):
                found[place] = found.get(place, 0.0) + slope
        case Sum(terms):
            for term in terms:
                for place, slope in coefficients(term).items():
                    found[place] = found.get(place, 0.0) + slope
        case Product(factors):
            scale = 1.0
            for factor in factors:
                inner = {} if found else coefficients(factor)
                if inner:
                    found = inner
                else:
                    scale *= factor.value
            found = {place: slope * scale for place, slope in found.items()}
        case Named(_, inner_expression):
            return coefficients(inner_expression)
        case _ if getattr(expression, "tensor", "") == "dy":
            found[next(iter(expression.cells())).index] = 1.0
    return found

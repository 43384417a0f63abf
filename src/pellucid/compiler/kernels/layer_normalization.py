"""Layer normalisation: each run of numbers that lie side by side, by its own mean and variance.

A run is taken three times forward (mean, squares about it, result) and twice backward (two sums,
dx with γ's and β's parts); it is in the cache after the first. Floor: a load and a store for each
number forward, two loads and a store backward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.schedule import NO_FRAME, Place

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    rank = len(node.output.shape)
    axes = op._axes(rank)
    return None if axes == tuple(range(axes[0], rank)) else "layer normalisation over inner axes"


def _first(group: Group) -> int:
    """The first axis of a sample that is normalised."""
    return int(group.op._axes(len(group.output.shape))[0]) - 1


def _rows(f: Function, first: int, *places: Place) -> Iterator[tuple[Index, list[Index]]]:
    """Yield the number of every run, and where it begins in each place."""
    shape = places[0].shape
    with ExitStack() as loops:
        number: Index = 0
        offsets: list[Index] = [0] * len(places)
        for axis in range(first):
            i = loops.enter_context(f.each(shape[axis]))
            number = number * shape[axis] + i
            inside = math.prod(shape[axis + 1 :])
            offsets = [
                here + i * (place.row if axis == 0 and len(shape) == 3 else inside)
                for here, place in zip(offsets, places, strict=True)
            ]
        yield number, offsets


def _sums(
    f: Function, size: int, count: int, term: Callable[[Index, int | None], list[Value]]
) -> list[Value]:
    """Return the `count` sums of `term` over a run, in every lane; its unused lanes must be 0."""
    whole, rest = divmod(size, f.lanes)
    at_once = min(whole, 4)
    totals = [f.zero()] * count
    if whole:
        blocks, left = divmod(whole, at_once)

        def step(i: Index, acc: list[Value]) -> list[Value]:
            found = [
                value
                for k in range(at_once)
                for value in term(i * (at_once * f.lanes) + k * f.lanes, None)
            ]
            return [a + value for a, value in zip(acc, found, strict=True)]

        sums = f.carry(blocks, [f.zero()] * (count * at_once), step)
        for k in range(at_once):
            totals = [a + b for a, b in zip(totals, sums[k * count :], strict=False)]
        for k in range(whole - left, whole):
            totals = [a + b for a, b in zip(totals, term(k * f.lanes, None), strict=True)]
    if rest:
        totals = [a + b for a, b in zip(totals, term(whole * f.lanes, rest), strict=True)]
    return [f.splat(f.sum(total)) for total in totals]


def _plain(b: Builder, group: Group, place: Place, name: str) -> Place:
    """Return a place without a frame where whole images are one run; the caller copies."""
    if _first(group) or place.frame == NO_FRAME:
        return place
    return b.extra(group, name, place.shape)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node, first = group.node, _first(group)
    x, y = b.place(node.inputs[0]), b.place(group.output)
    source_place, result = _plain(b, group, x, "x"), _plain(b, group, y, "y")
    if source_place is not x:
        b.copy(group.layer, x, source_place)
    rows, size = math.prod(x.shape[:first]), math.prod(x.shape[first:])
    mean, inverse = (b.extra(group, name, (rows,)) for name in ("mean", "1/deviation"))
    gamma, beta = (None if value is None else b.place(value) for value in node.inputs[1:])
    epsilon = group.op.epsilon

    def emit(f: Function) -> None:
        source, target, middles, spreads, *rest = f.arguments
        given = iter(rest)
        factor = next(given) if gamma is not None else None
        summand = next(given) if beta is not None else None
        for number, (i, j) in _rows(f, first, source_place, result):
            here, there = source + i, target + j

            def plain(k: Index, n: int | None, here: Address = here) -> list[Value]:
                return [here.load(k, n)]

            (total,) = _sums(f, size, 1, plain)
            middle = total * (1 / size)

            def squares(
                k: Index, n: int | None, here: Address = here, middle: Value = middle
            ) -> list[Value]:
                away = here.load(k, n) - middle
                inside = away if n is None else f.select(f.first_lanes(n), away, 0.0)
                return [inside * inside]

            (total,) = _sums(f, size, 1, squares)
            spread = f.splat(1.0) / f.intrinsic("sqrt", total * (1 / size) + epsilon)
            middles.put(f.extract(middle, 0), number)
            spreads.put(f.extract(spread, 0), number)
            for k, n in vectors_over(f, size):
                value = (here.load(k, n) - middle) * spread
                if factor is not None:
                    value = value * factor.load(k, n)
                there.store(value if summand is None else value + summand.load(k, n), k, n)

    given = [place for place in (gamma, beta) if place is not None]
    key = (
        "layer_normalization", source_place.layout, result.layout, first, epsilon, gamma is None,
        beta is None,
    )  # fmt: skip
    b.schedule.add(
        group.layer, key, "sample", [source_place, result, mean, inverse, *given],
        [result, mean, inverse], emit,
    )  # fmt: skip
    if result is not y:
        b.copy(group.layer, result, y)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    node, first = group.node, _first(group)
    x = _plain(b, group, b.place(node.inputs[0]), "x")
    dy = b.gradient(group.output)
    size = math.prod(x.shape[first:])
    mean, inverse = b.extra(group, "mean"), b.extra(group, "1/deviation")
    gamma = None if node.inputs[1] is None else b.place(node.inputs[1])
    dgamma, dbeta = (b.collect(v) if b.wants(v) else None for v in node.inputs[1:])
    dx, add = b.claim(node.inputs[0]) if b.wants(node.inputs[0]) else (None, False)
    outputs = [] if dx is None else [dx]

    def emit(f: Function) -> None:
        source, gradient, middles, spreads, *rest = f.arguments
        given = iter(rest)
        factor, scales, shifts, target = (
            None if place is None else next(given) for place in (gamma, dgamma, dbeta, dx)
        )
        for number, (i, j, *o) in _rows(f, first, x, dy, *outputs):
            here, up = source + i, gradient + j
            middle, spread = middles.broadcast(number), spreads.broadcast(number)

            def pair(
                k: Index, n: int | None, here: Address = here, up: Address = up,
                middle: Value = middle, spread: Value = spread,
            ) -> tuple[Value, Value, Value]:  # fmt: skip
                """x̂, dy, and γ·dy."""
                value = up.load(k, n)
                scaled = value if factor is None else value * factor.load(k, n)
                return (here.load(k, n) - middle) * spread, value, scaled

            def products(k: Index, n: int | None) -> list[Value]:
                x_hat, _, scaled = pair(k, n)
                return [scaled, scaled * x_hat]

            if target is not None:
                plain, weighted = (total * (1 / size) for total in _sums(f, size, 2, products))
            for k, n in vectors_over(f, size):
                x_hat, value, scaled = pair(k, n)
                if scales is not None:
                    scales.store(f.fma(value, x_hat, scales.load(k, n)), k, n)
                if shifts is not None:
                    shifts.store(shifts.load(k, n) + value, k, n)
                if target is not None:
                    there = target + o[0]
                    found = (scaled - plain - x_hat * weighted) * spread
                    there.store(found + there.load(k, n) if add else found, k, n)

    wanted = [place for place in (dgamma, dbeta, dx) if place is not None]
    places = [x, dy, mean, inverse, *([] if gamma is None else [gamma]), *wanted]
    key = (
        "layer_normalization_gradient", x.layout, dy.layout, first, gamma is None, dgamma is None,
        dbeta is None, dx and dx.layout, add,
    )  # fmt: skip
    b.schedule.add(group.layer, key, "sample", places, wanted, emit)

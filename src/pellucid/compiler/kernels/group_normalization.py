"""Group normalisation: sums over a sample's pixels by channel, then over each group's channels.

Forward takes x three times: for the means, for the squares about them (E[x²] − E[x]² would lose
digits), and to normalise; backward twice: for Σ dy and Σ dy·x̂, and for dx. A sample stays in the
cache meanwhile. Floor: five loads and two stores for each number, both ways together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels._channels import channel_sums, pixels_of

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.graph import Node

__all__ = ["backward", "forward", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    last = op.axis in (-1, len(node.output.shape) - 1)
    return None if last else "group normalisation over another axis than the last"


def _groups(group: Group, channels: int) -> int:
    return channels if group.op.groups == -1 else int(group.op.groups)


def _clear(f: Function, channels: int, *targets: Address) -> None:
    for k, n in vectors_over(f, channels):
        for target in targets:
            target.store(f.zero(), k, n)


def _spread(
    f: Function,
    channels: int,
    groups: int,
    term: Callable[[Index, int | None], list[Value]],
    finish: Callable[[list[Value]], list[Value]],
    targets: list[Address],
) -> None:
    """Write to every channel of a group what `finish` makes of the sums of `term` over it."""
    if groups == channels:
        for k, n in vectors_over(f, channels):
            for target, value in zip(targets, finish(term(k, n)), strict=True):
                target.store(value, k, n)
        return
    run = channels // groups
    with f.each(groups) as g:
        first = g * run
        sums = [f.zero()] * len(targets)
        for k in range(0, run, f.lanes):
            n = min(f.lanes, run - k)
            sums = [a + b for a, b in zip(sums, term(first + k, n), strict=True)]
        values = finish([f.splat(f.sum(total)) for total in sums])
        for k, n in vectors_over(f, run):
            for target, value in zip(targets, values, strict=True):
                target.store(value, first + k, n)


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    node = group.node
    x, y = b.place(node.inputs[0]), b.place(group.output)
    channels = x.shape[-1]
    groups = _groups(group, channels)
    size, epsilon = math.prod(x.shape) // groups, group.op.epsilon
    mean, inverse = (b.extra(group, name, (channels,)) for name in ("mean", "1/deviation"))
    sums = b.extra(group, "sums", (channels,))
    gamma, beta = (None if value is None else b.place(value) for value in node.inputs[1:])

    def emit(f: Function) -> None:
        source, target, middle, spread, total, *rest = f.arguments
        given = iter(rest)
        factor = next(given) if gamma is not None else None
        summand = next(given) if beta is not None else None

        def sum_of(k: Index, n: int | None) -> list[Value]:
            return [total.load(k, n)]

        _clear(f, channels, total)
        channel_sums(f, [x], [total], lambda at, k, n: [source.load(at[0], n)])
        _spread(f, channels, groups, sum_of, lambda s: [s[0] * (1 / size)], [middle])

        def squares(at: list[Index], k: Index, n: int | None) -> list[Value]:
            away = source.load(at[0], n) - middle.load(k, n)
            return [away * away]

        def invert(s: list[Value]) -> list[Value]:
            return [f.splat(1.0) / f.intrinsic("sqrt", s[0] * (1 / size) + epsilon)]

        _clear(f, channels, total)
        channel_sums(f, [x], [total], squares)
        _spread(f, channels, groups, sum_of, invert, [spread])
        for (i, j), k, n in pixels_of(f, x, y):
            scale = spread.load(k, n)
            if factor is not None:
                scale = scale * factor.load(k, n)
            value = (source.load(i, n) - middle.load(k, n)) * scale
            target.store(value if summand is None else value + summand.load(k, n), j, n)

    places = [x, y, mean, inverse, sums, *(p for p in (gamma, beta) if p is not None)]
    key = ("group_normalization", x.layout, y.layout, groups, epsilon, gamma is None, beta is None)
    b.schedule.add(group.layer, key, "sample", places, [y, mean, inverse, sums], emit)


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass."""
    node = group.node
    x, dy = b.place(node.inputs[0]), b.gradient(group.output)
    channels = x.shape[-1]
    groups = _groups(group, channels)
    share = groups / math.prod(x.shape)
    mean, inverse = b.extra(group, "mean"), b.extra(group, "1/deviation")
    plain, weighted = (b.extra(group, name, (channels,)) for name in ("Σ dy", "Σ dy·x̂"))
    gamma = None if node.inputs[1] is None else b.place(node.inputs[1])
    dgamma, dbeta = (b.collect(v) if b.wants(v) else None for v in node.inputs[1:])
    dx, add = b.claim(node.inputs[0]) if b.wants(node.inputs[0]) else (None, False)

    def emit(f: Function) -> None:
        source, gradient, middle, spread, sums, products, *rest = f.arguments
        given = iter(rest)
        factor, scales, shifts, target = (
            None if place is None else next(given) for place in (gamma, dgamma, dbeta, dx)
        )

        def x_hat(i: Index, k: Index, n: int | None) -> Value:
            found: Value = (source.load(i, n) - middle.load(k, n)) * spread.load(k, n)
            return found

        def both(at: list[Index], k: Index, n: int | None) -> list[Value]:
            up = gradient.load(at[1], n)
            return [up, up * x_hat(at[0], k, n)]

        _clear(f, channels, sums, products)
        channel_sums(f, [x, dy], [sums, products], both)
        for k, n in vectors_over(f, channels):
            for into, part in ((scales, products), (shifts, sums)):
                if into is not None:
                    into.store(into.load(k, n) + part.load(k, n), k, n)
        if dx is None or target is None:
            return

        def scaled(k: Index, n: int | None) -> list[Value]:
            found = [sums.load(k, n), products.load(k, n)]
            return found if factor is None else [value * factor.load(k, n) for value in found]

        _spread(f, channels, groups, scaled, lambda s: [v * share for v in s], [sums, products])
        for (i, j, o), k, n in pixels_of(f, x, dy, dx):
            up = gradient.load(j, n)
            if factor is not None:
                up = up * factor.load(k, n)
            value = up - sums.load(k, n) - x_hat(i, k, n) * products.load(k, n)
            value = value * spread.load(k, n)
            target.store(value + target.load(o, n) if add else value, o, n)

    wanted = [place for place in (dgamma, dbeta, dx) if place is not None]
    places = [x, dy, mean, inverse, plain, weighted, *([] if gamma is None else [gamma]), *wanted]
    key = (
        "group_normalization_gradient", x.layout, dy.layout, groups, gamma is None, dgamma is None,
        dbeta is None, dx and dx.layout, add,
    )  # fmt: skip
    b.schedule.add(group.layer, key, "sample", places, [plain, weighted, *wanted], emit)

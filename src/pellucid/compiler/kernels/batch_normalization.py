"""Batch normalisation: sums over channels are kept in registers, by chunk of the batch.

**Training**: mean and variance are taken in two passes, as the operation does, since E[x²] − E[x]²
loses digits. The first runs behind what makes x, while x is in the cache. Backward: one pass for
Σ dy and Σ dy·x̂, one for dx. Floor: four loads and two stores for each number, both ways together
with the activation after it, which is part of the last forward pass.

**Inference**: one factor and one summand for each channel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels import activation
from pellucid.compiler.kernels._channels import channel_sums, pixels_of
from pellucid.compiler.kernels.activation import gated
from pellucid.ops._operation import known

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group
    from pellucid.compiler.schedule import Place
    from pellucid.graph import Node
    from pellucid.graph import Value as GraphValue

__all__ = ["backward", "forward", "fuses", "refusal"]


def refusal(node: Node) -> str | None:
    """Return why there is no kernel for this node, or None."""
    op: Any = node.op
    rank = len(node.output.shape)
    last = op.axis in (-1, rank - 1)
    return (
        None if last and rank in (2, 4) else "batch normalisation over another axis than the last"
    )


def fuses(group: Group, follower: Node, training: bool) -> bool:
    """Pooling is not part of it."""
    return False


def _total(
    f: Function, source: Address, chunks: Address, stride: int, k: Index, n: int | None
) -> Value:
    """Return a vector summed over the chunks, in order."""
    (total,) = f.carry(
        chunks.get(), [f.zero()], lambda c, acc: [acc[0] + source.load(c * stride + k, n)]
    )
    return total


def _count(f: Function, batch: Value, pixels: int) -> Value:
    """Return the number of numbers of a channel, as a vector."""
    return f.splat(f.convert(batch * pixels, "float"))


def forward(b: Builder, group: Group) -> None:
    """Add the jobs of the forward pass."""
    node = group.node
    x, y = b.place(node.inputs[0]), b.place(group.output)
    channels = x.shape[-1]
    mean, inverse = _statistics(b, group, x, channels)
    gamma = None if node.inputs[1] is None else b.place(node.inputs[1])
    beta = None if node.inputs[2] is None else b.place(node.inputs[2])

    def emit(f: Function) -> None:
        given = iter(f.arguments)
        source, middle, spread, target = (next(given) for _ in range(4))
        factor = next(given) if gamma is not None else None
        summand = next(given) if beta is not None else None
        for (i, j), k, n in pixels_of(f, x, y):
            scale = spread.load(k, n)
            if isinstance(factor, Address):
                scale = scale * factor.load(k, n)
            value = (source.load(i, n) - middle.load(k, n)) * scale
            if isinstance(summand, Address):
                value = value + summand.load(k, n)
            target.store(activation.apply(f, group.activation, value), j, n)

    places = [p for p in (x, mean, inverse, y, gamma, beta) if p is not None]
    key = ("batch_normalization", x.layout, y.layout, gamma is None, beta is None, group.activation)
    b.schedule.add(group.layer, key, "sample", places, [y], emit)


def _statistics(b: Builder, group: Group, x: Place, channels: int) -> tuple[Place, Place]:
    """Return the places of the mean and of 1 / √(variance + ε), and add the jobs that fill them."""
    node = group.node
    epsilon = group.op.epsilon
    inverse = b.extra(group, "1/deviation", (channels,), extent="whole")

    def invert(f: Function, variance: Address, target: Address) -> None:
        for k, n in vectors_over(f, channels):
            root = f.intrinsic("sqrt", variance.load(k, n) + epsilon)
            target.store(f.splat(1.0) / root, k, n)

    if not group.op.training:
        mean, variance = b.place(node.inputs[3]), b.place(node.inputs[4])

        def emit_stored(f: Function) -> None:
            source, target, *_ = f.arguments
            invert(f, source, target)

        b.schedule.add(
            group.layer, ("deviation", channels, epsilon), "item", [variance, inverse], [inverse],
            emit_stored, count=lambda _: 1,
        )  # fmt: skip
        return mean, inverse
    pixels = math.prod(x.shape[:-1])
    mean = b.extra(group, "mean", (channels,), extent="whole")
    variance = b.extra(group, "variance", (channels,), extent="whole")
    mean.keep = variance.keep = True
    sums = b.extra(group, "Σ x (by chunk)", (channels,), extent="chunk")
    squares = b.extra(group, "Σ (x − mean)² (by chunk)", (channels,), extent="chunk")
    b.clear(sums)

    def emit_sum(f: Function) -> None:
        source, target = f.arguments
        channel_sums(f, [x], [target], lambda where, k, n: [source.load(where[0], n)])

    b.schedule.add(group.layer, ("sum", x.layout), "sample", [x, sums], [sums], emit_sum)

    def emit_mean(f: Function) -> None:
        source, chunks, target, _, batch = f.arguments
        for k, n in vectors_over(f, channels):
            total = _total(f, source, chunks, sums.stride, k, n)
            target.store(total / _count(f, batch, pixels), k, n)

    b.schedule.add(
        group.layer, ("mean", channels, pixels), "item", [sums, b.chunk_count, mean], [mean],
        emit_mean, count=lambda _: 1,
    )  # fmt: skip
    b.clear(squares)

    def emit_squares(f: Function) -> None:
        source, middle, target = f.arguments

        def term(where: list[Index], k: Index, n: int | None) -> list[Value]:
            away = source.load(where[0], n) - middle.load(k, n)
            return [away * away]

        channel_sums(f, [x], [target], term)

    b.schedule.add(
        group.layer, ("squares", x.layout), "sample", [x, mean, squares], [squares], emit_squares
    )

    def emit_variance(f: Function) -> None:
        source, chunks, target, deviation, _, batch = f.arguments
        for k, n in vectors_over(f, channels):
            total = _total(f, source, chunks, squares.stride, k, n)
            target.store(total / _count(f, batch, pixels), k, n)
        invert(f, target, deviation)

    b.schedule.add(
        group.layer, ("variance", channels, pixels, epsilon), "item",
        [squares, b.chunk_count, variance, inverse], [variance, inverse], emit_variance,
        count=lambda _: 1,
    )  # fmt: skip
    b.statistics[node] = (mean, variance)
    return mean, inverse


def folded(b: Builder, group: Group, bias: Place | None) -> tuple[Place, Place]:
    """Return the places of one factor and one summand for each channel of what is before it.

    γ·(y + bias − mean) / √(variance + ε) + β = y · factor + summand: fused into the kernel that
    makes y, normalising by stored statistics costs one multiply-add for each number.
    """
    assert group.norm is not None
    op: Any = group.norm.op
    gamma, beta, mean, variance = (
        None if value is None else b.place(value) for value in group.norm.inputs[1:]
    )
    channels = known(group.norm.output.shape[1:])[-1]
    factor = b.extra(group, "factor", (channels,), extent="whole")
    summand = b.extra(group, "summand", (channels,), extent="whole")
    given = [place for place in (mean, variance, gamma, beta, bias) if place is not None]

    def emit(f: Function) -> None:
        arguments = iter(f.arguments)
        scale_at, shift_at, mean_at, variance_at = (next(arguments) for _ in range(4))
        gamma_at, beta_at, bias_at = (
            None if place is None else next(arguments) for place in (gamma, beta, bias)
        )
        for k, n in vectors_over(f, channels):
            scale = f.splat(1.0) / f.intrinsic("sqrt", variance_at.load(k, n) + op.epsilon)
            if gamma_at is not None:
                scale = scale * gamma_at.load(k, n)
            away = f.zero() if bias_at is None else bias_at.load(k, n)
            shift = (away - mean_at.load(k, n)) * scale
            if beta_at is not None:
                shift = shift + beta_at.load(k, n)
            scale_at.store(scale, k, n)
            shift_at.store(shift, k, n)

    key = ("fold", channels, op.epsilon, gamma is None, beta is None, bias is None)
    b.schedule.add(
        group.layer, key, "item", [factor, summand, *given], [factor, summand], emit,
        count=lambda _: 1,
    )  # fmt: skip
    return factor, summand


def backward(b: Builder, group: Group) -> None:
    """Add the jobs of the backward pass."""
    node = group.node
    training = group.op.training
    x, g = b.place(node.inputs[0]), gated(b, group)
    channels, pixels = x.shape[-1], math.prod(x.shape[:-1])
    mean = b.extra(group, "mean") if training else b.place(node.inputs[3])
    inverse = b.extra(group, "1/deviation")
    sums = b.extra(group, "Σ dy (by chunk)", (channels,), extent="chunk")
    products = b.extra(group, "Σ dy·x̂ (by chunk)", (channels,), extent="chunk")
    b.clear(sums)
    b.clear(products)

    def emit_sums(f: Function) -> None:
        source, gradient, middle, spread, plain, weighted = f.arguments

        def term(where: list[Index], k: Index, n: int | None) -> list[Value]:
            dy = gradient.load(where[1], n)
            x_hat = (source.load(where[0], n) - middle.load(k, n)) * spread.load(k, n)
            return [dy, dy * x_hat]

        channel_sums(f, [x, g], [plain, weighted], term)

    b.schedule.add(
        group.layer, ("normalization_sums", x.layout, g.layout), "sample",
        [x, g, mean, inverse, sums, products], [sums, products], emit_sums,
    )  # fmt: skip
    dbeta = b.extra(group, "Σ dy", (channels,), extent="whole")
    dgamma = b.extra(group, "Σ dy·x̂", (channels,), extent="whole")
    b.add_up(sums, dbeta, add=False)
    b.add_up(products, dgamma, add=False)
    for value, total in ((node.inputs[1], dgamma), (node.inputs[2], dbeta)):
        if b.wants(value):
            _hand_over(b, group, value, total, channels)
    if not b.wants(node.inputs[0]):
        return
    dx, add = b.claim(node.inputs[0])
    gamma = None if node.inputs[1] is None else b.place(node.inputs[1])

    def emit(f: Function) -> None:
        given = iter(f.arguments)
        source, gradient, middle, spread, plain, weighted, shares, target = (
            next(given) for _ in range(8)
        )
        factor = next(given) if gamma is not None else None
        share = shares.broadcast()
        for (i, j, o), k, n in pixels_of(f, x, g, dx):
            value = gradient.load(j, n)
            if training:
                x_hat = (source.load(i, n) - middle.load(k, n)) * spread.load(k, n)
                value = value - plain.load(k, n) * share - x_hat * (weighted.load(k, n) * share)
            scale = spread.load(k, n)
            if isinstance(factor, Address):
                scale = scale * factor.load(k, n)
            value = value * scale
            target.store(value + target.load(o, n) if add else value, o, n)

    share = _share(b, group, pixels)
    places = [
        x,
        g,
        mean,
        inverse,
        dbeta,
        dgamma,
        share,
        dx,
        *([gamma] if gamma is not None else []),
    ]
    key = ("normalization_data", training, x.layout, g.layout, dx.layout, gamma is None, add)
    b.schedule.add(group.layer, key, "sample", places, [dx], emit)


def _share(b: Builder, group: Group, pixels: int) -> Place:
    """Return the place of 1 / (how many numbers a channel has)."""
    share = b.extra(group, "1/m", (1,), extent="whole")

    def emit(f: Function) -> None:
        target, _, batch = f.arguments
        target.put(f.constant(1.0, "float") / f.convert(batch * pixels, "float"))

    b.schedule.add(
        group.layer, ("share", pixels), "item", [share], [share], emit, count=lambda _: 1
    )
    return share


def _hand_over(
    b: Builder, group: Group, value: GraphValue | None, total: Place, channels: int
) -> None:
    """Add the job that makes a sum the gradient of a weight."""
    gradient, add = b.weight_gradient(value)

    def emit(f: Function) -> None:
        source, target, *_ = f.arguments
        for k, n in vectors_over(f, channels):
            found = source.load(k, n)
            target.store(found + target.load(k, n) if add else found, k, n)

    b.schedule.add(
        group.layer, ("hand_over", channels, add), "item", [total, gradient], [gradient], emit,
        count=lambda _: 1,
    )  # fmt: skip

"""Cross-entropy of logits and softmax in one: the probabilities are the gradient, but for −1.

Forward keeps the probabilities; backward takes the target from them. Class numbers are compared
with lane numbers, so that there is no difference between a target that is a number and one that
is a row of probabilities but where it comes from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pellucid.compiler.ir import Address, Function, Index, Value, vectors_over
from pellucid.compiler.kernels import _math
from pellucid.compiler.kernels._softmax import exponentials

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward"]


def _sizes(group: Group) -> tuple[int, int]:
    logits = group.node.inputs[0]
    assert logits is not None
    *outer, classes = (n or 0 for n in logits.shape[1:])
    return math.prod(outer), classes


def _wanted(
    f: Function, group: Group, target: Address, row: Index, classes: int, i: Index, n: int | None
) -> Value:
    """Return the target of some classes, smoothed."""
    op = group.op
    if op.sparse:
        number = target.get(row)
        lane = f.lane_numbers() + f.splat(f.convert(f.constant(0, "i64") + i, "i32"))
        wanted = f.convert(lane.equals(f.splat(number)), "float")
    else:
        wanted = target.load(row * classes + i, n)
    smoothing = op.label_smoothing
    if smoothing:
        wanted = wanted * (1 - smoothing) + smoothing / classes
    return wanted if n is None else f.select(f.first_lanes(n), wanted, f.zero())


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass: the losses, and the probabilities."""
    rows, classes = _sizes(group)
    logits, targets = b.place(group.node.inputs[0]), b.place(group.node.inputs[1])
    if group.op.sparse:
        targets.element = "i32"
    losses = b.place(group.output)
    p = b.extra(group, "probabilities", (rows, classes))

    def emit(f: Function) -> None:
        x, target, loss, powers = f.arguments
        with f.each(rows) as r:
            here, given = powers + r * classes, x + r * classes
            most, total = exponentials(f, given, here, classes)
            log_total = _math.log(f, f.splat(total))
            # A row of targets that does not sum to 1 counts as Σ t · (log Σ e^z − z) says.
            sums = [f.zero()]
            whole, rest = divmod(classes, f.lanes)

            def step(i: Index, n: int | None, acc: Value) -> Value:
                t = _wanted(f, group, target, r, classes, i, n)
                away = log_total - (given.load(i, n) - f.splat(most))
                term = f.select(t.equals(0.0), f.zero(), t * away)
                return acc + term

            if whole:
                sums = f.carry(whole, sums, lambda i, acc: [step(i * f.lanes, None, acc[0])])
            if rest:
                sums = [step(whole * f.lanes, rest, sums[0])]
            # NaN among the logits must not be hidden by a target of 0.
            found = f.sum(sums[0])
            loss.put(f.select(total.differs(total), total, found), r)
            share = f.splat(f.constant(1.0, "float") / total)
            for i, n in vectors_over(f, classes):
                here.store(here.load(i, n) * share, i, n)

    key = ("softmax_cross_entropy", group.op, rows, classes)
    b.schedule.add(
        group.layer or "loss", key, "sample", [logits, targets, losses, p], [losses, p], emit
    )


def backward(b: Builder, group: Group) -> None:
    """Add the job dlogits = dy · (p · Σ t − t)."""
    if not b.wants(group.node.inputs[0]):
        return
    rows, classes = _sizes(group)
    dy, p = b.gradient(group.output), b.extra(group, "probabilities")
    targets = b.place(group.node.inputs[1])
    dx, add = b.claim(group.node.inputs[0])
    sums_to_one = group.op.sparse

    def emit(f: Function) -> None:
        gradient, powers, target, result = f.arguments
        whole, rest = divmod(classes, f.lanes)
        with f.each(rows) as r:
            scale = gradient.broadcast(r)
            total = f.splat(1.0)
            if not sums_to_one:
                sums = [f.zero()]
                if whole:

                    def more(i: Index, acc: list[Value], r: Index = r) -> list[Value]:
                        return [acc[0] + _wanted(f, group, target, r, classes, i * f.lanes, None)]

                    sums = f.carry(whole, sums, more)
                if rest:
                    sums = [sums[0] + _wanted(f, group, target, r, classes, whole * f.lanes, rest)]
                total = f.splat(f.sum(sums[0]))
            here, there = powers + r * classes, result + r * classes
            for i, n in vectors_over(f, classes):
                t = _wanted(f, group, target, r, classes, i, n)
                value = scale * (here.load(i, n) * total - t)
                there.store(value + there.load(i, n) if add else value, i, n)

    key = ("softmax_cross_entropy_gradient", group.op, rows, classes, add)
    b.schedule.add(group.layer or "loss", key, "sample", [dy, p, targets, dx], [dx], emit)

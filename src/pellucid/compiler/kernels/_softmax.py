"""Exponentials of a row, relative to its largest number, and their sum."""

from __future__ import annotations

from pellucid.compiler.ir import Address, Function, Value, vectors_over
from pellucid.compiler.kernels import _math

__all__ = ["exponentials"]


def exponentials(f: Function, x: Address, powers: Address, classes: int) -> tuple[Value, Value]:
    """Write powers[j] = exp(x[j] − max x); return max x and the sum of the powers."""
    low = float("-inf")
    best = f.splat(low)

    def inside(value: Value, n: int | None, rest: float) -> Value:
        return value if n is None else f.select(f.first_lanes(n), value, f.splat(rest))

    def larger(a: Value, b: Value) -> Value:
        return f.select((a > b) | a.differs(a), a, b)

    whole, rest = divmod(classes, f.lanes)
    if whole:
        (best,) = f.carry(whole, [best], lambda i, acc: [larger(x.load(i * f.lanes), acc[0])])
    if rest:
        best = larger(inside(x.load(whole * f.lanes, rest), rest, low), best)
    most = f.fold(best, larger)
    wide = f.splat(most)
    for i, n in vectors_over(f, classes):
        powers.store(_math.exp(f, x.load(i, n) - wide), i, n)
    total = f.zero()
    if whole:
        (total,) = f.carry(whole, [total], lambda i, acc: [acc[0] + powers.load(i * f.lanes)])
    if rest:
        total = total + powers.load(whole * f.lanes, rest)
    return most, f.sum(total)

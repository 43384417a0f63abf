"""Exponential, logarithm and their kin for vectors, from additions and products alone.

Polynomials and constants are those of the Cephes library (Moshier, 1992), accurate to about one
unit in the last place of single precision, but for the normal distribution's: those were fitted for
this file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid.compiler.ir import Function, Value

__all__ = ["erf", "exp", "expm1", "log", "log1p_of_exp", "normal", "sigmoid", "tanh"]


def horner(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    """Return the polynomial with these coefficients, the highest first."""
    result = f.splat(coefficients[0])
    for coefficient in coefficients[1:]:
        result = f.fma(result, x, f.splat(coefficient))
    return result


def exp(f: Function, x: Value) -> Value:
    """Return eˣ: 2ⁿ·eʳ with n whole and |r| ≤ ½·ln 2."""
    low, high = -87.3, 89.0
    bounded = f.select(x < low, low, f.select(x > high, high, x))
    n = f.intrinsic("floor", f.fma(bounded, f.splat(1 / math.log(2)), f.splat(0.5)))
    r = f.fma(n, f.splat(-0.693359375), bounded)
    r = f.fma(n, f.splat(2.12194440e-4), r)
    series = horner(
        f,
        r,
        [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5],
    )
    whole = f.fma(series, r * r, r + 1.0)
    bits = f.convert(n, "i32") + 126
    half = f.bits(f.value(bits.type, f"shl {bits.type} {bits.name}, splat (i32 23)"), "float")
    result = whole * half * 2.0
    return f.select(x < low, 0.0, f.select(x.differs(x), x, result))


def expm1(f: Function, x: Value) -> Value:
    """Return eˣ − 1, exact near 0 as well, for x ≤ 0."""
    series = horner(f, x, [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5])
    near = f.fma(series, x * x, x)
    return f.select(x > -0.4, near, exp(f, x) - 1.0)


def log(f: Function, x: Value) -> Value:
    """Return ln x for x > 0; −∞ for 0."""
    bits = f.bits(x, "i32")
    kind = bits.type
    raw = f.value(kind, f"lshr {kind} {bits.name}, splat (i32 23)")
    exponent = f.convert(raw - 126, "float")
    kept = f.value(kind, f"and {kind} {bits.name}, splat (i32 8388607)")
    mantissa = f.bits(f.value(kind, f"or {kind} {kept.name}, splat (i32 1056964608)"), "float")
    small = mantissa < 0.707106781186547524
    e = f.select(small, exponent - 1.0, exponent)
    m = f.select(small, mantissa + mantissa, mantissa) - 1.0
    z = m * m
    series = horner(
        f,
        m,
        [
            7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
            -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
        ],
    )  # fmt: skip
    y = f.fma(e, f.splat(-2.12194440e-4), series * m * z)
    y = f.fma(z, f.splat(-0.5), y)
    result = f.fma(e, f.splat(0.693359375), m + y)
    infinite = float("inf")
    result = f.select(x.equals(infinite), infinite, result)
    return f.select(x > 0.0, result, f.select(x.equals(0.0), -infinite, f.splat(float("nan"))))


def sigmoid(f: Function, x: Value) -> Value:
    """Return 1 / (1 + e⁻ˣ)."""
    return 1.0 / (exp(f, 0.0 - x) + 1.0)


def tanh(f: Function, x: Value) -> Value:
    """Return tanh x: a polynomial near 0, 1 − 2/(e²ˣ + 1) elsewhere."""
    z = x * x
    series = horner(
        f,
        z,
        [
            -5.70498872745e-3,
            2.06390887954e-2,
            -5.37397155531e-2,
            1.33314422036e-1,
            -3.33332819422e-1,
        ],
    )
    near = f.fma(series * z, x, x)
    far = 1.0 - 2.0 / (exp(f, x + x) + 1.0)
    return f.select(f.intrinsic("fabs", x) < 0.625, near, far)


def log1p_of_exp(f: Function, x: Value) -> Value:
    """Return ln(1 + eˣ), without overflow and without losing what is small."""
    e = exp(f, 0.0 - f.intrinsic("fabs", x))
    u = e + 1.0
    corrected = f.select(u.equals(1.0), e, log(f, u) * e / (u - 1.0))
    positive = f.select(x > 0.0, x, f.select(x.differs(x), x, f.zero()))
    return positive + corrected


def normal(f: Function, x: Value) -> tuple[Value, Value]:
    """Return Φ(x) and φ(x), the standard normal distribution and its density.

    The tail beyond |x| is e^(−x²/2) · w · S(w) with w = 1 / (1 + 0.3·|x|), the form of Abramowitz
    and Stegun, Handbook of Mathematical Functions, 7.1.26; S is the polynomial of degree 9 whose
    largest relative error, 3.4e-9, is the smallest. What x² loses in rounding goes into the power.
    """
    square = x * x
    lost = f.fma(x, x, 0.0 - square)
    power = exp(f, square * -0.5) * f.fma(lost, f.splat(-0.5), f.splat(1.0))
    w = 1.0 / f.fma(f.intrinsic("fabs", x), f.splat(0.3), f.splat(1.0))
    series = horner(
        f,
        w,
        [
            -2.0593904e-2, 1.1226924e-1, -2.2780707e-1, 1.9121958e-1, -7.8932367e-2,
            9.5880471e-2, 7.8490086e-2, 1.1021274e-1, 1.1957470e-1, 1.1968654e-1,
        ],
    )  # fmt: skip
    tail = series * w * power
    return f.select(x > 0.0, 1.0 - tail, tail), power * (1 / math.sqrt(2 * math.pi))


def erf(f: Function, x: Value) -> Value:
    """Return the error function: a polynomial in x² near 0, 2·Φ(x·√2) − 1 elsewhere.

    The polynomial of degree 5 is the one whose largest relative error up to 0.75, 1.4e-9, is the
    smallest.
    """
    series = horner(
        f,
        x * x,
        [-6.7494810e-4, 5.1143416e-3, -2.6834622e-2, 1.1283377e-1, -3.7612620e-1, 1.1283791],
    )
    area, _ = normal(f, x * math.sqrt(2))
    return f.select(f.intrinsic("fabs", x) < 0.75, x * series, area * 2.0 - 1.0)

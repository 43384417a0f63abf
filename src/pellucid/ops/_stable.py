"""Exponentials that neither overflow nor lose digits: what activations and losses share.

Each takes arrays of any floating-point type and keeps it, and is right for arguments of any size.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid.ops._operation import Array

__all__ = ["erf", "exponentials", "normal_cdf", "normal_density", "sigmoid", "softplus"]

# erfc(z) = t·exp(−z²)·Σ aᵢ·(2t − 1)ⁱ with t = 1/(1 + 0.4·z), z ≥ 0: a least-squares fit at 400
# Chebyshev nodes, within 3e-15 of the true value, relatively, for every z.
_ERFC_SLOPE = 0.4
_ERFC = (
    4.2161272812228767e-01,
    3.218607397756616e-01,
    1.8156564665924832e-01,
    6.850045809831803e-02,
    1.1344620052376858e-02,
    -3.357217719392457e-03,
    -1.9275142038943324e-03,
    1.75683297182961e-04,
    2.8107746298535537e-04,
    -2.3323106654224708e-05,
    -4.5041924953306734e-05,
    7.81296576245257e-06,
    7.298206458037794e-06,
    -2.702193898323026e-06,
    -9.350524540917049e-07,
    7.86233525470889e-07,
    2.4846387185697293e-09,
    -1.8081857205961302e-07,
    4.87240617843715e-08,
    2.9211593808002205e-08,
    -1.5928545286832038e-08,
    -2.4530782922356306e-09,
    2.1073424255447032e-09,
)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(−x)) as exp(min(x, 0)) / (1 + exp(−|x|))."""
    y: Array = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
    return y


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x)) as max(x, 0) + log(1 + exp(−|x|))."""
    y: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def normal_cdf(x: Array) -> Array:
    """Return Φ(x) = erfc(−x/√2) / 2, the standard normal distribution function."""
    z = np.minimum(np.abs(x), 100) * 0.5**0.5
    t = 1 / (1 + _ERFC_SLOPE * z)
    u = 2 * t - 1
    series = np.full_like(u, _ERFC[-1])
    for coefficient in reversed(_ERFC[:-1]):
        series *= u
        series += coefficient
    tail = 0.5 * t * np.exp(-z * z) * series
    y: Array = tail + (x >= 0) * (1 - 2 * tail)  # many times as fast as np.where
    return y


def normal_density(x: Array) -> Array:
    """Return φ(x) = exp(−x²/2) / √(2π), the derivative of Φ."""
    bounded = np.minimum(np.abs(x), 100)
    density: Array = np.exp(-0.5 * bounded * bounded) * (2 * np.pi) ** -0.5
    return density


def erf(x: Array) -> Array:
    """Return 2/√π · ∫ exp(−t²) dt from 0 to x, which is 2·Φ(√2·x) − 1.

    Near 0 that would lose the digits of x; there it is the series Σ (−1)ⁿ·x²ⁿ⁺¹ / (n!·(2n + 1)).
    """
    square = np.minimum(x * x, 0.25)
    series = np.zeros_like(x)
    for n in reversed(range(13)):
        series = series * square + (-1) ** n / (math.factorial(n) * (2 * n + 1))
    near: Array = series * x * (2 / math.sqrt(math.pi))
    far = np.sign(x) * (1 - 2 * normal_cdf(-np.abs(x) * math.sqrt(2)))
    return np.where(np.abs(x) < 0.5, near, far)


def exponentials(x: Array, axis: int) -> tuple[Array, Array, Array]:
    """Return z = x − max(x), exp(z) and Σ exp(z); the maximum and the sum are along `axis`."""
    z = x - x.max(axis=axis, keepdims=True)
    powers = np.exp(z)
    return z, powers, powers.sum(axis=axis, keepdims=True)

"""The table of elementary functions: formula, f, f′ and source of each.

The rows are those of the activations' table (`_activations.py`): f and f′ take arrays of any
floating-point type and keep it. Outside a function's domain there is NaN or infinity, as IEEE 754
has it, and no warning. Where a function jumps or has a kink, f′ is that of its flat side, or 0.

Names are those of `keras.ops`.
"""

# ruff: noqa: ARG005 (every f′ gets x and y, and uses what it needs)

from __future__ import annotations

import math

import numpy as np

from pellucid.ops._activations import Function
from pellucid.ops._stable import erf

__all__ = ["ELEMENTWISE"]

_NIST = "NIST Digital Library of Mathematical Functions, chapter 4"
_ARRAYS = "the Array API standard"
_WHOLE = tuple(float(n) for n in range(-9, 10))
_HALF = tuple(n + 0.5 for n in _WHOLE)

ELEMENTWISE: dict[str, Function] = {
    "absolute": Function("|x|", "sign(x)", np.abs, lambda x, y: np.sign(x), _ARRAYS),
    "negative": Function("−x", "−1", np.negative, lambda x, y: -np.ones_like(x), _ARRAYS),
    "sign": Function(
        "1 where x > 0, −1 where x < 0, else 0",
        "0",
        np.sign,
        lambda x, y: np.zeros_like(x),
        _ARRAYS,
        kinks=lambda: (0.0,),
    ),
    "reciprocal": Function(
        "1 / x", "−1 / x²", lambda x: 1 / x, lambda x, y: -y * y, _ARRAYS, domain=(0.5, 3)
    ),
    "square": Function("x²", "2·x", np.square, lambda x, y: 2 * x, _ARRAYS),
    "sqrt": Function("√x", "1 / (2·√x)", np.sqrt, lambda x, y: 0.5 / y, _ARRAYS, domain=(0.5, 3)),
    "rsqrt": Function(
        "1 / √x",
        "−1 / (2·x·√x)",
        lambda x: 1 / np.sqrt(x),
        lambda x, y: -0.5 * y / x,
        "named as in JAX and Keras",
        domain=(0.5, 3),
    ),
    "log": Function("log(x)", "1 / x", np.log, lambda x, y: 1 / x, _NIST, domain=(0.5, 3)),
    "log1p": Function(
        "log(1 + x)", "1 / (1 + x)", np.log1p, lambda x, y: 1 / (1 + x), _NIST, domain=(-0.5, 3)
    ),
    "log2": Function(
        "log(x) / log(2)",
        "1 / (x·log(2))",
        np.log2,
        lambda x, y: 1 / (x * math.log(2)),
        _NIST,
        domain=(0.5, 3),
    ),
    "log10": Function(
        "log(x) / log(10)",
        "1 / (x·log(10))",
        np.log10,
        lambda x, y: 1 / (x * math.log(10)),
        _NIST,
        domain=(0.5, 3),
    ),
    "expm1": Function("eˣ − 1", "y + 1", np.expm1, lambda x, y: y + 1, _NIST),
    "sin": Function("sin(x)", "cos(x)", np.sin, lambda x, y: np.cos(x), _NIST),
    "cos": Function("cos(x)", "−sin(x)", np.cos, lambda x, y: -np.sin(x), _NIST),
    "tan": Function("tan(x)", "1 + y²", np.tan, lambda x, y: 1 + y * y, _NIST, domain=(-1, 1)),
    "arcsin": Function(
        "arcsin(x)",
        "1 / √(1 − x²)",
        np.arcsin,
        lambda x, y: 1 / np.sqrt(1 - x * x),
        _NIST,
        domain=(-0.9, 0.9),
    ),
    "arccos": Function(
        "arccos(x)",
        "−1 / √(1 − x²)",
        np.arccos,
        lambda x, y: -1 / np.sqrt(1 - x * x),
        _NIST,
        domain=(-0.9, 0.9),
    ),
    "arctan": Function("arctan(x)", "1 / (1 + x²)", np.arctan, lambda x, y: 1 / (1 + x * x), _NIST),
    "sinh": Function("(eˣ − e⁻ˣ) / 2", "cosh(x)", np.sinh, lambda x, y: np.cosh(x), _NIST),
    "cosh": Function("(eˣ + e⁻ˣ) / 2", "sinh(x)", np.cosh, lambda x, y: np.sinh(x), _NIST),
    "arcsinh": Function(
        "log(x + √(x² + 1))",
        "1 / √(x² + 1)",
        np.arcsinh,
        lambda x, y: 1 / np.sqrt(x * x + 1),
        _NIST,
    ),
    "arccosh": Function(
        "log(x + √(x² − 1))",
        "1 / √(x² − 1)",
        np.arccosh,
        lambda x, y: 1 / np.sqrt(x * x - 1),
        _NIST,
        domain=(1.5, 4),
    ),
    "arctanh": Function(
        "log((1 + x) / (1 − x)) / 2",
        "1 / (1 − x²)",
        np.arctanh,
        lambda x, y: 1 / (1 - x * x),
        _NIST,
        domain=(-0.9, 0.9),
    ),
    "erf": Function(
        "2/√π · ∫ exp(−t²) dt from 0 to x",
        "2/√π · exp(−x²)",
        erf,
        lambda x, y: 2 / math.sqrt(math.pi) * np.exp(-x * x),
        "NIST Digital Library of Mathematical Functions, chapter 7",
    ),
    "floor": Function(
        "the largest whole number that is not above x",
        "0",
        np.floor,
        lambda x, y: np.zeros_like(x),
        _ARRAYS,
        kinks=lambda: _WHOLE,
    ),
    "ceil": Function(
        "the smallest whole number that is not below x",
        "0",
        np.ceil,
        lambda x, y: np.zeros_like(x),
        _ARRAYS,
        kinks=lambda: _WHOLE,
    ),
    "round": Function(
        "the nearest whole number, of two the even one",
        "0",
        np.round,
        lambda x, y: np.zeros_like(x),
        _ARRAYS,
        kinks=lambda: _HALF,
    ),
}

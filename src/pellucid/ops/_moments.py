"""The account of a mean, a variance and a normalised number, for the normalising operations.

A variance names the mean once and then takes it as a constant: written out for every deviation, m
numbers would make a tree of m² cells. To first order nothing is lost, since Σ (x − mean) is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid.ops._terms import Call, Cell, Constant, Expression, Named, Product, Sum

__all__ = [
    "centred",
    "gradient_of_normalised",
    "mean",
    "mean_of_terms",
    "normalised",
    "reciprocal_deviation",
    "reciprocal_root",
    "variance",
]


def mean_of_terms(name: str, terms: Sequence[Expression]) -> Named:
    """Return the mean of `terms`, by name."""
    return Named(name, Product((Constant(f"1/{len(terms)}", 1 / len(terms)), Sum(terms))))


def mean(cells: Sequence[Cell]) -> Named:
    """Return the mean of `cells`."""
    return mean_of_terms("mean", cells)


def centred(cell: Cell, of: Expression) -> Sum:
    """Return the cell less the mean `of` its group."""
    return Sum((cell, Product((Constant("-1", -1.0), of))))


def variance(cells: Sequence[Cell]) -> Named:
    """Return the mean of the squared deviations of `cells`."""
    middle = Constant("-mean", -mean(cells).value)
    squares = [Call("square", (Sum((cell, middle)),), lambda x: x * x) for cell in cells]
    return mean_of_terms("variance", squares)


def reciprocal_deviation(cells: Sequence[Cell], epsilon: float) -> Call:
    """Return 1/sqrt(variance + epsilon) of `cells`."""
    return reciprocal_root(variance(cells), epsilon)


def normalised(cell: Cell, middle: float, reciprocal: float) -> Named:
    """Return the cell normalised by a known mean and a known 1/sqrt(variance + epsilon)."""
    factor = Constant("1/sqrt(variance + epsilon)", reciprocal)
    return Named("x_hat", Product((Sum((cell, Constant("-mean", -middle))), factor)))


def reciprocal_root(spread: Expression, epsilon: float) -> Call:
    """Return 1/sqrt(variance + epsilon)."""
    return Call(
        "1/sqrt", (Sum((spread, Constant("epsilon", epsilon))),), lambda v: 1 / math.sqrt(v)
    )


def gradient_of_normalised(
    cell: tuple[int, ...],
    group: Sequence[Cell],
    upstream: Sequence[tuple[Expression, ...]],
    epsilon: float,
) -> Expression:
    """Return the gradient of one cell of a group that was normalised by its own moments.

    (g − mean(g) − x̂ · mean(g · x̂)) / √(variance + ε), where g is, for each cell of the group, the
    product of its factors in `upstream`: dy, and γ where there is one.
    """
    middle, reciprocal = mean(group).value, reciprocal_deviation(group, epsilon)
    gradients = [Product(factors) for factors in upstream]
    products = [
        Product((*factors, normalised(at, middle, reciprocal.value)))
        for at, factors in zip(group, upstream, strict=True)
    ]
    own = next(i for i, at in enumerate(group) if at.index == cell)
    x_hat = normalised(group[own], middle, reciprocal.value)
    minus = Constant("-1", -1.0)
    name = "dy" if len(upstream[own]) == 1 else "gamma · dy"
    inner = (
        gradients[own],
        Product((minus, mean_of_terms(f"mean of {name}", gradients))),
        Product((minus, x_hat, mean_of_terms(f"mean of {name} · x_hat", products))),
    )
    return Product((reciprocal, Sum(inner)))

"""Local response normalisation: every number divided by how active its neighbouring channels are.

    y[…, c] = x[…, c] · s[…, c]^(−β),     s[…, c] = bias + α / size · Σ_k x[…, k]²

The sum runs over the `size` channels from c − ⌊(size − 1) / 2⌋ to c + ⌈(size − 1) / 2⌉, as far as
there are any.

| tensor | shape        |
|--------|--------------|
| x      | (N, H, W, C) |
| y      | as x         |

Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NIPS, 2012; α is divided by `size` as in ONNX (LRN) and PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._operation import (
    EVERYTHING,
    Array,
    Case,
    Invalid,
    Operation,
    Shape,
    require_rank,
)
from pellucid.ops._terms import Call, Constant, Expression, Named, Product, Sum, cell_of


@dataclass(frozen=True)
class LocalResponseNormalization(Operation):
    """Local response normalisation; the module's docstring has the formula.

    Attributes:
        size: How many channels the sum takes in.
        alpha: α, the weight of the squares.
        beta: β, the exponent.
        bias: What is there without any activity; more than 0.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    name: ClassVar[str] = "local_response_normalization"
    inputs: ClassVar[tuple[str, ...]] = ("x",)

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise ArgumentError(
                f"{self.name}: size must be a whole number of at least 1, received {self.size!r}."
            )
        if not (math.isfinite(self.bias) and self.bias > 0 and 0 <= self.alpha < math.inf):
            raise ArgumentError(
                f"{self.name}: bias must be more than 0 and alpha at least 0, received "
                f"bias={self.bias!r}, alpha={self.alpha!r}."
            )

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of x."""
        require_rank(self, "x", x, 4, "(N, H, W, C)")
        return x

    def forward(self, x: Array) -> Array:
        """Add up the squares of neighbouring channels; divide."""
        y: Array = x * np.power(self._activity(x), -self.beta)
        return y

    def backward(
        self, dy: Array, y: Array, x: Array, *, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return the gradient of x: its own, less its share in dividing its neighbours.

        dx[c] = dy[c] · s[c]^(−β) − 2αβ / size · x[c] · Σ_k dy[k] · x[k] · s[k]^(−β − 1)

        over the channels k whose sum takes in c.
        """
        activity = self._activity(x)
        power = np.power(activity, -self.beta)
        behind, ahead = self._reach
        shares = _window_sums(dy * x * power / activity, ahead, behind)
        return (dy * power - self._factor * x * shares,)

    def terms(self, cell: tuple[int, ...], x: Array) -> Expression:
        """Return x · s^(−β), with the squares written out."""
        return Product((cell_of("x", x, cell), self._power(cell, x, -self.beta)))

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, x: Array
    ) -> Expression:
        """The formula of `backward`."""
        *place, c = cell
        own = cell_of("x", x, cell)
        direct = Product((cell_of("dy", dy, cell), self._power(cell, x, -self.beta)))
        behind, ahead = self._reach
        shares: list[Expression] = []
        for k in range(max(c - ahead, 0), min(c + behind + 1, x.shape[-1])):
            other = (*place, k)
            shares.append(
                Product(
                    (
                        Constant("-2 · alpha · beta / size", -self._factor),
                        own,
                        cell_of("dy", dy, other),
                        cell_of("x", x, other),
                        self._power(other, x, -self.beta - 1),
                    )
                )
            )
        return Sum((direct, *shares))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Windows of odd and even size, and wider than there are channels."""
        yield Case(cls(3, alpha=0.5), ((2, 2, 3, 5),))
        yield Case(cls(4, alpha=2.0, beta=0.5, bias=0.7), ((2, 3, 1, 6),))
        yield Case(cls(7, alpha=1.0), ((2, 1, 2, 4),))
        yield Case(cls(1, alpha=1.0, beta=1.0), ((2, 2, 1, 3),))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Attributes and shapes that cannot be."""
        yield Invalid(lambda: cls(0), ArgumentError, "size")
        yield Invalid(lambda: cls(3, bias=0.0), ArgumentError, "bias")
        yield Invalid(lambda: cls(3).output_shape((2, 3)), ShapeError, "4 axes")

    @property
    def _reach(self) -> tuple[int, int]:
        """How many channels before and after the own one the sum takes in."""
        behind = (self.size - 1) // 2
        return behind, self.size - 1 - behind

    @property
    def _factor(self) -> float:
        return 2 * self.alpha * self.beta / self.size

    def _activity(self, x: Array) -> Array:
        """S for every number."""
        sums = _window_sums(np.square(x), *self._reach)
        s: Array = self.bias + self.alpha / self.size * sums
        return s

    def _power(self, cell: tuple[int, ...], x: Array, exponent: float) -> Call:
        *place, c = cell
        behind, ahead = self._reach
        near = range(max(c - behind, 0), min(c + ahead + 1, x.shape[-1]))
        squares = [Call("square", (cell_of("x", x, (*place, k)),), lambda v: v * v) for k in near]
        scaled = Product((Constant("alpha/size", self.alpha / self.size), Sum(squares)))
        activity = Named("s", Sum((Constant("bias", self.bias), scaled)))
        return Call(f"power {exponent:g}", (activity,), lambda s: s**exponent)


def _window_sums(x: Array, behind: int, ahead: int) -> Array:
    """Σ x[…, k] over k from c − behind to c + ahead, for every c."""
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(behind, ahead)])
    return np.asarray(sliding_window_view(padded, behind + ahead + 1, axis=-1).sum(axis=-1))

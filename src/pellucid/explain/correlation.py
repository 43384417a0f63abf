"""The gradient of a convolution's input, seen both ways.

*Scatter*: each output cell hands back to every pixel that it read its own gradient δ times the
weight that the pixel met. *Correlation*: a pixel's gradient is the window of δ around it,
multiplied by the kernel turned by 180°, and added up. Both are the same terms in another order, so
they are taken from one ledger, sorted by where δ stands, or by where the weight stands in the
turned kernel; where no output read the pixel (beyond the border, or between strides) δ counts as 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.explain.address import Address
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from pellucid.explain.ledger import Ledger, Term

__all__ = ["Correlation", "Plane", "Scatter", "Share", "correlation", "scatter"]


@dataclass(frozen=True)
class Share:
    """What the output cells at one place, of all channels, hand back.

    Attributes:
        place: Row and column of the output cells.
        value: What they hand back together.
        running: What has come back with it, this share included.
        terms: Their terms.
    """

    place: tuple[int, ...]
    value: float
    running: float
    terms: tuple[Term, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the share as JSON."""
        return {
            "place": list(self.place),
            "value": self.value,
            "running": self.running,
            "terms": [term.to_dict() for term in self.terms],
        }


@dataclass(frozen=True)
class Scatter:
    """A pixel's gradient as what each output cell hands back.

    Attributes:
        address: The gradient's address.
        shares: The shares, output place after output place in row-major order.
        total: Their sum.
    """

    address: Address
    shares: tuple[Share, ...]
    total: float

    def to_dict(self) -> dict[str, Any]:
        """Return the scatter as JSON."""
        return {
            "address": str(self.address),
            "total": self.total,
            "shares": [share.to_dict() for share in self.shares],
        }


@dataclass(frozen=True)
class Plane:
    """One channel of the output: its part of the correlation.

    Attributes:
        channel: The indices of the weights that are not positions: (input channel, filter).
        kernel: The kernel, turned by 180° if the correlation says so, (KH, KW).
        window: δ under each cell of that kernel, (KH, KW); 0 where there is none.
        addresses: The address of each δ, row by row; None where there is none.
        products: window · kernel.
    """

    channel: tuple[int, ...]
    kernel: Array
    window: Array
    addresses: tuple[tuple[Address | None, ...], ...]
    products: Array

    @property
    def total(self) -> float:
        """The sum of the products."""
        return math.fsum(self.products.ravel().tolist())

    def to_dict(self) -> dict[str, Any]:
        """Return the plane as JSON."""
        return {
            "channel": list(self.channel),
            "kernel": self.kernel.tolist(),
            "window": self.window.tolist(),
            "addresses": [[a and str(a) for a in row] for row in self.addresses],
            "products": self.products.tolist(),
            "total": self.total,
        }


@dataclass(frozen=True)
class Correlation:
    """A pixel's gradient as the correlation of δ with the kernel turned by 180°.

    Attributes:
        address: The gradient's address.
        kernel: The kernel's name.
        is_turned: Whether the kernel is turned; that of a transposed convolution is not.
        planes: One for each channel of the output.
        total: The sum of all products.
    """

    address: Address
    kernel: str
    is_turned: bool
    planes: tuple[Plane, ...]
    total: float

    def to_dict(self) -> dict[str, Any]:
        """Return the correlation as JSON."""
        return {
            "address": str(self.address),
            "kernel": self.kernel,
            "is_turned": self.is_turned,
            "total": self.total,
            "planes": [plane.to_dict() for plane in self.planes],
        }


def scatter(ledger: Ledger) -> Scatter:
    """Return a gradient as what each output cell hands back; see `Ledger.scatter`."""
    by_place: dict[tuple[int, ...], list[Term]] = {}
    for term, delta, _ in _pairs(ledger):
        by_place.setdefault((delta.index or ())[:-1], []).append(term)
    shares = []
    so_far: list[float] = []
    for place in sorted(by_place):
        terms = by_place[place]
        so_far += [term.value for term in terms]
        value = math.fsum(term.value for term in terms)
        shares.append(Share(place, value, math.fsum(so_far), tuple(terms)))
    return Scatter(ledger.address, tuple(shares), math.fsum(so_far))


def correlation(ledger: Ledger) -> Correlation:
    """Return a gradient as a correlation with the turned kernel; see `Ledger.correlation`."""
    pairs = _pairs(ledger)
    name = pairs[0][2].tensor
    array = ledger.trace.array(Address(name))
    positions = array.ndim - 2
    if positions < 1 or any(weight.tensor != name for _, _, weight in pairs):
        raise _not_a_convolution(ledger)
    size = array.shape[:positions]
    is_turned = _is_turned(pairs, positions)
    planes: dict[tuple[int, ...], dict[tuple[int, ...], tuple[Term, Address]]] = {}
    for term, delta, weight in pairs:
        index = weight.index or ()
        place = index[:positions]
        if is_turned:
            place = tuple(n - 1 - k for k, n in zip(place, size, strict=True))
        planes.setdefault(index[positions:], {})[place] = (term, delta)
    made = []
    for channel, cells in sorted(planes.items()):
        kernel = array[(slice(None),) * positions + channel].astype(np.float64)
        window, products = np.zeros(size), np.zeros(size)
        for place, (term, delta) in cells.items():
            window[place] = ledger.trace.value(delta)
            products[place] = term.value
        rows = tuple(
            tuple(cells[(*row, k)][1] if (*row, k) in cells else None for k in range(size[-1]))
            for row in np.ndindex(size[:-1])
        )
        made.append(
            Plane(channel, np.flip(kernel) if is_turned else kernel, window, rows, products)
        )
    total = math.fsum(number for plane in made for number in plane.products.ravel().tolist())
    return Correlation(ledger.address, name, is_turned, tuple(made), total)


def _is_turned(pairs: list[tuple[Term, Address, Address]], positions: int) -> bool:
    """Whether δ moves against the weights: it does for a convolution, not for a transposed one."""
    deltas = np.array([(delta.index or ())[:positions] for _, delta, _ in pairs])
    weights = np.array([(weight.index or ())[:positions] for _, _, weight in pairs])
    apart = (deltas - deltas.mean(axis=0)) * (weights - weights.mean(axis=0))
    return bool(apart.sum() <= 0)


def _pairs(ledger: Ledger) -> list[tuple[Term, Address, Address]]:
    """Return (term, δ, weight) of a gradient all of whose terms are a δ times a weight."""
    tensors = ledger.trace.tensors
    pairs = []
    for term in ledger.terms:
        addresses = [factor.address for factor in term.factors if factor.address is not None]
        deltas = [a for a in addresses if a.is_gradient]
        weights = [a for a in addresses if tensors[a.tensor].kind == "weight"]
        if len(term.factors) != 2 or len(deltas) != 1 or len(weights) != 1:
            raise _not_a_convolution(ledger)
        pairs.append((term, deltas[0], weights[0]))
    if not pairs:
        raise _not_a_convolution(ledger)
    return pairs


def _not_a_convolution(ledger: Ledger) -> ArgumentError:
    return ArgumentError(
        f"{ledger.address} is not the gradient of what one convolution reads: its terms are not "
        f"each an output's gradient times a weight of a kernel with positions."
    )

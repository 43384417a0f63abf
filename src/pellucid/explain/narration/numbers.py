"""Numbers for people: as many digits as help, and word of what rounding took away."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["Format", "number", "power_of_ten"]

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_DIGITS = 4


@dataclass(frozen=True)
class Format:
    """How the numbers of one table are written, so that they align.

    Attributes:
        decimals: The digits after the point.
        exponent: Every number is shown divided by ten to this power.
        is_exact: Whether nothing was lost to rounding, in single precision.
    """

    decimals: int
    exponent: int
    is_exact: bool

    @classmethod
    def for_values(cls, values: Iterable[float]) -> Format:
        """Return the format that shows the largest of the values with four digits.

        Example:
            >>> Format.for_values([0.5, -12.0])
            Format(decimals=1, exponent=0, is_exact=True)
        """
        finite = [float(v) for v in values if math.isfinite(v)]
        largest = max((abs(v) for v in finite), default=0.0)
        if all(v == round(v) for v in finite) and largest < 1e6:
            return cls(0, 0, True)
        order = math.floor(math.log10(largest)) if largest else 0
        exponent = order if not -3 < order < 6 else 0
        most = max(0, min(_DIGITS - 1 + (exponent - order), _DIGITS + 1))
        exact = False
        for fewer in range(most + 1):
            shown = cls(fewer, exponent, True)
            if all(np.float32(shown._rounded(v)) == np.float32(v) for v in finite):
                most, exact = fewer, True
                break
        return cls(most, exponent, exact)

    def _rounded(self, value: float) -> float:
        return float(f"{value / 10.0**self.exponent:.{self.decimals}f}e{self.exponent}")

    def __call__(self, value: float) -> str:
        """Return the number as text."""
        if not math.isfinite(value):
            return str(value).replace("-", "−")
        text = f"{value / 10.0**self.exponent:.{self.decimals}f}"
        if float(text) == 0:
            text = text.lstrip("-")
        return text.replace("-", "−")

    @property
    def remark(self) -> str:
        """What a reader must know: the power of ten, and whether the numbers are rounded."""
        parts = [f"in units of {power_of_ten(self.exponent)}"] if self.exponent else []
        if not self.is_exact:
            parts.append(f"rounded to {self.decimals} decimal{'s' * (self.decimals != 1)}")
        return ", ".join(parts)


def number(value: float, digits: int = 6) -> str:
    """Return one number with at most so many significant digits.

    Example:
        >>> number(-0.123456789), number(300.0), number(1.5e-7)
        ('−0.123457', '300', '1.5 × 10⁻⁷')
    """
    text = f"{value:.{digits}g}"
    if abs(value) >= 10**digits and float(value).is_integer() and abs(value) < 1e15:
        text = f"{value:.0f}"
    mantissa, has_exponent, exponent = text.partition("e")
    shown = mantissa.replace("-", "−")
    return f"{shown} × {power_of_ten(int(exponent))}" if has_exponent else shown


def power_of_ten(exponent: int) -> str:
    """Return a power of ten, such as 10⁻⁴."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)

"""Kernels with names, and kernels typed in.

Each is meant for convolution as every deep-learning library does it, which is cross-correlation:
the kernel is laid on the picture as it is written, and not turned by 180° first.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data._files import read_bytes
from pellucid.errors import ArgumentError, DataError, unknown_name

__all__ = ["KERNELS", "Kernel", "get_kernel", "is_typed_matrix", "parse_matrix", "read_matrix"]

Array = np.ndarray[Any, Any]

_MAX_NUMBERS = 10_000
_MAX_FILE_BYTES = 1 << 20
_TYPED = re.compile(r"[\s\d.,;/+\-−eE\[\]()]*\d[\s\d.,;/+\-−eE\[\]()]*")


@dataclass(frozen=True, eq=False)
class Kernel:
    """A matrix of weights to slide over a picture.

    Attributes:
        name: "vertical-edge", or "custom".
        values: The weights, (KH, KW), float64.
        description: What it does to a picture, in a few words.
        source: Where it comes from.
    """

    name: str
    values: Array
    description: str
    source: str = ""

    @property
    def total(self) -> float:
        """The sum of the weights: what an evenly lit white area becomes."""
        return math.fsum(self.values.ravel())

    @property
    def is_difference(self) -> bool:
        """Whether the weights cancel, so that an even area becomes 0 and edges have a sign."""
        scale = float(np.abs(self.values).max())
        return scale > 0 and abs(self.total) <= 1e-9 * scale * self.values.size


def _named(name: str, rows: object, description: str, source: str, divisor: int = 1) -> Kernel:
    return Kernel(name, np.array(rows, np.float64) / divisor, description, source)


_PREWITT = 'Prewitt, "Object Enhancement and Extraction", in Picture Processing, 1970'
_SOBEL = (
    'Sobel, Feldman, "A 3×3 Isotropic Gradient Operator", Stanford AI Project, 1968; '
    "printed in Duda, Hart, Pattern Classification and Scene Analysis, 1973"
)
_TEXTBOOK = "Rosenfeld, Kak, Digital Picture Processing, 1976"

KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        _named(
            "identity",
            [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
            "leaves every pixel as it is",
            "the unit of convolution",
        ),
        _named(
            "horizontal-edge",
            [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
            "answers where it is lighter below than above (Prewitt)",
            _PREWITT,
        ),
        _named(
            "vertical-edge",
            [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
            "answers where it is lighter to the right than to the left (Prewitt)",
            _PREWITT,
        ),
        _named(
            "sobel-x",
            [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
            "a vertical edge, the middle row counted twice",
            _SOBEL,
        ),
        _named(
            "sobel-y",
            [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
            "a horizontal edge, the middle column counted twice",
            _SOBEL,
        ),
        _named(
            "laplacian",
            [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
            "answers to spots and edges of any direction",
            _TEXTBOOK,
        ),
        _named(
            "blur",
            [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
            "the plain mean of nine pixels (box)",
            _TEXTBOOK,
            divisor=9,
        ),
        _named(
            "gaussian-blur",
            [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
            "a mean that counts near pixels more (binomial weights)",
            'Burt, "Fast Filter Transforms for Image Processing", 1981',
            divisor=16,
        ),
        _named(
            "sharpen",
            [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
            "the picture less its Laplacian: edges gain contrast",
            _TEXTBOOK,
        ),
        _named(
            "emboss",
            [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
            "the picture as a relief that is lit from one corner",
            "a custom of image editors",
        ),
    )
}
"""The named kernels, from the simplest on."""

_OTHER_NAMES = {
    "prewitt-x": "vertical-edge",
    "prewitt-y": "horizontal-edge",
    "vertical": "vertical-edge",
    "horizontal": "horizontal-edge",
    "sobel": "sobel-x",
    "box": "blur",
    "box-blur": "blur",
    "gaussian": "gaussian-blur",
}


def get_kernel(request: str) -> Kernel:
    """Return a kernel by its name, from numbers typed in, or from a text file of numbers.

    Args:
        request: "sharpen"; "1 0 -1; 1 0 -1; 1 0 -1"; or the path of a text file that has one row
            of numbers a line.

    Raises:
        NameLookupError: It is neither a known name, nor numbers, nor a file.
        ArgumentError: The numbers are not a matrix.
        DataError: The file cannot be read as numbers.

    Example:
        >>> get_kernel("Vertical edge").values[0]
        array([-1.,  0.,  1.])
        >>> get_kernel("1/4 1/4; 1/4 1/4").total
        1.0
    """
    name = re.sub(r"[\s_]+", "-", request.strip().lower())
    name = _OTHER_NAMES.get(name, name)
    if name in KERNELS:
        return KERNELS[name]
    if is_typed_matrix(request):
        return Kernel("custom", parse_matrix(request, "kernel"), "the numbers typed in")
    if Path(request).is_file():
        return Kernel("custom", read_matrix(request), f"the numbers in {Path(request).name}")
    error = unknown_name("kernel", request, KERNELS)
    raise type(error)(f"{error} Or type rows of numbers, '1 0 -1; 1 0 -1', or name a file of them.")


def is_typed_matrix(text: str) -> bool:
    """Tell whether a text consists of numbers and their separators alone."""
    return _TYPED.fullmatch(text) is not None


def read_matrix(path: str) -> Array:
    """Return the matrix that a text file holds, one row a line: float64 (H, W).

    Raises:
        DataError: The file cannot be read, or does not hold rows of numbers of one length.
    """
    try:
        text = read_bytes(path, _MAX_FILE_BYTES).decode("utf-8-sig")
        return parse_matrix(text, path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected a text file of numbers, received other bytes."
        ) from error
    except ArgumentError as error:
        raise DataError(str(error)) from error


def parse_matrix(text: str, where: str = "matrix") -> Array:
    """Return the matrix that a text spells: float64 (H, W).

    Rows end with a semicolon, a bracket or the line; numbers stand between spaces or commas and
    may be fractions.

    Args:
        text: "1 0 -1; 2 0 -2", "[[1, 0], [0, -1]]", "1/9 1/9 1/9".
        where: What to call it in errors.

    Raises:
        ArgumentError: A part is no finite number, the rows differ in length, or there are too many.

    Example:
        >>> parse_matrix("1 2; 3 4.5")
        array([[1. , 2. ],
               [3. , 4.5]])
    """
    lines = re.split(r"[;\n\]\[()]", text.replace("−", "-"))
    rows = [words for line in lines if (words := line.replace(",", " ").split())]
    count = sum(map(len, rows))
    if not rows:
        raise ArgumentError(f"{where}: expected rows of numbers, such as '1 0 -1; 1 0 -1'.")
    if count > _MAX_NUMBERS:
        raise ArgumentError(f"{where}: expected at most {_MAX_NUMBERS} numbers, received {count}.")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ArgumentError(
                f"{where}: every row needs as many numbers as the first, {len(rows[0])}; "
                f"row {number} has {len(row)}."
            )
    return np.array([[_number(word, where) for word in row] for row in rows], np.float64)


def _number(word: str, where: str) -> float:
    try:
        value = float(Fraction(word)) if "/" in word else float(word)
    except (ValueError, ZeroDivisionError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentError(f"{where}: expected finite numbers, received {word[:40]!r}.")
    return value

"""A convolution worked by hand: every position of the window, every product, every sum.

Nothing is computed here: the products are the terms that `ops.conv2d` states for each cell of its
output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.explain.narration.blocks import (
    Block,
    Equation,
    Formula,
    Heading,
    Matrix,
    Note,
    Paragraph,
    Story,
)
from pellucid.explain.narration.numbers import number
from pellucid.ops._terms import Cell, Expression, Product, Sum
from pellucid.ops._window import Padding, Pair, Windows
from pellucid.ops.conv2d import Conv2D

__all__ = ["CROSS_CORRELATION", "convolution_story"]

Array = np.ndarray[Any, Any]

CROSS_CORRELATION = (
    "The kernel is laid on the picture as it is written. In mathematics a convolution turns it by "
    "180° first, and this is called cross-correlation; deep-learning libraries say convolution "
    "and leave it unturned, and so do we. A kernel that is learned comes out turned or not, "
    "whichever serves."
)
_MOST_IN_A_LINE = 9


def convolution_story(
    image: Any,
    kernel: Any,
    strides: Pair = (1, 1),
    padding: Padding = "valid",
    *,
    positions: Sequence[tuple[int, int]] | None = None,
    most: int = 9,
) -> Story:
    """Return the account of a convolution of one matrix with another.

    Args:
        image: The picture's numbers, (H, W).
        kernel: The weights, (KH, KW).
        strides: How far the window moves, (down, right).
        padding: 'valid', 'same' or ((top, bottom), (left, right)).
        positions: The cells of the output to work out, as (row, column); by default all, row by
            row, up to `most`.
        most: How many positions to work out at most if they are not named.

    Raises:
        ShapeError: The kernel does not fit into the picture.
        ArgumentError: The output has no such position.
    """
    picture, weights = np.asarray(image, np.float64), np.asarray(kernel, np.float64)
    x, w = picture[None, :, :, None], weights[:, :, None, None]
    op = Conv2D(strides=strides, padding=padding)
    output = op.forward(x, w)[0, :, :, 0]
    windows = Windows.over(op.name, picture.shape, weights.shape, strides, padding)
    chosen = list(np.ndindex(output.shape))[:most] if positions is None else list(positions)
    _require_inside(chosen, output.shape)
    story = Story("Convolution, position by position")
    story.add(*_introduction(picture, weights, windows))
    for position in chosen:
        account = op.terms((0, *position, 0), x, w)
        story.add(*_position(position, account, windows))
    left = output.size - len(chosen)
    if left and positions is None:
        story.add(Note(f"{left:,} more positions are worked out in the same way."))
    story.add(Heading("The whole output"), Matrix.of(output, "output"))
    return story


def _require_inside(positions: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> None:
    for row, column in positions:
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise ArgumentError(
                f"The output has rows 0–{shape[0] - 1} and columns 0–{shape[1] - 1}; "
                f"there is no position {row},{column}."
            )


def _introduction(picture: Array, kernel: Array, windows: Windows) -> list[Block]:
    sides = windows.padding
    blocks: list[Block] = [
        Paragraph(
            "The kernel is a small window that slides over the image. Wherever it stops, each "
            "number of the image is multiplied by the number of the kernel that lies on it, and "
            "the products are added up. That sum is one number of the output."
        ),
        Formula(
            "output[i,j] = Σ_m Σ_n image[i·s + m − p, j·s + n − p] · kernel[m,n]",
            r"\mathrm{output}_{i,j} = \sum_{m} \sum_{n} "
            r"\mathrm{image}_{i s + m - p,\; j s + n - p} \cdot \mathrm{kernel}_{m,n}",
        ),
        Matrix.of(picture, "image"),
        Matrix.of(kernel, "kernel"),
        Note(CROSS_CORRELATION),
    ]
    strides = windows.rows.stride, windows.columns.stride
    moves = "one step" if strides == (1, 1) else f"{strides[0]} down and {strides[1]} to the right"
    blocks.append(Paragraph(f"The window moves by {moves} at a time (stride s). {_around(sides)}"))
    for name, axis in (("rows", windows.rows), ("columns", windows.columns)):
        sum_ = f"({axis.size} + {axis.before} + {axis.after} − {axis.window}) / {axis.stride}"
        latex = (
            rf"\left\lfloor \frac{{{axis.size} + {axis.before} + {axis.after} - {axis.window}}}"
            rf"{{{axis.stride}}} \right\rfloor + 1 = {axis.output}"
        )
        blocks.append(
            Formula(f"{name}: ⌊{sum_}⌋ + 1 = {axis.output}", rf"\text{{{name}: }} {latex}")
        )
    return blocks


def _around(sides: tuple[Pair, Pair]) -> str:
    (top, bottom), (left, right) = sides
    if not any((top, bottom, left, right)):
        return "It stays inside the image: there is no padding (p = 0)."
    return (
        f"Around the image lie zeros, so that the window may reach over the edge (padding): "
        f"{top} above, {bottom} below, {left} on the left, {right} on the right. They stand in "
        f"parentheses."
    )


def _position(position: tuple[int, int], account: Expression, windows: Windows) -> list[Block]:
    assert isinstance(account, Sum)  # what conv2d states, without a bias, is a sum of products
    size = windows.rows.window, windows.columns.window
    products = [p for p in account.terms if isinstance(p, Product)]
    padding = frozenset(
        divmod(k, size[1]) for k, p in enumerate(products) if not isinstance(p.factors[0], Cell)
    )
    pixels = _matrix("window", [p.factors[0].value for p in products], size, padding)
    weights = _matrix("kernel", [p.factors[1].value for p in products], size)
    made = _matrix("products", [p.value for p in products], size)
    where = f"output[{position[0]},{position[1]}]"
    return [
        Heading(where, 3),
        Paragraph(f"The window covers {_covered(position, windows)}."),
        Equation((pixels, "×", weights, "=", made)),
        *_sums(where, made.values, account.value),
    ]


def _matrix(
    name: str,
    values: list[float],
    size: tuple[int, int],
    padding: frozenset[tuple[int, int]] = frozenset(),
) -> Matrix:
    # Adding 0.0 turns the −0 of 0 × (−1) into 0.
    rows = tuple(
        tuple(v + 0.0 for v in values[r * size[1] : (r + 1) * size[1]]) for r in range(size[0])
    )
    return Matrix(name, rows, shape=size, padding=padding)


def _covered(position: tuple[int, int], windows: Windows) -> str:
    parts = []
    for name, axis, place in (
        ("row", windows.rows, position[0]),
        ("column", windows.columns, position[1]),
    ):
        inside = [cell for _, cell in axis.taps(place) if cell is not None]
        outside = axis.window - len(inside)
        text = "no " + name if not inside else f"{name} {inside[0]}"
        if len(inside) > 1:
            text = f"{name}s {inside[0]}–{inside[-1]}"
        parts.append(text + (f" and {outside} of padding" if outside else ""))
    return " and ".join(parts) if all("padding" not in p for p in parts) else "; ".join(parts)


def _sums(where: str, products: tuple[tuple[float, ...], ...], total: float) -> list[Block]:
    flat = [value for row in products for value in row]
    if len(flat) <= _MOST_IN_A_LINE:
        line = f"{_added(flat)} = {number(total)}"
        return [Formula(f"{where} = {line}", rf"\mathrm{{{where}}} = {_latex(line)}")]
    rows = [math.fsum(row) for row in products]
    line = f"{_added(rows)} = {number(total)}"
    return [
        Formula(f"row by row: {line}", rf"\text{{row by row: }} {_latex(line)}"),
    ]


def _added(values: Sequence[float]) -> str:
    first, *others = values
    return number(first) + "".join(
        f" {'−' if value < 0 else '+'} {number(abs(value))}" for value in others
    )


def _latex(line: str) -> str:
    return line.replace("−", "-").replace("×", r"\times")

"""Winograd's minimal filtering F(2×2, 3×3): four outputs from 16 products instead of 36.

A 3 × 3 convolution with stride 1 is cut into tiles of 2 × 2 outputs, which read 4 × 4 inputs d:

    y = Aᵀ · [ (G·w·Gᵀ) ⊙ (Bᵀ·d·B) ] · A

         1  0 −1  0              1   0   0
    Bᵀ = 0  1  1  0          G = ½   ½   ½          Aᵀ = 1  1  1  0
         0 −1  1  0              ½  −½   ½               0  1 −1 −1
         0  1  0 −1              0   0   1

The sum over input channels goes inside the brackets, so that there are 16 products of matrices
(tiles × C) · (C × O), one for each place in the 4 × 4 square; these take nearly all the time. The
weights are transformed once for the batch, the tiles by the block (`TILES`), so that what lies
between stays in L2. A tile of outputs is also a 2 × 2 pooling window: pooling costs no more loads.
Floor: 4·OH·OW·C·O multiply-adds instead of 9, and 72 additions for each tile and channel. Rounding
errors are those of the direct form, within a factor of two.

The gradient of the weights takes the same way back: dU[ξ] is a product of matrices over all tiles,
and dw = Gᵀ·dU·G once for the batch.

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pellucid.compiler.ir import Address, Function, Index, Value, Width, vectors_over
from pellucid.compiler.kernels._sweep import (
    Finish,
    Sweep,
    Tile,
    from_bias,
    sweep,
    to_image,
    weight_gradient,
)
from pellucid.compiler.kernels._tiles import Run, Taps, parts_for
from pellucid.compiler.spans import Span, bounds_of, each_of

__all__ = [
    "channels_at_once",
    "parts_of_winograd",
    "transform_weights",
    "weights_from_tiles",
    "winograd",
    "winograd_by_channels",
    "winograd_inputs",
    "winograd_pays",
    "winograd_scratch",
    "winograd_weight_gradient",
    "winograd_weights_pay",
]

TILES = 32
"""About how many tiles are between the two transforms at a time."""


CACHE = 2**20
"""How many bytes of weights a core has at hand without waiting."""


def winograd_pays(width: Width, s: Sweep, strides: tuple[int, int]) -> bool:
    """Whether it takes fewer cycles than the direct form: enough channels, enough pixels."""
    rows, columns = s.run.taps
    window = rows.count == columns.count == 3 and strides == (1, 1)
    plain = window and columns.x == s.x_column and rows.x == s.x_row and columns.x == s.run.depth
    enough = s.run.depth >= 16 and s.outputs >= 2 * width.lanes and s.rows * s.columns >= 36
    # For each pair of channels, in multiply-adds; the transforms take a quarter more, and weights
    # that do not fit the second-level cache are read at 16 bytes a cycle.
    direct = 9 * s.rows * s.columns
    tiles = 16 * -(-s.rows // 2) * -(-s.columns // 2)
    fits = 64 * s.run.depth * s.outputs <= CACHE
    return plain and enough and 1.25 * tiles + (0 if fits else 8 * width.lanes) < direct


def winograd_weights_pay(width: Width, s: Sweep, strides: tuple[int, int]) -> bool:
    """Whether the weights' gradient takes fewer cycles: its sums are read and written each time."""
    return winograd_pays(width, s, strides) and 64 * s.run.depth * s.outputs < CACHE


def channels_at_once(width: Width, s: Sweep) -> int:
    """Return how many output channels are a part, where channels are taken apart rather than rows.

    Rows are, while there are blocks enough for a few threads; 0 says so.
    """
    blocks = -(-s.rows // 2) / _block_rows(s)
    in_vectors, rest = divmod(s.outputs, width.lanes)
    most = parts_for(width, 4 * s.rows * s.columns * s.run.depth * s.outputs)
    if blocks >= 8 or rest or in_vectors < 4:
        return 0
    fitting = [n for n in range(2, in_vectors // 2 + 1) if in_vectors % n == 0 and n <= most]
    return s.outputs // max(fitting) if fitting else 0


def parts_of_winograd(width: Width, s: Sweep) -> int:
    """Return into how many parts the form is worth being taken apart."""
    at_once = channels_at_once(width, s)
    if at_once:
        return s.outputs // at_once
    rows, per_block = -(-s.rows // 2), _block_rows(s)
    return min(
        -(-rows // per_block), parts_for(width, 4 * s.rows * s.columns * s.run.depth * s.outputs)
    )


def _block_rows(s: Sweep) -> int:
    """Return how many rows of tiles are transformed at a time."""
    across, down = -(-s.columns // 2), -(-s.rows // 2)
    if across * down <= TILES + TILES // 2:
        return down
    return max(1, TILES // across)


def winograd_scratch(s: Sweep, at_once: int = 0) -> tuple[int, int]:
    """Return how many numbers the transformed inputs and the products of a block have.

    Where channels are taken apart the block is the image, with `at_once` channels of products.
    """
    rows = -(-s.rows // 2) if at_once else _block_rows(s)
    tiles = rows * -(-s.columns // 2)
    return 16 * tiles * s.run.depth, 16 * tiles * (at_once or s.outputs)


def transform_weights(
    f: Function, w: Address, u: Address, depth: int, outputs: int, at_once: int, c: Index
) -> None:
    """Write U[part, ξ, c, :] = (G·w·Gᵀ)[ξ] for one input channel; w is (3, 3, C, O).

    A part has `at_once` of the output channels.
    """

    def half(a: Value, b: Value, c: Value) -> list[Value]:
        ends = (a + c) * 0.5
        middle = b * 0.5
        return [a, ends + middle, ends - middle, c]

    with f.each(outputs // at_once) as part:
        source, target = w + part * at_once, u + part * (16 * depth * at_once)
        for k, n in vectors_over(f, at_once):
            taps = [
                [source.load(((i * 3 + j) * depth + c) * outputs + k, n) for j in range(3)]
                for i in range(3)
            ]
            rows = [half(taps[0][j], taps[1][j], taps[2][j]) for j in range(3)]
            for i in range(4):
                for j, value in enumerate(half(rows[0][i], rows[1][i], rows[2][i])):
                    target.store(value, ((i * 4 + j) * depth + c) * at_once + k, n)


def winograd(
    f: Function,
    s: Sweep,
    x: Address,
    u: Address,
    v: Address,
    m: Address,
    bias: Address | None,
    finish: Finish,
    span: Span | None = None,
) -> None:
    """Write the convolution; `finish` takes each tile of outputs, as it does from `sweep`.

    An image with an odd number of output rows or columns must have one more of zeros behind it.
    `span` says which blocks of rows are to be done.
    """
    per_block = _block_rows(s)
    down = -(-s.rows // 2)
    full, rest = divmod(down, per_block)
    if s.rows % 2 and not rest:
        full, rest = full - 1, per_block
    bounds = bounds_of(f, span, full + (rest > 0))

    def block(first: Index, count: int, rows: int) -> None:
        _transform_inputs(f, s, x, v, first, count)
        _products(f, s, v, u, m, bias, finish, first, count, rows)

    if full:
        with each_of(f, bounds, 0, full) as which:
            block(which * per_block, per_block, 2 * per_block)
    if rest:
        with each_of(f, bounds, full, 1):
            block(full * per_block, rest, s.rows - 2 * full * per_block)


def winograd_inputs(f: Function, s: Sweep, x: Address, v: Address, span: Span | None) -> None:
    """Write Bᵀ·d·B of a whole image; `span` says of which rows of tiles."""
    down = -(-s.rows // 2)
    with each_of(f, bounds_of(f, span, down), 0, down) as row:
        _transform_inputs(f, s, x, v, row, 1, into=(row, down))


def winograd_by_channels(
    f: Function,
    s: Sweep,
    at_once: int,
    v: Address,
    u: Address,
    m: Address,
    bias: Address | None,
    finish: Finish,
    span: Span | None,
) -> None:
    """Write the convolution of what `winograd_inputs` made, `at_once` output channels at a time."""
    parts = s.outputs // at_once
    one = replace(s, outputs=at_once)

    def shifted(row: Index, column: Index, channel: Index, *rest: Any) -> None:
        finish(row, column, begin + channel, *rest)

    with each_of(f, bounds_of(f, span, parts), 0, parts) as part:
        begin = part * at_once
        weights = u + part * (16 * s.run.depth * at_once)
        own_bias = None if bias is None else bias + begin
        _products(f, one, v, weights, m, own_bias, shifted, 0, -(-s.rows // 2), s.rows)


def _products(
    f: Function,
    s: Sweep,
    v: Address,
    u: Address,
    m: Address,
    bias: Address | None,
    finish: Finish,
    first: Index,
    down: int,
    rows: int,
) -> None:
    """Write one block: `down` rows of tiles, `rows` rows of outputs, from tile row `first` on."""
    across = -(-s.columns // 2)
    tiles, depth = down * across, s.run.depth
    products = Sweep(
        1, tiles, s.outputs, 0, depth, 0, s.outputs, Run((Taps(1, 0, 0),) * 2, depth, s.outputs)
    )
    with f.each(16) as xi:
        to = to_image(f, products, m + xi * (tiles * s.outputs), lambda value: value)
        sources = v + xi * (tiles * depth), u + xi * (depth * s.outputs)
        sweep(f, products, *sources, from_bias(f, None), to)
    for r0, r_count, height in _halves(rows):
        for c0, c_count, width in _halves(s.columns):
            with f.each(r_count) as r, f.each(c_count) as c:
                tile = (r + r0) * across + c + c0
                row, column = (r + r0 + first) * 2, (c + c0) * 2
                source = m + tile * s.outputs
                for k, n in vectors_over(f, s.outputs):
                    found = _outputs(f, source + k, tiles * s.outputs, n, bias, k)
                    chosen = [found[i][j] for i in range(height) for j in range(width)]
                    counts = [f.lanes if n is None else n]
                    finish(row, column, k, Tile(height, width, 1), counts, chosen)


def _transform_inputs(
    f: Function,
    s: Sweep,
    x: Address,
    v: Address,
    first: Index,
    down: int,
    into: tuple[Index, int] | None = None,
) -> None:
    """Write Bᵀ·d·B of `down` rows of tiles, from tile row `first` on.

    `into` says from which row of tiles on, of how many in v; by default v has just these.
    """
    across, depth = -(-s.columns // 2), s.run.depth
    begin, of = into or (0, down)
    with f.each(down) as r, f.each(across) as c:
        corner = x + (r + first) * (2 * s.x_row) + c * (2 * s.x_column)
        target = v + ((begin + r) * across + c) * depth
        for k, n in vectors_over(f, depth):
            _transform_tile(f, corner + k, target + k, s, of * across * depth, n)


def winograd_weight_gradient(
    f: Function, s: Sweep, x: Address, dy: Address, v: Address, m: Address, du: Address
) -> None:
    """Write dU[ξ] += Σ over tiles of (Bᵀ·d·B)[ξ]ᵀ · (A·dy·Aᵀ)[ξ], the gradient of G·w·Gᵀ.

    `s.y_row` and `s.y_column` are dy's; outputs that an odd image lacks count as 0.
    """
    per_block, down, across = _block_rows(s), -(-s.rows // 2), -(-s.columns // 2)
    full, rest = divmod(down, per_block)
    if s.rows % 2 and not rest:
        full, rest = full - 1, per_block

    def block(first: Index, count: int, rows: int) -> None:
        tiles = count * across
        _transform_inputs(f, s, x, v, first, count)
        for r0, r_count, height in _halves(rows):
            for c0, c_count, width in _halves(s.columns):
                with f.each(r_count) as r, f.each(c_count) as c:
                    corner = dy + (r + r0 + first) * (2 * s.y_row) + (c + c0) * (2 * s.y_column)
                    target = m + ((r + r0) * across + c + c0) * s.outputs
                    for k, n in vectors_over(f, s.outputs):
                        _spread(f, s, corner + k, target + k, tiles * s.outputs, n, (height, width))
        one = (Taps(1, 0, 0),) * 2
        sums = Sweep(
            1, tiles, s.outputs, 0, s.run.depth, 0, s.outputs, Run(one, s.run.depth, s.outputs)
        )
        with f.each(16) as xi:
            sources = v + xi * (tiles * s.run.depth), m + xi * (tiles * s.outputs)
            weight_gradient(f, sums, *sources, du + xi * (s.run.depth * s.outputs), 1, 0, 0)

    if full:
        with f.each(full) as which:
            block(which * per_block, per_block, 2 * per_block)
    if rest:
        block(full * per_block, rest, s.rows - 2 * full * per_block)


def _spread(
    f: Function,
    s: Sweep,
    corner: Address,
    target: Address,
    step: int,
    n: int | None,
    shape: tuple[int, int],
) -> None:
    """Write A·dy·Aᵀ for a vector of channels."""

    def rows(a: Value, b: Value) -> list[Value]:
        return [a, a + b, a - b, 0.0 - b]

    height, width = shape
    square = [
        [
            corner.load(i * s.y_row + j * s.y_column, n) if i < height and j < width else f.zero()
            for j in range(2)
        ]
        for i in range(2)
    ]
    columns = [rows(square[0][j], square[1][j]) for j in range(2)]
    for i in range(4):
        for j, value in enumerate(rows(columns[0][i], columns[1][i])):
            target.store(value, (i * 4 + j) * step, n)


def weights_from_tiles(
    f: Function,
    du: Address,
    dw: Address,
    depth: int,
    outputs: int,
    c: Index,
    look: Callable[[Value], None],
    *,
    add: bool,
) -> None:
    """Write dw[:, :, c, :] = Gᵀ·dU·G; `look` is shown what is found."""

    def thirds(a: Value, b: Value, c: Value, d: Value) -> list[Value]:
        half = (b + c) * 0.5
        return [a + half, (b - c) * 0.5, half + d]

    for k, n in vectors_over(f, outputs):
        square = [
            [du.load(((i * 4 + j) * depth + c) * outputs + k, n) for j in range(4)]
            for i in range(4)
        ]
        columns = [thirds(*(square[i][j] for i in range(4))) for j in range(4)]
        for i in range(3):
            for j, value in enumerate(thirds(*(columns[q][i] for q in range(4)))):
                place = ((i * 3 + j) * depth + c) * outputs + k
                look(value)
                dw.store(value + dw.load(place, n) if add else value, place, n)


def _halves(total: int) -> list[tuple[int, int, int]]:
    """Return (first tile, how many, outputs in each) along an axis: pairs, and what is left."""
    found = [(0, total // 2, 2)] if total > 1 else []
    return [*found, (total // 2, 1, 1)] if total % 2 else found


def _transform_tile(
    f: Function, corner: Address, target: Address, s: Sweep, step: int, n: int | None
) -> None:
    """Write Bᵀ·d·B for a vector of channels."""

    def differences(a: Value, b: Value, c: Value, d: Value) -> list[Value]:
        return [a - c, b + c, c - b, b - d]

    square = [[corner.load(i * s.x_row + j * s.x_column, n) for j in range(4)] for i in range(4)]
    columns = [differences(*(square[i][j] for i in range(4))) for j in range(4)]
    for i in range(4):
        for j, value in enumerate(differences(*(columns[k][i] for k in range(4)))):
            target.store(value, (i * 4 + j) * step, n)


def _outputs(
    f: Function, source: Address, step: int, n: int | None, bias: Address | None, k: Index
) -> list[list[Value]]:
    """Return Aᵀ·m·A, with the bias added, for a vector of channels."""

    def sums(a: Value, b: Value, c: Value, d: Value) -> list[Value]:
        return [a + b + c, b - c - d]

    square = [[source.load((i * 4 + j) * step, n) for j in range(4)] for i in range(4)]
    columns = [sums(*(square[i][j] for i in range(4))) for j in range(4)]
    rows = [sums(*(columns[j][i] for j in range(4))) for i in range(2)]
    if bias is None:
        return rows
    start = bias.load(k, n)
    return [[value + start for value in row] for row in rows]

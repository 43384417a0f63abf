"""One prediction step by step: a single number followed from the pixels to the answer.

It is chosen backwards: the answer's logit, the largest product in it, the largest product in that
one, and so on down to nine pixels. Every number printed is one that the model computed, and every
step is what the operation itself says of it (its `terms`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.cli._tables import bar
from pellucid.graph import Node, Value
from pellucid.graph import reference as engine
from pellucid.models import Model
from pellucid.ops._terms import Cell, Expression, Maximum, Product, Sum

__all__ = ["Step", "blocks", "follow", "tell"]

Array = np.ndarray[Any, Any]
Index = tuple[int, ...]

_SHADES = " ░▒▓█"
_LARGEST = 5
_GRID_TERMS = 16


@dataclass(frozen=True)
class Step:
    """One operation's part in the story: the cell of its output that is followed, and its account.

    Attributes:
        node: The operation.
        index: The cell, without the batch's axis.
        value: Its number.
        terms: How the operation made it.
        source: The cell of its input that the story came from.
        shape: The shape of the operation's output, without the batch's axis.
        output: All of the operation's output for this sample.
    """

    node: Node
    index: Index
    value: float
    terms: Expression
    source: Index
    shape: tuple[int, ...]
    output: Array


def follow(model: Model, sample: Array) -> list[Step]:
    """Return the steps from the pixels to the most probable class, for a chain of layers.

    Args:
        model: A model in which every operation reads one value besides its weights.
        sample: One sample as the model takes it, without the batch's axis.
    """
    program = model.program()
    values = engine.forward(program, [sample[None]], keep=True)
    final = values[program.outputs[0]][0]
    index: Index = (int(final.argmax()),)
    steps = []
    for node in reversed(program.nodes):
        terms = node.op.terms((0, *index), *_inputs(node, values))
        output = values[node.output][0]
        source = _source(terms, node.input_names[0], index)
        steps.append(Step(node, index, float(output[index]), terms, source, output.shape, output))
        index = source
    return steps[::-1]


def _inputs(node: Node, values: Mapping[Value, Array]) -> list[Array | None]:
    return [
        None if v is None else values[v] if v.variable is None else v.variable.value
        for v in node.inputs
    ]


def _source(terms: Expression, name: str, index: Index) -> Index:
    """Return the cell of the input that counts most in an account."""
    if isinstance(terms, Maximum):
        terms = terms.candidates[terms.winner]
    elif isinstance(terms, Sum):
        terms = max(terms.terms, key=lambda term: _weight(term, name))
    places = [cell.index[1:] for cell in terms.cells() if cell.tensor == name]
    # An activation and a softmax keep their place; a flattened cell has exactly one source.
    return index if index in places else places[0]


def _weight(term: Expression, name: str) -> float:
    reads = any(cell.tensor == name for cell in term.cells())
    return term.value if reads else float("-inf")


def blocks(image: Array) -> list[str]:
    """Return a picture (H, W, C) of 0 to 1 as framed text, two rows of pixels in one of text."""
    pixels = np.asarray(image, np.float64).mean(axis=-1)
    if len(pixels) % 2:
        pixels = np.vstack([pixels, np.zeros((1, pixels.shape[1]))])
    halved = pixels.reshape(len(pixels) // 2, 2, -1).mean(axis=1)
    levels = np.clip(np.round(halved * (len(_SHADES) - 1)), 0, len(_SHADES) - 1).astype(int)
    edge = "─" * levels.shape[1]
    rows = ["".join(_SHADES[level] for level in row) for row in levels]
    return [f"┌{edge}┐", *(f"│{row}│" for row in rows), f"└{edge}┘"]


def tell(steps: Sequence[Step], class_names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each step as a headline and lines of text with aligned numbers."""
    tellers = {
        "conv2d": _convolution,
        "activation": _activation,
        "max_pool2d": _pooling,
        "flatten": _flattening,
        "dense": _dense,
    }
    for step in steps:
        name = step.node.op.name
        if name == "softmax":
            yield _softmax(step, class_names)
        elif name in tellers:
            yield tellers[name](step)


def _number(value: float, width: int = 7) -> str:
    """Return a number with three decimals and a minus sign as wide as a plus."""
    return f"{round(value, 3) + 0.0:{width}.3f}".replace("-", "−")


def _place(index: Index) -> str:
    if len(index) == 1:
        return f"number {index[0]:,}"
    row, column, *rest = index
    return f"row {row}, column {column}" + (f", map {rest[0]}" if rest else "")


def _products(terms: Expression, name: str) -> tuple[list[tuple[Cell, Cell, float]], float]:
    """Return what a sum multiplies, as (input cell, weight, product), and its bias."""
    products, bias = [], 0.0
    for term in terms.terms if isinstance(terms, Sum) else [terms]:
        if isinstance(term, Product):
            cells = list(term.cells())
            read = [cell for cell in cells if cell.tensor == name]
            weights = [cell for cell in cells if cell.tensor != name]
            if read and weights:
                products.append((read[0], weights[0], term.value))
        elif isinstance(term, Cell):
            bias = term.value
    return products, bias


def _convolution(step: Step) -> tuple[str, list[str]]:
    products, bias = _products(step.terms, step.node.input_names[0])
    *_, filters = step.shape
    layer = step.node.layer
    if len(products) > _GRID_TERMS:
        return f"Convolution ({layer}): now over all the maps at once", [
            f"Filter {step.index[-1]} of {filters} adds up {len(products):,} products:",
            *_largest(products, bias, step.value),
            _where(step),
        ]
    rows: dict[int, list[tuple[Cell, Cell, float]]] = {}
    for product in products:
        rows.setdefault(product[1].index[0], []).append(product)
    width = 7 * len(rows[0]) - 1
    lines = [
        f"Here filter {step.index[-1]} of {filters}. Each pixel is multiplied by the weight at its",
        "place; the products are added up, and the bias with them. (The filter is not",
        "turned round first. Strictly, that makes it a cross-correlation, as in every",
        "deep-learning library.)",
        "",
        f"{'pixels':^{width}}     {'weights':^{width}}     {'products':^{width}}",
    ]
    for number, cells in enumerate(rows.values()):
        middle = number == len(rows) // 2
        columns = zip(*((x.value, w.value, p) for x, w, p in cells), strict=True)
        parts = [" ".join(_number(value, 6) for value in column) for column in columns]
        lines.append("{}  {}  {}  {}  {}".format(*_between(parts, "×=" if middle else "  ")))
    total = sum(product for _, _, product in products)
    return f"Convolution ({layer}): filters slide over the picture, looking for patterns", [
        *lines,
        "",
        f"sum {_number(total, 0)}, plus bias {_number(bias, 0)}: {_number(step.value, 0)}",
        _where(step),
    ]


def _between(parts: Sequence[str], signs: str) -> list[str]:
    return [parts[0], signs[0], parts[1], signs[1], parts[2]]


def _where(step: Step) -> str:
    height, width, *_ = step.shape
    return f"It is the number at {_place(step.index[:2])} of {height} × {width}."


def _largest(products: list[tuple[Cell, Cell, float]], bias: float, value: float) -> list[str]:
    """Return a sum's largest products in a table, with what the others add up to."""
    order = sorted(products, key=lambda product: -abs(product[2]))
    lines = ["", f"{'the largest':<28}{'number':>9}   {'weight':>9}   {'product':>9}"]
    lines += [
        f"{_place(x.index[1:]):<28}{_number(x.value, 9)} × {_number(w.value, 9)} = "
        f"{_number(product, 9)}"
        for x, w, product in order[:_LARGEST]
    ]
    rest = sum(product for _, _, product in order[_LARGEST:])
    for words, number in (
        (f"the other {len(order) - _LARGEST:,} products", rest),
        ("bias", bias),
        ("sum", value),
    ):
        lines.append(f"{words:<52}{_number(number, 9)}")
    return lines


def _activation(step: Step) -> tuple[str, list[str]]:
    before = next(iter(step.terms.cells())).value
    dark = float((step.output <= 0).mean())
    function = getattr(step.node.op, "function", "activation")
    if function != "relu":
        return f"Activation ({function})", [f"{function}({_number(before, 0)}) = {step.value:.3f}"]
    return (
        "ReLU: negative numbers become 0, the others stay",
        [
            f"relu({_number(before, 0)}) = {_number(step.value, 0)}. "
            f"Of all {step.output.size:,} numbers, {dark:.0%} are now 0."
        ],
    )


def _pooling(step: Step) -> tuple[str, list[str]]:
    height, width, maps = step.shape
    lines = []
    rows: dict[int, list[str]] = {}
    for index, value in _window(step):
        mark = "◄" if index == step.source else " "
        rows.setdefault(index[0], []).append(f"{_number(value)}{mark}")
    lines += ["  ".join(row) for row in rows.values()]
    lines += [
        "",
        f"{_number(step.value, 0)} goes on, the others are dropped: "
        f"{maps} maps of {height} × {width} are left.",
    ]
    return "Max pooling: of each window the largest number goes on", lines


def _window(step: Step) -> list[tuple[Index, float]]:
    return [(cell.index[1:], cell.value) for cell in step.terms.cells()]


def _flattening(step: Step) -> tuple[str, list[str]]:
    return (
        "Flatten: the maps become one row of numbers",
        [f"What was at {_place(step.source)}, is now {_place(step.index)} of {step.shape[0]:,}."],
    )


def _dense(step: Step) -> tuple[str, list[str]]:
    products, bias = _products(step.terms, step.node.input_names[0])
    return (
        f"Dense ({step.node.layer}): every number has its say, each with a weight of its own",
        [
            f"Output {step.index[0]} of {step.shape[0]} adds up {len(products):,} products:",
            *_largest(products, bias, step.value),
        ],
    )


def _softmax(step: Step, class_names: Sequence[str]) -> tuple[str, list[str]]:
    logits = {cell.index[-1]: cell.value for cell in step.terms.cells()}
    top = max(logits.values())
    powers = {index: float(np.exp(value - top)) for index, value in logits.items()}
    longest = max(5, *(len(name) for name in class_names))
    lines = [
        "Each output z, now called a logit, becomes e^z / (the sum of all e^z). Taking",
        "the largest z off all of them first changes nothing, and keeps e^z small.",
        "",
        f"{'class':<{longest}}  {'logit z':>9}  {'z − max':>9}  {'e^(z−max)':>9}  "
        f"{'probability':>11}",
    ]
    for index in sorted(logits):
        share = float(step.output[index])
        lines.append(
            f"{class_names[index]:<{longest}}  {_number(logits[index], 9)}  "
            f"{_number(logits[index] - top, 9)}  {_number(powers[index], 9)}  {share:>11.3%}  "
            f"{bar(share, 16)}"
        )
    lines.append(f"{'sum':<{longest}}  {'':9}  {'':9}  {_number(sum(powers.values()), 9)}")
    return "Softmax: from scores to probabilities", lines

"""The pipeline told from the photo to the last step of training: words, formula, numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.explain.kernels import Kernel
from pellucid.explain.narration.blocks import (
    Block,
    Formula,
    Heading,
    Matrix,
    Note,
    Paragraph,
    Story,
    Table,
)
from pellucid.explain.narration.convolution import CROSS_CORRELATION
from pellucid.explain.narration.ledgers import terms_block, window_of
from pellucid.explain.narration.numbers import number
from pellucid.explain.pipeline import Step, train
from pellucid.explain.trace import Trace

if TYPE_CHECKING:
    from pellucid.models import Model

__all__ = ["pipeline_story", "steps_table"]

Array = np.ndarray[Any, Any]

_CORNER = (5, 5)
_AROUND = (5, 7)


def pipeline_story(
    model: Model, picture: Array, kernel: Kernel, target: int, steps: int, origin: str
) -> Story:
    """Return the story of one picture going through the pipeline, and of the steps of training.

    The model is trained by it.

    Args:
        model: What `make_pipeline` made, with its kernel.
        picture: The picture, (H, W, 1), from 0 to 1.
        kernel: The kernel.
        target: The right class.
        steps: How many steps of training to take and show; at least 1.
        origin: Where the picture comes from, as a sentence.
    """
    taken = list(train(model, picture, target, steps))
    trace = taken[0][0]
    story = Story("From a picture to a decision, and back")
    story.extend(_picture(trace, origin))
    story.extend(_convolution(trace, kernel))
    story.extend(_pooling(trace))
    story.extend(_decision(trace, target))
    story.extend(_loss(trace, target))
    story.extend(_gradient(trace, target))
    story.extend(_training([step for _, step in taken], target, model))
    return story


def _picture(trace: Trace, origin: str) -> Iterator[Block]:
    pixels = trace.array("input")[:, :, 0]
    height, width = pixels.shape
    yield Heading("1. The picture becomes numbers")
    yield Paragraph(
        f"{origin} It is made grey and brought to {height} × {width} pixels, which is enough to "
        f"see what it shows. Each pixel is a whole number p from 0 (black) to 255 (white); divided "
        f"by 255 it lies between 0 and 1, where a network learns best."
    )
    yield Formula("x = p / 255", r"x = \frac{p}{255}")
    yield Matrix.of(pixels, "input", most=_CORNER, caption="the upper left corner")
    yield Paragraph(
        f"The darkest pixel is {number(float(pixels.min()), 3)}, the lightest "
        f"{number(float(pixels.max()), 3)}; the mean is {number(float(pixels.mean()), 3)}."
    )


def _convolution(trace: Trace, kernel: Kernel) -> Iterator[Block]:
    made = trace.array("conv2d.pre_activation")[:, :, 0]
    row, column = map(int, np.unravel_index(int(made.argmax()), made.shape))
    yield Heading("2. Convolution: a kernel looks for something")
    named = f"({kernel.name}) {kernel.description}" if kernel.source else f"is {kernel.description}"
    yield Paragraph(
        f"This kernel {named}. It slides over the picture; at every "
        f"place its weights are multiplied by the pixels below them, and the products are added."
    )
    yield Formula(
        "S(i, j) = Σ_m Σ_n x(i + m, j + n) · K(m, n)",
        r"S(i, j) = \sum_{m} \sum_{n} x(i + m,\, j + n) \cdot K(m, n)",
    )
    yield Matrix.of(trace.array("conv2d.kernel")[:, :, 0, 0], "conv2d.kernel")
    yield Note(CROSS_CORRELATION)
    yield Paragraph(
        f"It has {made.shape[0]} × {made.shape[1]} places to stop at. This is where it answers "
        f"most strongly: the answer, the pixels that it saw there, and their products."
    )
    strongest = _around(made)
    yield Matrix.of(made, "conv2d.pre_activation", window=strongest, most=_AROUND)
    ledger = trace[f"conv2d.pre_activation[{row},{column},0]"]
    window = window_of(ledger)
    if window is not None:
        yield window
    yield terms_block(ledger, 9)
    yield Heading("3. ReLU: what is negative becomes 0")
    negative = int((made < 0).sum())
    yield Paragraph(
        f"Of the {made.size:,} numbers {negative:,} are negative and become 0; the others pass as "
        f"they are. The network keeps what the kernel found and forgets its opposite."
    )
    yield Formula("f(x) = max(0, x)", r"f(x) = \max(0, x)")
    passed = trace.array("conv2d.output")[:, :, 0]
    yield Matrix.of(passed, "conv2d.output", window=strongest, most=_AROUND)


def _around(values: Array) -> tuple[slice, slice]:
    """Return the place of the largest number as a window of one cell."""
    row, column = map(int, np.unravel_index(int(values.argmax()), values.shape))
    return slice(row, row + 1), slice(column, column + 1)


def _pooling(trace: Trace) -> Iterator[Block]:
    passed = trace.array("conv2d.output")[:, :, 0]
    pooled = trace.array("max_pooling2d.output")[:, :, 0]
    row, column = map(int, np.unravel_index(int(pooled.argmax()), pooled.shape))
    yield Heading("4. Max pooling: the strongest of every four")
    dropped = (
        " What does not fill a window is left out." if any(s % 2 for s in passed.shape) else ""
    )
    yield Paragraph(
        f"Windows of 2 × 2 that do not overlap; of each only the largest number goes on. "
        f"{passed.shape[0]} × {passed.shape[1]} numbers become "
        f"{pooled.shape[0]} × {pooled.shape[1]}.{dropped}"
    )
    yield Formula(
        "P(i, j) = max { x(2i, 2j), x(2i, 2j+1), x(2i+1, 2j), x(2i+1, 2j+1) }",
        r"P(i, j) = \max \{ x_{2i,2j},\, x_{2i,2j+1},\, x_{2i+1,2j},\, x_{2i+1,2j+1} \}",
    )
    yield terms_block(trace[f"max_pooling2d.output[{row},{column},0]"])
    yield Matrix.of(pooled, "max_pooling2d.output", window=_around(pooled), most=_AROUND)
    flat = trace.array("flatten.output")
    yield Heading("5. Flatten: rows become one row")
    yield Paragraph(
        f"The dense layer wants a list. Row after row, {pooled.shape[0]} × {pooled.shape[1]} "
        f"numbers become {flat.size:,} in one row; nothing is computed."
    )
    yield Matrix.of(flat, "flatten.output", most=(1, 10))


def _decision(trace: Trace, target: int) -> Iterator[Block]:
    classes = trace.array("dense.output").size
    yield Heading("6. Dense: every number has a say in every class")
    yield Paragraph(
        "Each class has a weight for each number, and a bias. The weighted sum is the class's "
        "score, its logit. The weights are small random numbers for now: nothing is learned yet."
    )
    yield Formula("z = W · x + b", r"z = W x + b")
    for index in range(min(classes, 2)):
        yield terms_block(trace[f"dense.pre_activation[{index}]"], 4)
    yield Heading("7. Softmax: scores become probabilities")
    yield Paragraph(
        "The exponential makes every score positive and lets larger ones stand out; dividing by "
        "the sum makes the probabilities add up to 1. The largest score is subtracted first, "
        "which changes nothing but keeps the exponentials from growing too large."
    )
    yield Formula("p_i = e^(z_i) / Σ_j e^(z_j)", r"p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}")
    yield Paragraph(f"`{trace[f'dense.output[{target}]'].formula_with_numbers}`")
    yield _classes(trace, ("dense.pre_activation", "dense.output"), ("logit z", "probability p"))


def _loss(trace: Trace, target: int) -> Iterator[Block]:
    probability = trace.value(f"dense.output[{target}]")
    yield Heading("8. Loss: how wrong is it?")
    yield Paragraph(
        f"The right class is {target}. The loss is the negative logarithm of the probability that "
        f"it got: 0 if that was 1, and the larger the smaller it was. Two classes with one half "
        f"each have the loss ln 2 = 0.693."
    )
    yield Formula("L = −ln p_target", r"L = -\ln p_{\text{target}}")
    yield Paragraph(f"−ln {number(probability)} = {number(trace.value('loss'))}, which is `loss`.")


def _gradient(trace: Trace, target: int) -> Iterator[Block]:
    yield Heading("9. Gradient: which way is better?")
    yield Paragraph(
        "How does the loss change if a logit grows a little? The answer is as simple as can be: "
        "by the probability, less 1 for the right class. A class that got too much is pushed "
        "down, the right one is pulled up, and the pushes add up to 0."
    )
    yield Formula("∂L/∂z_i = p_i − y_i", r"\frac{\partial L}{\partial z_i} = p_i - y_i")
    yield _classes(
        trace,
        ("dense.output", None, "dense.pre_activation.grad"),
        ("p", "y", "∂L/∂z"),
        target,
    )
    flat = trace.array("flatten.output")
    strongest = int(np.argmax(np.abs(flat)))
    weight = f"dense.kernel[{strongest},{target}]"
    yield Paragraph(
        f"A weight passes its input on to a logit, so its gradient is that input times the "
        f"logit's gradient. For the largest input, number {strongest}:"
    )
    yield Paragraph(f"`{trace[f'{weight}.grad'].formula_with_numbers}`")
    yield Paragraph("The step goes against the gradient, by the learning rate α:")
    yield Formula(
        "W := W − α · ∂L/∂W,  b := b − α · ∂L/∂b",
        r"W := W - \alpha \frac{\partial L}{\partial W}, \quad "
        r"b := b - \alpha \frac{\partial L}{\partial b}",
    )
    yield Paragraph(f"`{trace[f'{weight}.updated'].formula_with_numbers}`")
    yield Paragraph(f"`{trace[f'dense.bias[{target}].updated'].formula_with_numbers}`")


def _training(steps: Sequence[Step], target: int, model: Model) -> Iterator[Block]:
    yield Heading("10. Training: step after step")
    if model.get_layer("conv2d").trainable:
        what = "the dense layer's weights and the kernel change"
    else:
        what = "only the dense layer's weights change; the kernel stays as it is"
    yield Paragraph(
        f"The same picture again and again: {what}. One picture is of course learned by heart; "
        f"a real training set has thousands."
    )
    yield steps_table(steps, target)


def steps_table(steps: Sequence[Step], target: int) -> Table:
    """Return a table of steps of training: logits, probability, loss, gradient, verdict."""
    rows = tuple(
        (
            str(index),
            ", ".join(f"{z:.4f}".replace("-", "−") for z in step.logits),
            f"{step.probabilities[target]:.4f}",
            f"{step.loss:.4f}",
            ", ".join(f"{g:.4f}".replace("-", "−") for g in step.gradient),
            f"{step.predicted}, {'right' if step.predicted == target else 'wrong'}",
        )
        for index, step in enumerate(steps)
    )
    header = ("step", "logits", f"p of class {target}", "loss", "∂L/∂z", "predicted")
    return Table(header, rows, "before each step; rounded to 4 decimals", frozenset({0, 5}))


def _classes(
    trace: Trace,
    addresses: Sequence[str | None],
    titles: Sequence[str],
    target: int | None = None,
) -> Table:
    columns = [None if a is None else trace.array(a) for a in addresses]
    count = trace.array("dense.output").size
    rows = []
    for index in range(count):
        cells = [
            str(int(index == target)) if c is None else f"{c[index]:.6f}".replace("-", "−")
            for c in columns
        ]
        rows.append((f"class {index}", *cells))
    return Table(("", *titles), tuple(rows), "rounded to 6 decimals")

"""`pellucid explain`: every number between a picture and an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.cli._output import Output, quiet_option
from pellucid.cli._story import format_option, tell, tell_page

if TYPE_CHECKING:
    from pellucid.explain.narration import Story
    from pellucid.explain.trace import Trace

__all__ = ["command"]

_KERNEL = "vertical-edge"
_TARGET = 1


@click.command()
@click.argument("image", type=click.Path())
@click.option(
    "--model",
    type=click.Path(),
    help="A .keras, .h5 or .onnx file; without it, a small network.",
)
@click.option(
    "--at", metavar="ADDRESS", help="Explain one number, such as 'conv2d.output[5,7,0]' or 'loss'."
)
@click.option("--target", metavar="CLASS", help="The right class: its number or name.")
@click.option(
    "--kernel",
    help=f"Without a model: a kernel's name, numbers typed in, or a file of them.  "
    f"[default: {_KERNEL}]",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 1000),
    help="Without a model: steps of training.  [default: 5]",
)
@format_option
@click.option("--out", type=click.Path(), help="The file to write; otherwise it is printed.")
@quiet_option
def command(
    image: str,
    model: str | None,
    at: str | None,
    target: str | None,
    kernel: str | None,
    steps: int | None,
    form: str,
    out: str | None,
) -> None:
    """Explain what a network makes of a picture, number by number.

    Without --model, IMAGE goes through the smallest network there is: grey, 28 × 28, a kernel,
    ReLU, max pooling, two neurons, softmax, loss, gradient, and a few steps of training. With
    --model, the way from the pixels to the model's answer and back is told; as HTML, it is a page
    in which every number can be seen and followed. With --at, one number.
    """
    from pellucid.explain.narration import narrate

    output = Output()
    if model is None:
        story = _pipeline(image, at, target, kernel or _KERNEL, steps or 5)
    else:
        for name, value in (("--kernel", kernel), ("--steps", steps)):
            if value is not None:
                raise click.UsageError(f"{name} is for the network without --model.")
        trace = _trace(output, image, model, target)
        if form == "html":
            if at is not None:
                trace.address(at)
            tell_page(trace.to_html(start=at or ""), out, output)
            return
        story = narrate(trace if at is None else trace[at])
    tell(story, form, out, output)


def _pipeline(image: str, at: str | None, target: str | None, kernel: str, steps: int) -> Story:
    from pellucid.data import ImagePreprocessing
    from pellucid.data.image_header import read_header
    from pellucid.explain.kernels import get_kernel
    from pellucid.explain.narration import narrate
    from pellucid.explain.narration.pipelines import pipeline_story
    from pellucid.explain.pipeline import SIZE, make_pipeline
    from pellucid.explain.trace import explain

    right = _TARGET if target is None else _class_number(target)
    chosen = get_kernel(kernel)
    network = make_pipeline(chosen)
    picture = ImagePreprocessing(SIZE, "grayscale", scale=1 / 255)(image)
    if at is not None:
        return narrate(explain(network, picture, target=right)[at])
    header = read_header(Path(image).read_bytes(), image)
    origin = f"{Path(image).name} has {header.height} × {header.width} pixels."
    return pipeline_story(network, picture, chosen, right, steps, origin)


def _class_number(target: str) -> int:
    if target not in ("0", "1"):
        raise click.BadParameter(
            f"this network has the classes 0 and 1, received {target!r}.", param_hint="--target"
        )
    return int(target)


def _trace(output: Output, image: str, path: str, target: str | None) -> Trace:
    from pellucid import load_model
    from pellucid.cli._preparation import preparation
    from pellucid.data import ImagePreprocessing
    from pellucid.errors import DataError
    from pellucid.explain.trace import explain

    network = load_model(path)
    prepare = preparation(network, output.note)
    if not isinstance(prepare, ImagePreprocessing):
        raise DataError(f"{path} was trained on a table, not on pictures.")
    names = prepare.class_names
    known = names is not None and target in names
    right = int(target) if target is not None and target.isdecimal() and not known else target
    return explain(network, prepare(image), target=right, class_names=names)

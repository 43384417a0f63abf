"""`pellucid convolve`: a kernel slid over a picture or a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, quiet_option, shown_path
from pellucid.cli._story import format_option, pair, tell

if TYPE_CHECKING:
    from pellucid.explain.kernels import Kernel

__all__ = ["command"]

_TEXT_FILES = (".txt", ".csv", ".tsv", ".dat")


def _list_kernels(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from pellucid.explain.kernels import KERNELS
    from pellucid.explain.narration.numbers import number

    for kernel in KERNELS.values():
        scale = round(1 / min(1.0, abs(kernel.values[kernel.values != 0]).min()))
        rows = [" ".join(f"{number(v * scale):>2}" for v in row) for row in kernel.values]
        rows[-1] += f"   each times 1/{scale}" if scale > 1 else ""
        click.echo(f"{kernel.name}: {kernel.description}")
        click.echo("".join(f"    {row}\n" for row in rows) + f"    {kernel.source}\n")
    ctx.exit()


@click.command()
@click.argument("image")
@click.option(
    "--kernel",
    required=True,
    help="A kernel's name, such as 'vertical-edge', 'blur' or 'sharpen'; numbers, such as "
    "'1 0 -1; 1 0 -1; 1 0 -1'; or a text file of numbers.",
)
@click.option(
    "--kernels",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_kernels,
    help="List the kernels that have names, and stop.",
)
@click.option("--stride", default="1", show_default=True, help="Steps: 2, or 2,1 (down, right).")
@click.option(
    "--padding",
    default="valid",
    show_default=True,
    help="valid (none), same (output ⌈size / stride⌉), or how many zeros on every side.",
)
@click.option(
    "--at",
    "places",
    multiple=True,
    metavar="ROW,COLUMN",
    help="For a matrix: which position of the output to work out; may be repeated.",
)
@click.option("--all", "every", is_flag=True, help="For a matrix: work out every position.")
@click.option("--grayscale", is_flag=True, help="For a picture: drop its colours first.")
@format_option
@click.option(
    "--out", type=click.Path(), help="The file to write; for a picture IMAGE-KERNEL.png otherwise."
)
@quiet_option
def command(
    image: str,
    kernel: str,
    stride: str,
    padding: str,
    places: tuple[str, ...],
    every: bool,
    grayscale: bool,
    form: str,
    out: str | None,
) -> None:
    """Slide a kernel over a picture or a matrix, step by step.

    IMAGE is a picture; or a text file of numbers, or the numbers themselves, "1 2 3; 4 5 6; 7 8 9":
    then each position of the window is worked out.
    """
    from pellucid.explain.kernels import get_kernel, is_typed_matrix, parse_matrix, read_matrix

    output = Output()
    chosen = get_kernel(kernel)
    strides, sides = pair(stride, "--stride"), _padding(padding)
    is_file = Path(image).is_file()
    if not is_file and is_typed_matrix(image):
        matrix = parse_matrix(image, "IMAGE")
    elif is_file and Path(image).suffix.lower() in _TEXT_FILES:
        matrix = read_matrix(image)
    else:
        if places or every or form != "text":
            raise click.UsageError("--at, --all and --format are for matrices, not for pictures.")
        _convolve_picture(output, image, chosen, strides, sides, grayscale, out)
        return
    from pellucid.explain.narration import convolution_story

    positions = [pair(place, "--at") for place in places] or None
    most = 10**6 if every else 9
    story = convolution_story(matrix, chosen.values, strides, sides, positions=positions, most=most)
    tell(story, form, out, output)


def _padding(text: str) -> Any:
    if text.isdecimal():
        side = int(text)
        return (side, side), (side, side)
    if text not in ("valid", "same"):
        raise click.BadParameter(
            f"expected valid, same or a whole number, received {text!r}.", param_hint="--padding"
        )
    return text


def _convolve_picture(
    output: Output,
    image: str,
    kernel: Kernel,
    strides: tuple[int, int],
    padding: Any,
    grayscale: bool,
    out: str | None,
) -> None:
    from pellucid.explain.filtering import as_picture, filter_picture, read_picture, save_picture

    pixels = read_picture(image, grayscale)
    values = filter_picture(pixels, kernel, strides, padding)
    shown = as_picture(values, signed=kernel.is_difference)
    path = out or f"{Path(image).stem}-{kernel.name}.png"
    save_picture(path, shown.pixels)
    height, width = pixels.shape[:2]
    output.line(f"{kernel.name}: {kernel.description}")
    output.line(
        f"{height} × {width} pixels became {values.shape[0]} × {values.shape[1]}, numbers from "
        f"{values.min():.4g} to {values.max():.4g} (white is 1)."
    )
    output.line(shown.explanation)
    output.result(f"Drawn in {shown_path(path)}")

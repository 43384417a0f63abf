"""`pellucid filters`: what a convolution has learned."""

from __future__ import annotations

import click

from pellucid.cli._output import Output, json_option, quiet_option, shown_path

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@click.option("--layer", help="Which convolution, by name; the first by default.")
@click.option("--channel", type=int, help="Which channel that the filters read; their mean else.")
@click.option(
    "--out", type=click.Path(), default="filters.png", show_default=True, help="The picture."
)
@json_option
@quiet_option
def command(model: str, layer: str | None, channel: int | None, out: str) -> None:
    """Draw the filters of a convolution as a grid. With --json, print their weights instead."""
    from pellucid import load_model, plots
    from pellucid.plots.filters import convolutions, kernel_of

    output = Output()
    network = load_model(model, compile=False)
    kernel, name = kernel_of(network, layer)
    if output.json:
        output.data({"layer": name, "shape": list(kernel.shape), "kernel": kernel.tolist()})
        return
    plots.save(plots.plot_filters(network, layer, channel=channel), out)
    height, width, channels, count = kernel.shape
    output.result(
        f"{name}: {count} filters of {height} × {width} × {channels}, "
        f"weights from {kernel.min():.3f} to {kernel.max():.3f}"
    )
    output.result(f"Drawn in {shown_path(out)}")
    others = [one.name for one in convolutions(network) if one.name != name]
    if others and layer is None:
        output.line(f"Other convolutions (--layer): {', '.join(others)}", style="dim")

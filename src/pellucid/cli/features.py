"""`pellucid features`: what a layer makes of a picture."""

from __future__ import annotations

import click

from pellucid.cli._output import Output, json_option, quiet_option, shown_path

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@click.argument("image", type=click.Path())
@click.option("--layer", help="Which layer, by name; the first convolution by default.")
@click.option(
    "--out", type=click.Path(), default="feature_maps.png", show_default=True, help="The picture."
)
@json_option
@quiet_option
def command(model: str, image: str, layer: str | None, out: str) -> None:
    """Draw the feature maps that a layer makes of one picture. With --json, print them instead."""
    from pellucid import load_model, plots
    from pellucid.cli._preparation import preparation
    from pellucid.data import ImagePreprocessing
    from pellucid.errors import DataError
    from pellucid.plots.filters import feature_maps, find_layer

    output = Output()
    network = load_model(model, compile=False)
    prepare = preparation(network, output.note)
    if not isinstance(prepare, ImagePreprocessing):
        raise DataError(f"{model} was trained on a table: it makes no feature maps.")
    picture = prepare(image)
    chosen = find_layer(network, layer)
    maps = feature_maps(network, picture, chosen)
    if output.json:
        output.data({"layer": chosen.name, "shape": list(maps.shape), "maps": maps.tolist()})
        return
    plots.save(plots.plot_feature_maps(network, picture, chosen), out)
    height, width, count = maps.shape
    output.result(
        f"{chosen.name}: {count} maps of {height} × {width}, "
        f"numbers from {maps.min():.3f} to {maps.max():.3f}"
    )
    output.result(f"Drawn in {shown_path(out)}")

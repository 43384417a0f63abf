"""`pellucid summary`: a model's layers."""

from __future__ import annotations

import click

from pellucid.cli._output import Output, json_option, quiet_option

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@json_option
@quiet_option
def command(model: str) -> None:
    """Show a model's layers: shapes, parameters, multiply-adds.

    MODEL is a .keras file.
    """
    from pellucid import load_model
    from pellucid.models.summary import multiply_adds

    out = Output()
    network = load_model(model, compile=False)
    work = multiply_adds(network.program())
    layers = [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": list(layer.calls[0].outputs.shape) if layer.calls else None,
            "parameters": layer.count_params(),
            "multiply_adds": work.get(layer.name, 0),
        }
        for layer in network.layers
    ]
    out.data(
        {
            "name": network.name,
            "input_shape": list(network.input_shape),
            "parameters": network.count_params(),
            "multiply_adds": sum(work.values()),
            "layers": layers,
            "preprocessing": network.preprocessing,
        }
    )
    if out.json:
        return
    network.summary()
    names = (network.preprocessing or {}).get("class_names")
    if names:
        shown = ", ".join(names[:20]) + (f" … ({len(names)})" if len(names) > 20 else "")
        out.line(f" Classes           {shown}")

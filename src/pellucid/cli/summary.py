"""`pellucid summary`: a model's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, json_option, quiet_option

if TYPE_CHECKING:
    from pellucid.layers import Layer

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@json_option
@quiet_option
def command(model: str) -> None:
    """Show a model's layers: shapes, parameters, multiply-adds.

    MODEL is a .keras, .h5 or .onnx file.
    """
    from pellucid import load_model
    from pellucid.models.summary import multiply_adds

    out = Output()
    network = load_model(model, compile=False)
    work = multiply_adds(network.program())
    layers = [
        {
            "name": layer.name,
            "type": layer.kind,
            "output_shape": _shape(layer),
            "parameters": layer.count_params(),
            "multiply_adds": work.get(layer.name, 0) if work else None,
        }
        for layer in network.operations
    ]
    out.data(
        {
            "name": network.name,
            "input_shape": list(network.input_shape),
            "parameters": network.count_params(),
            "multiply_adds": sum(work.values()) if work else None,
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


def _shape(layer: Layer) -> Any:
    """Return the shape of a layer's output, or of each of several; None if it was never called."""
    from pellucid.layers._symbolic import flatten

    if not layer.calls:
        return None
    shapes = [list(tensor.shape) for tensor in flatten(layer.calls[0].outputs)]
    return shapes[0] if len(shapes) == 1 else shapes

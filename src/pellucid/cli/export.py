"""`pellucid export`: a model for other programs to run."""

from __future__ import annotations

from pathlib import Path

import click

from pellucid.cli._output import Output, json_option, quiet_option, shown_path

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@click.option(
    "-o", "--out", type=click.Path(), help="The file; by default the model's name with .onnx."
)
@click.option("--opset", type=int, help="The version of ONNX's operators.")
@click.option("--batch-size", type=click.IntRange(1), help="Fix the batch size; any by default.")
@json_option
@quiet_option
def command(model: str, out: str | None, opset: int | None, batch_size: int | None) -> None:
    """Write a model as an ONNX file, for other programs to run.

    MODEL is a .keras, .h5 or .onnx file.
    """
    from pellucid import load_model

    output = Output()
    network = load_model(model, compile=False)
    target = out or str(Path(model).with_suffix(".onnx"))
    shapes = [(batch_size, *tensor.shape[1:]) for tensor in network.inputs]
    network.export(target, input_signature=shapes if batch_size else None, opset_version=opset)
    output.data({"model": model, "file": target, "bytes": Path(target).stat().st_size})
    output.result(f"Exported {network.name} to {shown_path(target)}")

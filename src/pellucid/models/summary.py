"""The table that `model.summary()` prints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from pellucid.graph import Node, Program
from pellucid.layers._layer import Layer
from pellucid.layers._symbolic import flatten
from pellucid.ops._operation import Shape

if TYPE_CHECKING:
    from pellucid.models.training import Trainer

__all__ = ["multiply_adds", "render"]

BYTES_PER_NUMBER = 4


def multiply_adds(program: Program) -> dict[str, int]:
    """Return the multiply-adds of one sample for each layer of a program, by the layer's name.

    There are none if they depend on the size of what is fed in.
    """
    counts: dict[str, int] = {}
    if any(None in value.shape[1:] for value in program.inputs):
        return counts
    for node in program.nodes:
        layer = node.layer.split("/")[0]
        counts[layer] = counts.get(layer, 0) + _of_node(node)
    return counts


def _of_node(node: Node) -> int:
    shapes = [None if v is None else _one_sample(v.shape) for v in node.inputs]
    return node.op.multiply_adds(*shapes)


def _one_sample(shape: Shape) -> tuple[int, ...]:
    return tuple(1 if n is None else n for n in shape)


def render(
    model: Trainer, line_length: int | None = None, print_fn: Callable[[str], object] | None = None
) -> None:
    """Print the model's layers: name and class, output shape, parameters, multiply-adds."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = line_length or min(100, shutil.get_terminal_size((80, 24)).columns)
    console = Console(width=width, highlight=False, record=print_fn is not None, quiet=False)
    linear = _is_linear(model)
    table = Table(box=box.ROUNDED, width=width, header_style="bold")
    table.add_column("Layer (type)", ratio=5, overflow="fold")
    table.add_column("Output shape", ratio=4, overflow="fold")
    table.add_column("Parameters", justify="right", ratio=3)
    table.add_column("Multiply-adds", justify="right", ratio=3)
    if not linear:
        table.add_column("Connected to", ratio=4, overflow="fold")
    work = multiply_adds(model.program()) if model.built else {}
    for layer in model.operations:
        row = [
            f"{layer.name} [dim]({layer.kind})[/dim]",
            _output_shape(layer),
            f"{layer.count_params():,}" if layer.built else "not built",
            f"{work.get(layer.name, 0):,}" if work.get(layer.name) else "",
        ]
        table.add_row(*row, *([] if linear else [_sources(model, layer)]))
    lines: list[str | Table] = [f"[bold]Model: {model.name}[/bold]", table]
    if model.built:
        lines += _totals(model, sum(work.values()))
    else:
        lines.append("Not built: the shape of the input is not known yet.")
    if print_fn is None:
        for line in lines:
            console.print(line)
        return
    with console.capture() as capture:
        for line in lines:
            console.print(line)
    print_fn(capture.get().rstrip("\n"))


def _totals(model: Trainer, work: int) -> list[str]:
    trainable = sum(v.size for v in model.trainable_weights)
    frozen = sum(v.size for v in model.non_trainable_weights)
    lines = [
        _total("Total parameters", trainable + frozen),
        _total("Trainable", trainable),
        _total("Not trainable", frozen),
    ]
    slots = [array.size for _, array in model.optimizer.variables] if model.optimizer else []
    if sum(slots) > len(slots):
        lines.append(_total("Optimizer", sum(slots)))
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        return [*lines, " Multiply-adds depend on the size of the input"]
    return [*lines, f" {'Multiply-adds':<17} {work:>12,} for one input"]


def _total(name: str, count: int) -> str:
    size = float(count * BYTES_PER_NUMBER)
    unit = "B"
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            break
        size /= 1024
    return f" {name:<17} {count:>12,} [dim]({size:.2f} {unit})[/dim]"


def _output_shape(layer: Layer) -> str:
    if not layer.calls:
        return "?"
    shapes = [str(tensor.shape) for tensor in flatten(layer.calls[0].outputs)]
    return ", ".join(shapes)


def _sources(model: Trainer, layer: Layer) -> str:
    from pellucid.models._topology import flatten_inputs

    names = [
        tensor.call.layer.name
        for call in model.graph_calls
        if call.layer is layer
        for tensor in flatten_inputs(call)
    ]
    return ", ".join(names)


def _is_linear(model: Trainer) -> bool:
    from pellucid.models._topology import flatten_inputs

    layers = [call.layer.name for call in model.graph_calls]
    return len(set(layers)) == len(layers) and all(
        len(flatten_inputs(call)) <= 1 for call in model.graph_calls
    )

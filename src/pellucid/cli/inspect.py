"""`pellucid inspect`: what a model file holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, harmless, json_option, quiet_option

if TYPE_CHECKING:
    from rich.table import Table

    from pellucid.formats.inspection import FileContents, Measures, StoredArray

__all__ = ["command"]

_MOST_CLASSES = 12


@click.command()
@click.argument("file", type=click.Path())
@json_option
@quiet_option
def command(file: str) -> None:
    """Show what a model file holds, without running anything.

    FILE is a .keras, .weights.h5, .h5, .onnx, .safetensors or .npz file, of whatever origin; of any
    other file, it is said what it seems to be.
    """
    from pathlib import Path
    from textwrap import fill

    from rich.text import Text

    from pellucid.formats.inspection import inspect_file

    out = Output()
    found = inspect_file(file)
    rows = [(array, _measures(array)) for array in found.arrays]
    size = Path(file).stat().st_size
    out.data(_as_json(file, size, found, rows))
    if out.json:
        return
    facts = {"file": f"{file}, {_readable(size)}", "format": found.format, **found.facts}
    facts |= _totals(found)
    width = max(map(len, facts))
    for name, value in facts.items():
        text = harmless(f"{name:<{width}}  {value}")
        out.line(
            fill(
                text,
                out.console.width,
                subsequent_indent=" " * (width + 2),
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    if found.advice:
        out.line(f"\n{found.advice}")
    weights = [row for row in rows if not row[0].state]
    if weights:
        out.line("")
        out.result(_table(weights))
    for text in _warnings(rows):
        out.result(Text(harmless(text), style="bold red"))


def _measures(array: StoredArray) -> Measures | None:
    """Return the measures of an array; None if its numbers are not in the file."""
    from pellucid.errors import LoadError
    from pellucid.formats.inspection import measured

    try:
        return measured(array)
    except LoadError:
        return None


def _totals(found: FileContents) -> dict[str, str]:
    totals = {}
    if found.layers:
        kinds = Counter(kind for _, kind in found.layers).most_common()
        shown = [kind if n == 1 else f"{n} {kind}" for kind, n in kinds[:_MOST_CLASSES]]
        more = " …" if len(kinds) > _MOST_CLASSES else ""
        totals["nodes" if found.kind == "onnx" else "layers"] = (
            f"{len(found.layers)}: {', '.join(shown)}{more}"
        )
    weights = [array for array in found.arrays if not array.state]
    state = [array for array in found.arrays if array.state]
    if weights:
        types = ", ".join(sorted({array.dtype for array in weights}))
        count = sum(array.size for array in weights)
        totals["parameters"] = f"{count:,} in {_counted(len(weights), 'array')} of {types}"
    if state:
        count = sum(array.size for array in state)
        numbers, arrays = _counted(count, "number"), _counted(len(state), "array")
        totals["optimizer's state"] = f"{numbers} in {arrays}"
    return totals


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _table(rows: list[tuple[StoredArray, Measures | None]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    several = len({array.dtype for array, _ in rows}) > 1
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("array", overflow="fold")
    table.add_column("shape", overflow="fold")
    if several:
        table.add_column("type")
    zeros = any(measures is not None and measures.zeros for _, measures in rows)
    for title in ("min", "mean", "max", *(["zeros"] if zeros else [])):
        table.add_column(title, justify="right", no_wrap=True)
    for array, measures in rows:
        shape = "×".join(map(str, array.shape)) or "one number"
        row = [escape(harmless(array.name)), shape, *([array.dtype] if several else [])]
        if measures is None:
            table.add_row(*row, "in another", "file")
            continue
        numbers = [measures.low, measures.mean, measures.high]
        row += ["–" if n is None else f"{n:.3g}" for n in numbers]
        if measures.zeros:
            row.append(f"{measures.zeros / array.size:.0%}")
        table.add_row(*row)
    return table


def _warnings(rows: list[tuple[StoredArray, Measures | None]]) -> list[str]:
    return [
        f"NaN or infinite: {measures.non_finite:,} of the {array.size:,} numbers of {array.name}"
        for array, measures in rows
        if measures is not None and measures.non_finite
    ]


def _as_json(
    file: str,
    size: int,
    found: FileContents,
    rows: list[tuple[StoredArray, Measures | None]],
) -> dict[str, Any]:
    return {
        "file": file,
        "bytes": size,
        "kind": found.kind,
        "format": found.format,
        "facts": found.facts,
        "parameters": sum(array.size for array, _ in rows if not array.state),
        "layers": [{"name": name, "type": kind} for name, kind in found.layers],
        "arrays": [
            {
                "name": array.name,
                "shape": list(array.shape),
                "dtype": array.dtype,
                "optimizer": array.state,
                **({} if measures is None else vars(measures)),
            }
            for array, measures in rows
        ],
        "advice": found.advice,
    }


def _readable(size: float) -> str:
    unit = "bytes"
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"

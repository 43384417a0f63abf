"""What a run found, for people: lines as it goes, one table of ratios, a plot.

python benchmarks/report.py RESULTS.json     prints the table again and draws the plot again
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from contestants import CONTESTANTS

# Okabe and Ito's palette, which is distinct for colour-blind people as well.
COLOURS = {"pellucid": "#0072B2", "pellucid-reference": "#56B4E9"}
RIVAL_COLOUR, TEXT_COLOUR = "#BBBBBB", "#333333"


def number(value: float) -> str:
    """Return a number with three significant digits, and no fewer before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_progress(row: dict[str, Any]) -> None:
    print(f"\n{row['name']} ({row['unit']}; at best {number(row['floor']['value'])})")
    for name, values in row["values"].items():
        middle = statistics.median(values)
        spread = (max(values) - min(values)) / middle
        print(f"  {name:20}{number(middle):>10}  spread {spread:.0%}", flush=True)
    for name, error in row["errors"].items():
        print(f"  {name:20}{error}", flush=True)


def goodness(row: dict[str, Any], name: str) -> float:
    """Return what was measured, or its reciprocal where less is better."""
    value: float = row["medians"][name]
    return value if row["unit"] == "samples/s" else 1 / value


def measured(result: dict[str, Any]) -> list[str]:
    """Return who there are figures of; the first is the one that the others are compared with."""
    return [name for name in CONTESTANTS if any(name in row["medians"] for row in result["rows"])]


def table(result: dict[str, Any]) -> str:
    """Return the table of ratios: how many times as good the first contestant is as each other."""
    base, *others = measured(result) or [""]
    if not base:
        return "Nothing was measured."
    headings = [CONTESTANTS[name].heading for name in others]
    widths = [max(8, len(heading) + 1) for heading in headings]
    cells = [f"{h:>{w}}" for h, w in zip(headings, widths, strict=True)]
    lines = [f"{'':21}{CONTESTANTS[base].heading:>12}{'floor':>6}" + "".join(cells)]
    for row in result["rows"]:
        value = share = "–"
        if base in row["medians"]:
            unit = "/s" if row["unit"] == "samples/s" else row["unit"]
            value = f"{number(row['medians'][base])} {unit}"
            if row["floor"]:
                best = {"medians": {"": row["floor"]["value"]}, "unit": row["unit"]}
                share = f"{goodness(row, base) / goodness(best, ''):.0%}"
        cells = [f"{ratio(row, base, n):>{w}}" for n, w in zip(others, widths, strict=True)]
        lines.append(f"{row['name']:21}{value:>12}{share:>6}" + "".join(cells))
    lines.append(f"floor: the share that {base} reaches of what the machine allows;")
    lines.append(f"other columns: how many times as fast, or as small, {base} is; –: not measured")
    return "\n".join(["", *lines])


def ratio(row: dict[str, Any], base: str, other: str) -> str:
    if base not in row["medians"] or other not in row["medians"]:
        return "failed" if other in row["errors"] else "–"
    return f"{number(goodness(row, base) / goodness(row, other))}×"


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw a small panel of bars for each row; every bar carries its name and its value."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in result["rows"] if row["medians"]]
    if not rows:
        return
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    tallest = max(len(row["medians"]) for row in rows)
    figure, axes = plt.subplots(
        lines, columns, figsize=(4.2 * columns, lines * (0.7 + 0.24 * tallest)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis in axes.flat[len(rows) :]:
        axis.set_visible(False)
    for axis, row in zip(axes.flat, rows, strict=False):
        names = sorted(row["medians"], key=lambda name: goodness(row, name))
        values = [row["medians"][name] for name in names]
        colours = [COLOURS.get(name, RIVAL_COLOUR) for name in names]
        axis.barh(names, values, color=colours, height=0.7)
        for place, value in enumerate(values):
            axis.annotate(
                number(value), (value, place), (4, 0), textcoords="offset points", va="center",
                color=TEXT_COLOUR, fontsize=8,
            )  # fmt: skip
        better = "more is better" if row["unit"] == "samples/s" else "less is better"
        title = f"{row['name']} ({row['unit']}, {better})"
        axis.set_title(title, loc="left", fontsize=9, color=TEXT_COLOUR)
        axis.tick_params(left=False, labelsize=8, labelcolor=TEXT_COLOUR)
        axis.set_xticks([])
        axis.set_xlim(0, 1.2 * max(values))
        axis.set_ylim(len(names) - tallest - 0.5, len(names) - 0.5)  # bars as thick everywhere
        axis.spines[:].set_visible(False)
    limits = result["machine"]
    note = f"{limits['processor']}, {limits['threads']} threads, {result['date'][:10]}"
    figure.supxlabel(note, fontsize=8, color=TEXT_COLOUR, x=0.01, ha="left")
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    again = json.loads(file.read_text())
    print(table(again))
    plot(again, file.with_suffix(".png"))

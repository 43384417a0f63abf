"""`pellucid evaluate`: how good a model is on labelled data."""

from __future__ import annotations

import click

from pellucid.cli._output import Output, json_option, quiet_option, shown_path

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data")
@click.option(
    "--part",
    type=click.Choice(["test", "validation", "training"]),
    help="Which part of the data; the first of these that there is.",
)
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True)
@click.option("--out", type=click.Path(), help="A folder for the confusion matrix and mistakes.")
@json_option
@quiet_option
def command(model: str, data: str, part: str | None, batch_size: int, out: str | None) -> None:
    """Run a model on labelled data and count what it gets right.

    MODEL is a .keras, .h5 or .onnx file; DATA is mnist, fashion_mnist, cifar10, a folder of
    pictures, a CSV or an NPZ file. The data is treated as the model's training data was.
    """
    from pathlib import Path

    from pellucid import load_model
    from pellucid.cli import _assessment as assessment
    from pellucid.cli._preparation import labelled, preparation, task_of
    from pellucid.cli._tables import classes_table, mistakes_lines
    from pellucid.plots import is_available

    output = Output()
    network = load_model(model, compile=False)
    prepare = preparation(network, output.note)
    _, class_names = task_of(network, prepare)
    samples = labelled(data, prepare, part, batch_size)
    found = assessment.assess(network, samples.dataset, class_names, output.counter("assessed"))
    report = {"model": model, "data": data, "part": samples.part, **found.results()}
    if class_names is not None:
        report |= {"class_names": list(class_names), "confusion": found.matrix.tolist()}
    output.data(report)
    output.result(f"{data}, {samples.part}: {found.sentence()}")
    if class_names is not None and not output.quiet:
        output.say("", classes_table(found))
        for line in mistakes_lines(found, samples.places):
            output.line(line)
    if out is None:
        return
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    written = assessment.write_tables(found, folder, samples.places)
    if is_available():
        written += assessment.write_plots(found, folder)
    output.line(f"Written to {shown_path(folder)}: {', '.join(written)}")

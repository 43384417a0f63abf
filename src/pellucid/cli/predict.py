"""`pellucid predict`: what a model says of pictures or rows."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, json_option, quiet_option

if TYPE_CHECKING:
    from pellucid.data import ImagePreprocessing, TablePreprocessing
    from pellucid.models import Model

__all__ = ["command"]

_BATCH = 64


@click.command()
@click.argument("model", type=click.Path())
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--top", type=click.IntRange(1), default=3, show_default=True, help="Classes to show."
)
@json_option
@quiet_option
def command(model: str, files: tuple[str, ...], top: int) -> int:
    """Say what a model sees in pictures, or predicts for rows.

    MODEL is a .keras, .h5 or .onnx file; FILES are pictures, folders of pictures (looked through
    to the bottom), patterns such as 'photos/*.jpg', or tables. Each is treated as the model's
    training data was. The exit code is 1 if one of them could not be read.
    """
    from pellucid import load_model
    from pellucid.cli._preparation import preparation, task_of
    from pellucid.data import ImagePreprocessing

    out = Output()
    network = load_model(model, compile=False)
    prepare = preparation(network, out.note)
    _, class_names = task_of(network, prepare)
    paths, failed = _expanded(files, out)
    answers: list[dict[str, Any]] = []
    if isinstance(prepare, ImagePreprocessing):
        failed += _pictures(network, prepare, class_names, paths, top, out, answers)
    else:
        for path in paths:
            _rows(network, prepare, class_names, path, top, out, answers)
    out.data(answers)
    return 1 if failed else 0


def _expanded(files: tuple[str, ...], out: Output) -> tuple[list[str], int]:
    """Return the files that arguments mean, and how many arguments mean none."""
    from pellucid.data.image_folder import walk_images

    paths: list[str] = []
    failed = 0
    for given in files:
        if Path(given).is_dir():
            found = walk_images(given)
        elif not Path(given).exists() and glob.has_magic(given):
            found = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 Path.glob takes no absolute pattern
        else:
            found = [given]
        if not found:
            out.failure(f"{given}: there are no pictures.")
            failed += 1
        paths += found
    return paths, failed


def _pictures(
    model: Model,
    prepare: ImagePreprocessing,
    class_names: tuple[str, ...] | None,
    paths: list[str],
    top: int,
    out: Output,
    answers: list[dict[str, Any]],
) -> int:
    """Predict for pictures, some at a time; return how many could not be read."""
    import numpy as np

    from pellucid.errors import DataError

    failed = 0
    for start in range(0, len(paths), _BATCH):
        names, batch = [], []
        for path in paths[start : start + _BATCH]:
            try:
                batch.append(prepare(path))
                names.append(path)
            except DataError as error:
                out.failure(str(error))
                failed += 1
        if batch:
            outputs = model.predict_on_batch(np.stack(batch))
            for name, row in zip(names, outputs, strict=True):
                _answer({"file": name}, name, row, class_names, top, out, answers)
    return failed


def _rows(
    model: Model,
    prepare: TablePreprocessing,
    class_names: tuple[str, ...] | None,
    path: str,
    top: int,
    out: Output,
    answers: list[dict[str, Any]],
) -> None:
    from pellucid.data import read_csv

    table = read_csv(path)
    outputs = model.predict(prepare.transform(table), batch_size=256, verbose=0)
    for line, row in zip(table.lines, outputs, strict=True):
        known = {"file": path, "line": line}
        _answer(known, f"{path}, line {line}", row, class_names, top, out, answers)


def _answer(
    known: dict[str, Any],
    where: str,
    outputs: Any,
    class_names: tuple[str, ...] | None,
    top: int,
    out: Output,
    answers: list[dict[str, Any]],
) -> None:
    """Print what the model says of one sample, and remember it for --json."""
    import numpy as np
    from rich.text import Text

    from pellucid.cli._assessment import as_probabilities
    from pellucid.cli._tables import probability_lines

    if class_names is None:
        values = [float(value) for value in outputs]
        answers.append(known | {"value": values[0] if len(values) == 1 else values})
        out.result(Text(f"{where}: {', '.join(f'{value:.6g}' for value in values)}"))
        return
    shares = as_probabilities(outputs[None])[0]
    order = np.argsort(-shares, kind="stable")[:top].tolist()
    best = [{"class": class_names[i], "probability": float(shares[i])} for i in order]
    answers.append(known | best[0] | {"top": best})
    if out.json:
        return
    if out.quiet:
        out.result(Text(f"{where}: {class_names[order[0]]} {shares[order[0]]:.2%}"))
        return
    out.result(Text(f"{where}: {class_names[order[0]]}", style="bold"))
    for place, line in enumerate(probability_lines(shares, class_names, top)):
        out.result(Text(f"  {line}", style="cyan" if place == 0 else "dim"))

"""`pellucid tour`: a CNN trained and looked into, in a minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, quiet_option, shown_path

if TYPE_CHECKING:
    from pellucid.cli._assessment import Assessment
    from pellucid.models import Model

__all__ = ["command"]

TRAINING, VALIDATION, BATCH = 10_000, 2_000, 64
PICTURE = 5
"""The test image that is looked at."""


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--limit", type=click.IntRange(BATCH), help=f"Train on fewer than {TRAINING:,} pictures."
)
@click.option("--out", type=click.Path(), default="pellucid-tour", show_default=True)
@quiet_option
def command(seed: int, epochs: int, limit: int | None, out: str) -> None:
    """Train a CNN on handwritten digits, and look into it. A minute at most.

    It trains on the first 10,000 pictures of MNIST, which comes with Pellucid, and validates on the
    first 2,000 test pictures; shows one prediction step by step; and writes the model and pictures
    of what it has learned into a folder.
    """
    from pellucid import datasets, utils
    from pellucid.architectures import build
    from pellucid.data import ImagePreprocessing

    output = Output()
    begun = time.perf_counter()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    utils.clear_session()
    utils.set_random_seed(seed)
    digits = tuple("0123456789")
    prepare = ImagePreprocessing(
        (28, 28), "grayscale", scale=1 / 255, fit="digit", invert="auto", class_names=digits
    )
    (x, y), (x_test, y_test) = datasets.mnist.load_data()
    count = min(limit or TRAINING, TRAINING)
    x = prepare.normalize(x[:count, ..., None])
    x_test = prepare.normalize(x_test[:VALIDATION, ..., None])
    y, y_test = y[:count], y_test[:VALIDATION]

    _heading(output, 1, "The data")
    output.line(
        f"MNIST, handwritten digits of 28 × 28 grey pixels: {count:,} to learn from,\n"
        f"{len(x_test):,} others to see what was learned. They came with the installation."
    )
    _heading(output, 2, "The model")
    model = build("mnist", (28, 28, 1), 10)
    model.preprocessing = prepare.to_config()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if not output.quiet:
        model.summary(line_length=min(output.console.width, 100))
    _heading(output, 3, f"Training: {epochs} times through the data, {BATCH} pictures at a step")
    progress = output.progress()
    try:
        history = model.fit(
            x,
            y,
            epochs=epochs,
            batch_size=BATCH,
            validation_data=(x_test, y_test),
            callbacks=[progress],
            verbose=0,
        ).history
    finally:
        progress.close()
    output.line("")
    output.result(
        f"Of {len(x_test):,} digits it had never seen, it now reads "
        f"{history['val_accuracy'][-1]:.2%} right."
    )

    _heading(output, 4, f"One prediction, step by step: test picture {PICTURE}")
    _walk(output, model, x_test[PICTURE], digits)

    _heading(output, 5, f"Written to {shown_path(folder)}")
    _write(output, folder, model, history, x_test, y_test, prepare)
    output.line(f"\n{time.perf_counter() - begun:.0f} seconds in all.")
    _heading(output, 6, "Try next")
    _suggest(output, folder)


def _heading(output: Output, number: int, title: str) -> None:
    from rich.text import Text

    output.say(Text(f"\n{number}  {title}\n", style="bold"))


def _walk(output: Output, model: Model, picture: Any, class_names: tuple[str, ...]) -> None:
    """Show the picture, and one number on its way from the pixels to the answer."""
    from rich.text import Text

    from pellucid.cli._walkthrough import blocks, follow, tell

    if output.quiet:
        return
    for line in blocks(picture):
        output.line(line)
    output.line(
        "\nOne number is followed from the pixels to the answer, at each step the one that\n"
        "counts most for it. Numbers are rounded to three decimals where they are shown."
    )
    for letter, (title, lines) in zip(
        "abcdefghijklmnopqrstuvwxyz", tell(follow(model, picture), class_names), strict=False
    ):
        output.say(Text(f"\n{letter}  {title}", style="bold cyan"))
        for line in lines:
            output.line(f"   {line}".rstrip())


def _write(
    output: Output,
    folder: Path,
    model: Model,
    history: dict[str, list[float]],
    x: Any,
    y: Any,
    prepare: Any,
) -> None:
    """Write the model, the tables and the pictures, and say what each is."""
    from PIL import Image

    from pellucid.cli._assessment import assess, write_csv, write_tables
    from pellucid.data import ArrayDataset
    from pellucid.plots import is_available

    model.save(folder / "model.keras")
    pixels = (x[PICTURE, ..., 0] * 255).round().astype("uint8")
    Image.fromarray(pixels).save(folder / "digit.png")
    names = list(history)
    rows = zip(*history.values(), strict=True)
    write_csv(
        folder / "history.csv",
        [["epoch", *names], *([number, *row] for number, row in enumerate(rows, 1))],
    )
    found = assess(model, ArrayDataset(x, y, batch_size=256), prepare.class_names)
    write_tables(found, folder, lambda row: f"test[{row}]")
    written = {
        "model.keras": "the trained model, with its optimiser and its preprocessing",
        "digit.png": f"test picture {PICTURE}, to try predictions on",
        "history.csv": "loss and accuracy, epoch by epoch",
        "confusion.csv": "how often each digit was taken for each",
        "mistakes.csv": "the mistakes that the model was surest of",
    }
    if is_available():
        written |= _draw(folder, model, history, x, found)
    for name, words in written.items():
        output.line(f"{name:<17} {words}")
    if not is_available():
        output.note('The pictures were left out: pip install "pellucid[plot]" for those.')


def _draw(
    folder: Path, model: Model, history: dict[str, list[float]], x: Any, found: Assessment
) -> dict[str, str]:
    from pellucid import plots
    from pellucid.cli._assessment import write_plots

    plots.save(plots.plot_filters(model), folder / "filters.png")
    plots.save(plots.plot_feature_maps(model, x[PICTURE]), folder / "feature_maps.png")
    plots.save(plots.plot_history(history), folder / "history.png")
    write_plots(found, folder)
    return {
        "filters.png": "the 32 filters that the first convolution has learned",
        "feature_maps.png": f"what each of them makes of test picture {PICTURE}",
        "history.png": "loss and accuracy as curves",
        "confusion.png": "the confusion matrix",
        "mistakes.png": "the worst mistakes: picture, what was said, what it is",
    }


def _suggest(output: Output, folder: Path) -> None:
    place = shown_path(folder)
    model, digit = f"{place}/model.keras", f"{place}/digit.png"
    suggestions = [
        (f"pellucid predict {model} {digit}", "or a photograph of a digit of your own"),
        (f"pellucid explain {digit} --model {model}", "where the answer comes from, and back"),
        (f"pellucid filters {model} --layer conv2d_1", "the second convolution"),
        (f"pellucid evaluate {model} mnist", "all 10,000 test pictures"),
        ("pellucid train mnist --epochs 6 --validation 0", "all 60,000 pictures: 99%"),
        ("pellucid lesson", "how all of this works, from the first product to your own model"),
        ("pellucid train FOLDER", "your own pictures, one folder for each class"),
    ]
    for command_line, words in suggestions:
        output.line(command_line)
        output.line(f"   {words}", style="dim")

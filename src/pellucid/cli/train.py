"""`pellucid train`: from data to a trained model in a folder."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli._output import Output, json_option, quiet_option, shown_path

if TYPE_CHECKING:
    from pellucid.cli._assessment import Assessment
    from pellucid.cli._run import Recorder, Run, Settings
    from pellucid.data import Dataset, Loaded
    from pellucid.layers import Layer
    from pellucid.models import Model

__all__ = ["command"]

AUGMENTATIONS = ("flip", "shift", "rotate", "zoom", "contrast")
INTERRUPTED = 130
_VALIDATION = 0.1


def _listed(_: click.Context, parameter: click.Parameter, value: str | None) -> list[str]:
    """Return what a list with commas names, checked where only some names are known."""
    names = [name.strip() for name in (value or "").split(",") if name.strip()]
    if parameter.name == "augment":
        for name in names:
            if name not in AUGMENTATIONS:
                raise click.BadParameter(f"{name!r} is none of {', '.join(AUGMENTATIONS)}.")
    return names


def _size(_: click.Context, __: click.Parameter, value: str | None) -> list[int] | None:
    """Return [height, width] of '96' or '64x96'."""
    if value is None:
        return None
    sides = value.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.isdigit() and int(side) for side in sides):
        raise click.BadParameter("expected one side, such as 96, or HEIGHTxWIDTH.")
    return [int(sides[0]), int(sides[-1])]


@click.command()
@click.argument("data", required=False)
@click.option(
    "--model",
    help="mnist, mnist-deep, lenet5, simple-cifar, resnet8 or mlp, or a .json or .py definition "
    "(a .py file is executed).  [default: mnist; mlp for tables]",
)
@click.option("--epochs", type=click.IntRange(1), help="The epoch to stop after.  [default: 5]")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True)
@click.option(
    "--optimizer",
    type=click.Choice(["adam", "adamw", "sgd", "rmsprop"]),
    default="adam",
    show_default=True,
)
@click.option("--learning-rate", type=float, help="By default the optimiser's own.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=_VALIDATION,
    show_default=True,
    help="The share to validate on, where the data has no validation part; 0 for none.",
)
@click.option(
    "--augment",
    callback=_listed,
    metavar="LIST",
    help=f"Change pictures at random while training: {', '.join(AUGMENTATIONS)}.",
)
@click.option("--limit", type=click.IntRange(1), help="Use only so many training samples.")
@click.option("--target", help="For a table: the column to learn.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="For a table.")
@click.option("--ignore", callback=_listed, metavar="LIST", help="For a table: columns to ignore.")
@click.option(
    "--image-size", callback=_size, metavar="SIDE", help="For a folder: 96, or HEIGHTxWIDTH."
)
@click.option("--color-mode", type=click.Choice(["grayscale", "rgb", "rgba"]), help="For a folder.")
@click.option("--skip-unreadable", is_flag=True, help="For a folder: leave out broken files.")
@click.option("--out", type=click.Path(), help="The run's folder.  [default: runs/DATA-N]")
@click.option("--resume", type=click.Path(), metavar="FOLDER", help="Go on with an earlier run.")
@json_option
@quiet_option
def command(out: str | None, resume: str | None, **options: Any) -> int:
    """Train a model.

    DATA is mnist, fashion_mnist or cifar10; a folder with a folder of pictures for each class; a
    CSV table; or an NPZ file. The run's folder gets the model, the history, the confusion matrix,
    the worst mistakes and their pictures, and a record of the exact command and versions.

    Ctrl-C finishes the batch, saves, and says how to go on.
    """
    from pellucid.cli._run import Run

    output = Output()
    if resume is not None:
        _refuse_other_options()
        run = Run.reopen(resume)
        run.settings.epochs = options["epochs"] or run.settings.epochs
        if len(run.rows) >= run.settings.epochs:
            raise click.UsageError(
                f"{resume} has its {len(run.rows)} epochs. To train on, say --epochs with more."
            )
        return _train(output, run, resumed=True)
    if options["data"] is None:
        raise click.UsageError("Say what to train on (DATA), or which run to --resume.")
    settings = _settings(options)
    loaded = _load(output, settings)
    return _train(output, Run.create(out, settings), loaded=loaded)


def _refuse_other_options() -> None:
    context = click.get_current_context()
    own = {"resume", "epochs", "quiet", "json"}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in own and source is not None and source.name == "COMMANDLINE":
            raise click.UsageError(
                f"A run that is gone on with keeps its settings: leave out {parameter.opts[0]}."
            )


def _settings(options: dict[str, Any]) -> Settings:
    from pellucid.cli._run import Settings

    source = options["data"]
    kept = str(Path(source).resolve()) if Path(source).exists() else source
    return Settings(
        **options
        | {
            "data": kept,
            "model": options["model"] or "",
            "epochs": options["epochs"] or 5,
            "validation": options["validation"] or None,
        }
    )


def _load(output: Output, settings: Settings) -> Loaded:
    from pellucid import data

    size = settings.image_size
    return data.load(
        settings.data,
        limit=settings.limit,
        validation=settings.validation,
        target=settings.target,
        task=settings.task,
        ignore=settings.ignore,
        image_size=None if size is None else (size[0], size[1]),
        color_mode=settings.color_mode,
        batch_size=settings.batch_size,
        seed=settings.seed,
        skip_unreadable=settings.skip_unreadable,
        progress=output.counter("looked at"),
    )


def _train(output: Output, run: Run, resumed: bool = False, loaded: Loaded | None = None) -> int:
    from pellucid import load_model, utils
    from pellucid.cli._run import Interrupted, Recorder
    from pellucid.errors import PellucidError

    loaded = loaded or _load(output, run.settings)
    utils.clear_session()
    utils.set_random_seed(run.settings.seed)
    steps = len(loaded.training)
    if resumed:
        model = load_model(run.model_path)
        recorder = Recorder(run, run.resume(model, steps))
    else:
        model = _model(run.settings, loaded)
        run.begin(model, steps)
        recorder = Recorder(run)
    _announce(output, run, loaded, model, recorder)
    progress = output.progress()
    try:
        with _stopping_on_interrupt(recorder, output):
            model.fit(
                loaded.training,
                epochs=run.settings.epochs,
                validation_data=loaded.validation,
                callbacks=[recorder, progress],
                verbose=0,
            )
    except Interrupted:
        progress.close()
        recorder.save_interrupted()
        output.failure(
            f"Interrupted and saved. Go on with: pellucid train --resume {shown_path(run.folder)}"
        )
        return INTERRUPTED
    except PellucidError:
        progress.close()
        run.finish("failed")
        raise
    _report(output, run, loaded, model)
    return 0


def _model(settings: Settings, loaded: Loaded) -> Model:
    from pellucid.architectures import build

    settings.model = settings.model or ("mnist" if loaded.kind == "image" else "mlp")
    model = build(
        settings.model,
        loaded.input_shape,
        loaded.output_count,
        loaded.task,
        _augmentations(settings.augment, loaded),
    )
    if not model.compiled:
        classes = loaded.task == "classification"
        model.compile(
            optimizer=_optimizer(settings),
            loss="sparse_categorical_crossentropy" if classes else "mse",
            metrics=["accuracy" if classes else "mae"],
        )
    model.preprocessing = loaded.preprocessing.to_config()
    return model


def _optimizer(settings: Settings) -> Any:
    from pellucid import optimizers

    chosen: Any = type(optimizers.get(settings.optimizer))
    if settings.learning_rate is None:
        return chosen()
    return chosen(learning_rate=settings.learning_rate)


def _augmentations(names: list[str], loaded: Loaded) -> list[Layer]:
    from pellucid import layers
    from pellucid.errors import ArgumentError

    if names and loaded.kind != "image":
        raise ArgumentError("--augment is for pictures; this is a table.")
    makers: dict[str, Callable[[], Layer]] = {
        "flip": lambda: layers.RandomFlip("horizontal"),
        "shift": lambda: layers.RandomTranslation(0.1, 0.1),
        "rotate": lambda: layers.RandomRotation(0.03),
        "zoom": lambda: layers.RandomZoom(0.1),
        "contrast": lambda: layers.RandomContrast(0.2),
    }
    return [makers[name]() for name in names]


@contextmanager
def _stopping_on_interrupt(recorder: Recorder, output: Output) -> Iterator[None]:
    """Let the first Ctrl-C ask the recorder to stop, and the second one stop at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(*_: object) -> None:
        if recorder.stop:
            raise KeyboardInterrupt
        recorder.stop = True
        output.note("\nFinishing the batch; Ctrl-C again stops at once.")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# What is said.


def _announce(output: Output, run: Run, loaded: Loaded, model: Model, recorder: Recorder) -> None:
    shape = " × ".join(str(side) for side in loaded.input_shape)
    what = f"pictures of {shape}" if loaded.kind == "image" else f"rows of {shape} numbers"
    classes = f" in {len(loaded.class_names)} classes" if loaded.class_names else ""
    others = "".join(
        f"; {part.sample_count:,} to {purpose} on"
        for part, purpose in ((loaded.validation, "validate"), (loaded.test, "test"))
        if part is not None
    )
    settings = run.settings
    name = Path(loaded.name).name or loaded.name
    output.line(f"{name}: {loaded.training.sample_count:,} {what}{classes}{others}")
    output.line(
        f"{settings.model}: {model.count_params():,} parameters; "
        f"{type(model.optimizer).__name__}, batches of {settings.batch_size}, "
        f"seed {settings.seed}"
    )
    if recorder.resume_at:
        epoch, batch = recorder.resume_at
        done = f", after {batch} of its {len(loaded.training)} batches" if batch else ""
        output.line(f"Going on with epoch {epoch + 1}{done}")
    output.line(f"Saved in {shown_path(run.folder)}")
    output.line("")


def _report(output: Output, run: Run, loaded: Loaded, model: Model) -> None:
    from pellucid.cli._assessment import assess, write_tables
    from pellucid.plots import is_available

    data, part = _last_part(loaded)
    found = assess(model, data, loaded.class_names, output.counter("assessed"))
    places = data.file_paths
    files = ["model.keras", "history.csv"]
    files += write_tables(
        found, run.folder, (lambda row: places[row]) if places else (lambda row: f"{part}[{row}]")
    )
    if is_available():
        files += _plots(run, model, found)
    results = {"part": part, **found.results()}
    run.finish("finished", results=results, partial=None)
    folder = shown_path(run.folder)
    output.data({"folder": folder, "history": run.history(), **results})
    output.line("")
    output.result(f"{part.capitalize()}: {found.sentence()}")
    output.line(f"Written to {folder}: {', '.join([*files, 'run.json'])}")
    if not is_available():
        output.note('No pictures: matplotlib is missing (pip install "pellucid[plot]").')


def _last_part(loaded: Loaded) -> tuple[Dataset, str]:
    """Return the part to judge the finished model by: one that it has seen least of."""
    if loaded.test is not None:
        return loaded.test, "test"
    if loaded.validation is not None:
        return loaded.validation, "validation"
    return loaded.training, "training"


def _plots(run: Run, model: Model, found: Assessment) -> list[str]:
    from pellucid import plots
    from pellucid.cli._assessment import write_plots
    from pellucid.plots.filters import convolutions

    files = []
    if run.rows:
        plots.save(plots.plot_history(run.history()), run.folder / "history.png")
        files.append("history.png")
    if convolutions(model):
        plots.save(plots.plot_filters(model), run.folder / "filters.png")
        files.append("filters.png")
    return files + write_plots(found, run.folder)

"""How good a model is on labelled data: counts, and the mistakes worth looking at."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import DataError
from pellucid.formats import atomic_write
from pellucid.metrics import confusion_matrix

if TYPE_CHECKING:
    from pellucid.data import Dataset
    from pellucid.models import Model

__all__ = ["Assessment", "Mistake", "as_probabilities", "assess", "write_csv"]

Array = np.ndarray[Any, Any]

_KEPT_MISTAKES = 24


@dataclass(frozen=True)
class Mistake:
    """A sample that was taken for something else."""

    row: int
    true: int
    predicted: int
    probability: float
    sample: Array


@dataclass
class Assessment:
    """What a model makes of labelled samples.

    Attributes:
        class_names: The classes; None for regression.
        true: The true class numbers, or numbers.
        predicted: The predicted ones.
        mistakes: The samples of whose wrong class the model was surest, the worst first.
    """

    class_names: tuple[str, ...] | None
    true: Array
    predicted: Array
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many samples there were."""
        return len(self.true)

    @property
    def matrix(self) -> Array:
        """The confusion matrix: rows are true classes, columns predicted ones."""
        return confusion_matrix(self.true, self.predicted, len(self.class_names or ()))

    def results(self) -> dict[str, float]:
        """Return accuracy, or the mean absolute and root mean squared error."""
        if self.class_names is not None:
            right = int((self.true == self.predicted).sum())
            return {"samples": self.count, "right": right, "accuracy": right / self.count}
        difference = self.predicted - self.true
        return {
            "samples": self.count,
            "mean_absolute_error": float(np.abs(difference).mean()),
            "root_mean_squared_error": float(np.sqrt((difference**2).mean())),
        }

    def sentence(self) -> str:
        """Return the result in words."""
        found = self.results()
        if self.class_names is not None:
            return f"{found['right']:,} of {self.count:,} right: accuracy {found['accuracy']:.2%}"
        return (
            f"{self.count:,} samples: off by {found['mean_absolute_error']:.4g} on average, "
            f"root mean squared error {found['root_mean_squared_error']:.4g}"
        )


def assess(
    model: Model,
    data: Dataset,
    class_names: tuple[str, ...] | None,
    progress: Callable[[int, int], None] | None = None,
) -> Assessment:
    """Run a model over labelled samples, batch by batch.

    Args:
        model: The model.
        data: Batches of inputs and of class numbers, or numbers.
        class_names: The classes; None for regression.
        progress: Called with the number of samples done and of all samples.

    Raises:
        DataError: There are no samples.
    """
    true: list[Array] = []
    predicted: list[Array] = []
    worst: list[Mistake] = []
    row = 0
    for x, y in data.batches(0):
        outputs = model.predict_on_batch(x)
        row += len(x)
        if progress is not None:
            progress(row, data.sample_count or row)
        if class_names is None:
            true.append(np.asarray(y, np.float64).reshape(-1))
            predicted.append(np.asarray(outputs, np.float64).reshape(-1))
            continue
        shares = as_probabilities(outputs)
        said, labels = shares.argmax(axis=1), np.asarray(y).reshape(-1)
        for index in np.flatnonzero(said != labels):
            probability = float(shares[index, said[index]])
            sample = np.array(x[index])
            worst.append(
                Mistake(
                    row - len(x) + int(index),
                    int(labels[index]),
                    int(said[index]),
                    probability,
                    sample,
                )
            )
        worst = sorted(worst, key=lambda m: -m.probability)[:_KEPT_MISTAKES]
        true.append(labels)
        predicted.append(said)
    if not true:
        raise DataError("There are no samples to evaluate on.")
    return Assessment(class_names, np.concatenate(true), np.concatenate(predicted), worst)


def as_probabilities(outputs: Array) -> Array:
    """Return one probability for each class, (N, classes).

    One output is the probability of the second of two classes. Rows that are no probabilities are
    logits of a model without a softmax of its own, which is then taken here.
    """
    rows = np.asarray(outputs, np.float64)
    if rows.ndim == 2 and rows.shape[1] == 1:
        share = rows if rows.min() >= 0 and rows.max() <= 1 else 0.5 * (1 + np.tanh(rows / 2))
        return np.hstack([1 - share, share])
    if rows.ndim != 2:
        raise DataError(f"Expected the model to give one number per class, found {rows.shape[1:]}.")
    if rows.min() >= 0 and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        return rows
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def write_csv(path: Path, rows: list[list[Any]]) -> None:
    """Write a table, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_write(path, text.getvalue().encode())


def write_tables(assessment: Assessment, folder: Path, place: Callable[[int], str]) -> list[str]:
    """Write confusion.csv and mistakes.csv, or predictions.csv; return the files' names."""
    names = assessment.class_names
    if names is None:
        pairs = zip(assessment.true.tolist(), assessment.predicted.tolist(), strict=True)
        rows = [[place(row), *pair] for row, pair in enumerate(pairs)]
        write_csv(folder / "predictions.csv", [["sample", "true", "predicted"], *rows])
        return ["predictions.csv"]
    matrix = assessment.matrix.tolist()
    write_csv(
        folder / "confusion.csv",
        [["true \\ predicted", *names]]
        + [[name, *row] for name, row in zip(names, matrix, strict=True)],
    )
    write_csv(
        folder / "mistakes.csv",
        [["sample", "true", "predicted", "probability"]]
        + [
            [place(m.row), names[m.true], names[m.predicted], f"{m.probability:.6f}"]
            for m in assessment.mistakes
        ],
    )
    return ["confusion.csv", "mistakes.csv"]


def write_plots(assessment: Assessment, folder: Path, shown: int = 18) -> list[str]:
    """Draw confusion.png and mistakes.png, or predictions.png; return the files' names."""
    from pellucid import plots

    names = assessment.class_names
    if names is None:
        plots.save(
            plots.plot_regression(assessment.true, assessment.predicted),
            folder / "predictions.png",
        )
        return ["predictions.png"]
    plots.save(plots.plot_confusion_matrix(assessment.matrix, names), folder / "confusion.png")
    worst = assessment.mistakes[:shown]
    if not worst or worst[0].sample.ndim != 3:
        return ["confusion.png"]
    figure = plots.plot_mistakes(
        [m.sample for m in worst],
        [m.true for m in worst],
        [m.predicted for m in worst],
        [m.probability for m in worst],
        names,
    )
    plots.save(figure, folder / "mistakes.png")
    return ["confusion.png", "mistakes.png"]

"""`pellucid tour`: what it prints and writes."""

from __future__ import annotations

import csv
import itertools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import pellucid
from cli_runner import Outcome, run, width
from pellucid.architectures import build
from pellucid.cli._walkthrough import follow


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A short tour: 256 pictures, one epoch."""
    folder = tmp_path_factory.mktemp("tour") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        found = run("tour", "--limit", 256, "--epochs", 1, "--out", folder)
    return found, folder


def test_it_fits_80_columns_without_control_characters(tour: tuple[Outcome, Path]) -> None:
    found, folder = tour
    assert found.code == 0, found.err
    for line in found.out.splitlines():
        assert len(line.rstrip()) <= 80 or str(folder) in line
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", found.out)


def test_its_folder_holds_the_model_and_the_pictures(tour: tuple[Outcome, Path]) -> None:
    _, folder = tour
    assert {path.name for path in folder.iterdir()} == {
        "model.keras", "digit.png", "history.csv", "confusion.csv", "mistakes.csv",
        "filters.png", "feature_maps.png", "history.png", "confusion.png", "mistakes.png",
    }  # fmt: skip
    model = pellucid.load_model(folder / "model.keras")
    assert model.count_params() == 225_034
    with (folder / "confusion.csv").open(newline="") as file:
        counts = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    assert np.sum(counts) == 2000


def test_what_it_suggests_runs(
    tour: tuple[Outcome, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = tour
    monkeypatch.chdir(tmp_path)
    suggested = re.findall(r"^pellucid (.+)$", found.out, re.MULTILINE)
    assert len(suggested) >= 5
    for line in suggested:
        arguments = shlex.split(line)
        if arguments[0] != "train":
            outcome = run(*arguments)
            assert outcome.code == 0, (line, outcome.err)
    assert width(Path("filters.png")) > 400


def test_the_number_followed_is_the_models_own_at_every_step() -> None:
    pellucid.utils.clear_session()
    pellucid.utils.set_random_seed(3)
    model = build("mnist", (28, 28, 1), 10)
    picture = pellucid.datasets.mnist.load_data()[1][0][5, ..., None] / np.float32(255)
    steps = follow(model, picture)
    assert [step.node.op.name for step in steps] == [
        "conv2d", "activation", "max_pool2d", "conv2d", "activation", "max_pool2d", "flatten",
        "dense", "activation", "dense", "softmax",
    ]  # fmt: skip
    for before, after in itertools.pairwise(steps):
        assert after.source == before.index
    for step in steps:
        assert step.terms.value == pytest.approx(step.value, abs=1e-5)
    probabilities = model.predict(picture[None])[0]
    assert steps[-1].index == (int(probabilities.argmax()),)
    assert steps[-1].value == pytest.approx(probabilities.max(), abs=1e-6)

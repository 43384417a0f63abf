"""`pellucid train`: the run's folder, interruption to the bit, tables, pictures, definitions."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from cli_runner import run
from pellucid.cli._run import Recorder


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Pictures of bars that lie and bars that stand, 12 × 12, as an NPZ file."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (96, 12, 12), dtype=np.uint8)
    y = np.arange(96) % 2
    for image, label in zip(x, y, strict=True):
        place = rng.integers(2, 9)
        if label:
            image[:, place : place + 2] = 250
        else:
            image[place : place + 2] = 250
    path = tmp_path / "shapes.npz"
    np.savez(path, x_train=x[:64], y_train=y[:64], x_test=x[64:], y_test=y[64:])
    return path


def history(folder: str) -> list[dict[str, str]]:
    with Path(folder, "history.csv").open(newline="", encoding="utf-8") as file:
        return [
            {name: value for name, value in row.items() if name != "seconds"}
            for row in csv.DictReader(file)
        ]


def weights(folder: str) -> list[np.ndarray]:
    return pellucid.load_model(f"{folder}/model.keras").get_weights()


def test_a_run_leaves_its_model_tables_pictures_and_record(shapes: Path) -> None:
    found = run("train", shapes, "--epochs", 3, "--batch-size", 8, "--out", "run")
    assert found.code == 0, found.err
    assert {path.name for path in Path("run").iterdir()} == {
        "model.keras", "history.csv", "run.json", "confusion.csv", "mistakes.csv",
        "history.png", "filters.png", "confusion.png", "mistakes.png",
    } - ({"mistakes.png"} if "32 of 32 right" in found.out else set())  # fmt: skip
    record = json.loads(Path("run/run.json").read_text())
    assert record["state"] == "finished"
    assert record["versions"]["pellucid"] == pellucid.__version__
    assert record["settings"]["epochs"] == 3
    assert record["results"]["samples"] == 32
    assert [row["epoch"] for row in history("run")] == ["1", "2", "3"]
    model = pellucid.load_model("run/model.keras")
    assert model.preprocessing is not None
    assert model.preprocessing["size"] == [12, 12]
    assert "\r" not in found.out
    assert "\x1b" not in found.out
    assert found.out.count("\n1/3 ") == 1


def test_the_same_seed_gives_the_same_bits_and_another_one_others(shapes: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("train", shapes, "--epochs", 1, "--seed", seed, "--out", name).code == 0
    same = [np.array_equal(a, b) for a, b in zip(weights("a"), weights("b"), strict=True)]
    other = [np.array_equal(a, c) for a, c in zip(weights("a"), weights("c"), strict=True)]
    assert all(same)
    assert not all(other)
    assert history("a") == history("b")


@pytest.mark.parametrize("during", ["training", "validation"])
def test_an_interrupted_run_goes_on_to_the_bit(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    model = Path("model.json")
    layers = [
        {"layer": "Conv2D", "filters": 3, "kernel_size": 3, "padding": "same"},
        {"layer": "BatchNormalization"},
        {"layer": "ReLU"},
        {"layer": "Flatten"},
        {"layer": "Dropout", "rate": 0.3},
        {"layer": "Dense", "units": "outputs", "activation": "softmax"},
    ]
    model.write_text(json.dumps({"layers": layers}))
    options = ["--model", model, "--epochs", 3, "--batch-size", 8, "--augment", "shift,flip"]
    assert run("train", shapes, *options, "--out", "whole").code == 0

    hook = "on_train_batch_end" if during == "training" else "on_test_batch_end"
    original = getattr(Recorder, hook)
    count = 0

    def interrupt(self: Recorder, batch: int, logs: object = None) -> None:
        nonlocal count
        count += 1
        if count == (12 if during == "training" else 2):
            os.kill(os.getpid(), signal.SIGINT)
        original(self, batch, logs)

    monkeypatch.setattr(Recorder, hook, interrupt)
    stopped = run("train", shapes, *options, "--out", "cut")
    assert stopped.code == 130
    assert "pellucid train --resume cut" in stopped.err
    assert json.loads(Path("cut/run.json").read_text())["state"] == "interrupted"

    monkeypatch.setattr(Recorder, hook, original)
    resumed = run("train", "--resume", "cut")
    assert resumed.code == 0, resumed.err
    assert all(np.array_equal(a, b) for a, b in zip(weights("whole"), weights("cut"), strict=True))
    assert history("cut") == history("whole")


def test_a_finished_run_is_trained_on_with_more_epochs(shapes: Path) -> None:
    assert run("train", shapes, "--epochs", 1, "--out", "run").code == 0
    assert run("train", "--resume", "run").code == 2
    assert run("train", "--resume", "run", "--epochs", 2).code == 0
    assert run("train", shapes, "--epochs", 2, "--out", "whole").code == 0
    assert history("run") == history("whole")


def test_resuming_keeps_the_settings_and_needs_a_run(shapes: Path) -> None:
    assert run("train", shapes, "--epochs", 1, "--out", "run").code == 0
    refused = run("train", "--resume", "run", "--batch-size", 16, "--epochs", 2)
    assert refused.code == 2
    assert "--batch-size" in refused.err
    missing = run("train", "--resume", "nothing")
    assert missing.code == 1
    assert "nothing holds no run" in missing.err
    Path("run/run.json").write_text("[]")
    assert "record is broken" in run("train", "--resume", "run", "--epochs", 2).err


def test_a_folder_that_is_in_use_is_left_alone(shapes: Path) -> None:
    Path("taken").mkdir()
    Path("taken/letter.txt").write_text("mine")
    found = run("train", shapes, "--out", "taken")
    assert found.code == 1
    assert "--resume taken" in found.err
    assert [path.name for path in Path("taken").iterdir()] == ["letter.txt"]


def test_runs_without_a_name_are_numbered(shapes: Path) -> None:
    for _ in range(2):
        assert run("train", shapes, "--epochs", 1, "--quiet").code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["shapes-1", "shapes-2"]


def test_a_table_of_classes_takes_the_mlp(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["length,colour,class"]
    for index in range(60):
        kind = "ab"[index % 2]
        rows.append(
            f"{rng.normal(2 + 6 * (kind == 'b')):.3f},{'red' if index % 3 else 'blue'},{kind}"
        )
    Path("flowers.csv").write_text("\n".join(rows))
    found = run("train", "flowers.csv", "--epochs", 12, "--out", "run", "--json")
    assert found.code == 0, found.err
    report = json.loads(found.out)
    assert report["accuracy"] > 0.9
    assert len(report["history"]["val_accuracy"]) == 12
    said = run("predict", "run/model.keras", "flowers.csv", "--json")
    answers = json.loads(said.out)
    assert len(answers) == 60
    assert answers[0]["class"] == "a"
    assert answers[1]["line"] == 3


def test_a_table_of_numbers_is_regression(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    size = rng.uniform(1, 5, 80)
    rows = ["size,price"] + [f"{a:.4f},{3 * a + 1:.4f}" for a in size]
    Path("prices.csv").write_text("\n".join(rows))
    found = run("train", "prices.csv", "--target", "price", "--epochs", 30,
                "--batch-size", 4, "--out", "run")  # fmt: skip
    assert found.code == 0, found.err
    assert "off by" in found.out
    assert Path("run/predictions.csv").exists()
    assert Path("run/predictions.png").exists()
    report = json.loads(run("evaluate", "run/model.keras", "prices.csv", "--json").out)
    assert report["mean_absolute_error"] < 1
    value = json.loads(run("predict", "run/model.keras", "prices.csv", "--json").out)[0]["value"]
    assert abs(value - (3 * size[0] + 1)) < 2


def test_a_folder_of_pictures_is_trained_on_evaluated_and_predicted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for index in range(12):
            pixels = rng.integers(0, 80, (16, 20, 3), dtype=np.uint8) + np.uint8(160 * label)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    trained = run("train", "photos", "--model", "resnet8", "--epochs", 3, "--batch-size", 4,
                  "--image-size", "12x16", "--out", "run")  # fmt: skip
    assert trained.code == 0, trained.err
    assert "12 × 16 × 3 in 2 classes" in trained.out
    report = json.loads(run("evaluate", "run/model.keras", "photos", "--json").out)
    assert report["samples"] == 24
    assert sum(map(sum, report["confusion"])) == 24
    said = run("predict", "run/model.keras", "photos/dark", "photos/light/*.png", "--json")
    assert said.code == 0
    assert len(json.loads(said.out)) == 24


def test_definitions_of_ones_own(shapes: Path) -> None:
    Path("net.py").write_text(
        "from pellucid import Sequential, layers\n"
        "def build_model(input_shape, classes):\n"
        "    return Sequential([layers.Flatten(input_shape=input_shape),\n"
        "                       layers.Dense(classes, activation='softmax')])\n"
    )
    assert run("train", shapes, "--model", "net.py", "--epochs", 1, "--out", "code").code == 0
    Path("broken.py").write_text("def build_model(input_shape, classes):\n    return 1 / 0\n")
    found = run("train", shapes, "--model", "broken.py", "--out", "broken")
    assert found.code == 1
    assert "broken.py, line 2: ZeroDivisionError" in found.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train"], 2, "Say what to train on"),
        (["train", "nowhere"], 1, "there is no such file or folder"),
        (["train", "DATA", "--model", "lenet6"], 1, "Did you mean 'lenet5'"),
        (["train", "DATA", "--model", "mnist-deep"], 1, "at least 18 × 18"),
        (["train", "DATA", "--augment", "shake"], 2, "none of flip"),
        (["train", "DATA", "--epochs", "0"], 2, "--epochs"),
        (["train", "DATA", "--image-size", "wide"], 2, "HEIGHTxWIDTH"),
        (["train", "DATA", "--target", "price"], 1, "CSV"),
    ],
)
def test_misuse_is_one_clear_message(
    shapes: Path, arguments: list[str], code: int, words: str
) -> None:
    found = run(*[str(shapes) if a == "DATA" else a for a in arguments])
    assert found.code == code
    assert words in found.err
    assert "Traceback" not in found.err

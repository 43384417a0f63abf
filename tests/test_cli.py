"""The command line as a whole: help, versions, exit codes, JSON, colours, small commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from cli_runner import run, width
from pellucid import layers
from pellucid.cli import COMMANDS
from pellucid.data import ImagePreprocessing


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model of three classes with the preprocessing that it was "trained" with."""
    pellucid.utils.clear_session()
    pellucid.utils.set_random_seed(0)
    network = pellucid.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(10, 12, 1)),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    prepare = ImagePreprocessing((10, 12), "grayscale", 1 / 255, class_names=("a", "[b]", "c"))
    network.preprocessing = prepare.to_config()
    path = tmp_path / "model.keras"
    network.save(path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of another size and in colour."""
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    path = tmp_path / "photo [1].png"
    Image.fromarray(pixels).save(path)
    return path


def test_help_names_every_command_and_version_says_it() -> None:
    found = run("--help")
    assert found.code == 0
    assert all(f"  {name} " in found.out for name in COMMANDS)
    assert run("--version").out == f"pellucid {pellucid.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_in_80_columns(name: str) -> None:
    found = run(name, "--help")
    assert found.code == 0
    assert max(len(line) for line in found.out.splitlines()) <= 80


def test_every_command_is_named_after_its_file() -> None:
    folder = Path(pellucid.cli.__file__).parent
    files = {path.stem for path in folder.glob("[a-z]*.py")}
    assert files == set(COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["predict"], ["predict", "m", "f", "--top", "0"]]
)
def test_misuse_is_exit_code_2(arguments: list[str]) -> None:
    assert run(*arguments).code == 2


def test_predict_shows_bars_and_json(model: Path, picture: Path) -> None:
    found = run("predict", model, picture, "--top", 2)
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith(f"{picture}: ")
    assert len(lines) == 3
    assert all("%" in line for line in lines[1:])
    (answer,) = json.loads(run("predict", model, picture, "--json", "--top", 3).out)
    assert answer["file"] == str(picture)
    assert {entry["class"] for entry in answer["top"]} == {"a", "[b]", "c"}
    assert sum(entry["probability"] for entry in answer["top"]) == pytest.approx(1)
    expected = pellucid.load_model(model).predict(
        ImagePreprocessing((10, 12), "grayscale", 1 / 255)(picture)[None]
    )[0]
    assert answer["probability"] == pytest.approx(expected.max(), abs=1e-6)


def test_predict_goes_on_after_a_file_that_cannot_be_read(model: Path, picture: Path) -> None:
    Path("notes.png").write_text("no picture")
    found = run("predict", model, "notes.png", picture, "nothing-*.png", "--json")
    assert found.code == 1
    assert "notes.png" in found.err
    assert "nothing-*.png: there are no pictures" in found.err
    assert len(json.loads(found.out)) == 1


def test_quiet_predict_is_one_line_for_each_picture(model: Path, picture: Path) -> None:
    assert len(run("predict", model, picture, picture, "--quiet").out.splitlines()) == 2


def test_summary_as_text_and_json(model: Path) -> None:
    report = json.loads(run("summary", model, "--json").out)
    assert report["parameters"] == 40 + 4 * 4 * 5 * 3 + 3
    assert report["layers"][0]["type"] == "Conv2D"
    text = run("summary", model).out
    assert "conv2d (Conv2D)" in text
    assert "a, [b], c" in text


def test_filters_and_features_are_drawn_or_printed(model: Path, picture: Path) -> None:
    assert run("filters", model).code == 0
    assert run("features", model, picture, "--out", "maps.png").code == 0
    for name in ("filters.png", "maps.png"):
        assert width(Path(name)) > 400
    kernel = json.loads(run("filters", model, "--json").out)
    assert kernel["shape"] == [3, 3, 1, 4]
    maps = json.loads(run("features", model, picture, "--json", "--layer", "max_pooling2d").out)
    assert maps["shape"] == [4, 5, 4]
    wrong = run("features", model, picture, "--layer", "dense")
    assert wrong.code == 1
    assert "no feature maps" in wrong.err


def test_data_check_says_what_is_wrong() -> None:
    Path("table.csv").write_text("a,b\n1,2\n1,x\n")
    found = run("data", "check", "table.csv", "--json")
    assert json.loads(found.out)["kind"] == "csv"
    assert run("data", "check", "nowhere").code == 1


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04broken"])
def test_a_broken_model_is_one_clear_message(content: bytes) -> None:
    Path("broken.keras").write_bytes(content)
    found = run("summary", "broken.keras")
    assert found.code == 1
    assert found.err.strip()
    assert "Traceback" not in found.err


def test_a_model_without_preprocessing_is_used_with_a_remark(picture: Path) -> None:
    pellucid.Sequential(
        [layers.Flatten(input_shape=(8, 8, 3)), layers.Dense(4, activation="softmax")]
    ).save("bare.keras")
    found = run("predict", "bare.keras", picture)
    assert found.code == 0
    assert "without what was done to its data" in found.err
    assert "%" in found.out


def command_line(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run(
        [sys.executable, "-m", "pellucid", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=known,
        check=False,
    )


def test_python_m_pellucid_is_the_same_and_errors_are_exit_code_1() -> None:
    assert command_line("--version").stdout == run("--version").out
    failed = command_line("summary", "nowhere.keras", PYTHONIOENCODING="utf-8")
    assert failed.returncode == 1
    assert "nowhere.keras" in failed.stderr
    assert "\x1b" not in failed.stderr


def test_colours_are_there_when_forced_and_never_with_no_color() -> None:
    coloured = command_line("summary", "nowhere.keras", FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[" in coloured.stderr
    plain = command_line("summary", "nowhere.keras", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm")
    assert "[31m" not in plain.stderr

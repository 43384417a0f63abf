"""`pellucid explain`: a picture's way through a network, in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as keras
from pellucid.cli import main
from pellucid.data import ImagePreprocessing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of every kind, and a model."""
    folder = tmp_path_factory.mktemp("explain")
    random = np.random.default_rng(0)
    down, right = np.mgrid[0:3000, 0:4000]
    photo = np.stack([down // 12, right // 16, (down + right) // 28], -1).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photo.jpg")
    Image.new("L", (1, 1), 200).save(folder / "one.png")
    palette = Image.fromarray(random.integers(0, 4, (30, 40)).astype(np.uint8), "L").convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255] + [9] * 756)
    palette.save(folder / "palette.png", transparency=2)
    Image.fromarray((np.arange(1200).reshape(30, 40) * 50).astype(np.uint16)).save(
        folder / "deep.png"
    )
    (folder / "cut.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:20_000])
    (folder / "text.png").write_text("hello\n")
    keras.utils.clear_session()
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.layers.Input((16, 16, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    names = ("cat", "dog", "tree")
    model.preprocessing = ImagePreprocessing((16, 16), scale=1 / 255, class_names=names).to_config()
    model.save(folder / "model.keras")
    return folder


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["explain", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("name", ["photo.jpg", "one.png", "palette.png", "deep.png"])
def test_any_picture_is_walked_through(run, name: str) -> None:
    code, out, err = run(name)
    assert (code, err) == (0, "")
    for title in ("1. The picture", "2. Conv", "4. Max", "7. Soft", "9. Grad", "10. Train"):
        assert title in out
    assert "26 × 26 numbers become 13 × 13" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "nan" not in out


@pytest.mark.parametrize("name", ["cut.jpg", "text.png", "missing.png"])
def test_what_is_no_picture_is_one_clear_line(run, name: str) -> None:
    code, out, err = run(name)
    assert code == 1
    assert not out
    assert err.startswith(name)
    assert err.count("\n") == 1


@pytest.mark.parametrize("kernel", ["emboss", "laplacian", "sobel-x", "1 0 -1; 1 0 -1", "2"])
def test_a_kernel_of_choice(run, kernel: str) -> None:
    code, out, _ = run("deep.png", "--kernel", kernel, "--steps", "2", "--format", "json")
    assert code == 0
    blocks = json.loads(out)["blocks"]
    steps = next(b for b in reversed(blocks) if b["type"] == "table")
    assert len(steps["rows"]) == 2


@pytest.mark.parametrize("form", ["markdown", "latex", "html", "json"])
def test_formats_and_files(run, folder: Path, form: str) -> None:
    code, out, _ = run("deep.png", "--format", form)
    assert code == 0
    assert run("deep.png", "--format", form, "--out", "story")[0] == 0
    assert (folder / "story").read_text(encoding="utf-8").strip() == out.strip()


def test_one_number(run) -> None:
    code, out, _ = run("deep.png", "--at", "conv2d.pre_activation[3,4,0]")
    assert code == 0
    assert out.startswith("conv2d.pre_activation[3,4,0] = ")
    assert "It is the sum of 9 terms." in out
    code, _, err = run("deep.png", "--at", "dense.kernle[3,1].grad")
    assert code == 1
    assert "Did you mean dense.kernel[3,1]" in err
    code, _, err = run("deep.png", "--at", "dense.kernel[900,1].grad")
    assert code == 1
    assert "0–168, 0–1" in err


def test_a_model_of_ones_own(run) -> None:
    code, out, _ = run("photo.jpg", "--model", "model.keras", "--target", "tree")
    assert code == 0
    for part in ("cat", "dog", "tree", "conv2d.pre_activation", "How the answer came about"):
        assert part in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run("photo.jpg", "--model", "model.keras", "--at", "loss", "--target", "1")
    assert code == 0
    assert out.startswith("loss = ")
    code, _, err = run("photo.jpg", "--model", "model.keras", "--target", "cow")
    assert code == 1
    assert "cow" in err
    assert "cat, dog, tree" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--target", "7"),
        ("--steps", "0"),
        ("--format", "pdf"),
        ("--model", "model.keras", "--kernel", "blur"),
    ],
)
def test_misuse(run, arguments: tuple[str, ...]) -> None:
    code, _, err = run("deep.png", *arguments)
    assert code == 2
    assert arguments[-2] in err


def test_a_kernel_larger_than_the_picture(run) -> None:
    code, _, err = run("deep.png", "--kernel", ";".join(["1 " * 29] * 29))
    assert code == 1
    assert "29 cells" in err

"""`pellucid convolve`: pictures filtered, matrices worked out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["convolve", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def _pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_matrix_is_worked_out(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "1 2 3; 4 5 6; 7 8 9", "--kernel", "1 0; 0 -1")
    assert code == 0
    for position in ("0,0", "0,1", "1,0", "1,1"):
        assert f"output[{position}] = " in out
    assert out.count("= −4\n") == 4
    assert "cross-correlation" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_every_position_of_the_tens_is_300(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(" ".join(str(10 * (5 * r + c + 1)) for c in range(5)) for r in range(5))
    Path("tens.txt").write_text(rows)
    code, out, _ = _run(capsys, "tens.txt", "--kernel", "horizontal-edge", "--format", "json")
    assert code == 0
    blocks = json.loads(out)["blocks"]
    assert blocks[-1]["values"] == [[300.0] * 3] * 3
    lines = [b["plain"] for b in blocks if b["type"] == "formula" and "= 300" in b["plain"]]
    assert len(lines) == 9


def test_positions_stride_and_padding(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["1 2 3; 4 5 6", "--kernel", "1 1; 1 1", "--padding", "1", "--stride", "2,1"]
    code, out, _ = _run(capsys, *arguments, "--at", "0,0", "--at", "1,3")
    assert code == 0
    assert "rows: ⌊(2 + 1 + 1 − 2) / 2⌋ + 1 = 2" in out
    assert "output[0,0] = 0 + 0 + 0 + 1 = 1" in out
    assert "output[1,3] = 6 + 0 + 0 + 0 = 6" in out
    assert "output[0,1]" not in out
    code, _, err = _run(capsys, *arguments, "--at", "9,9")
    assert code == 1
    assert "rows 0–1 and columns 0–3" in err


@pytest.mark.parametrize(
    "arguments",
    [("--stride", "x"), ("--padding", "full"), ("--at", "1,2,3")],
)
def test_misuse(capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]) -> None:
    code, _, err = _run(capsys, "1 2; 3 4", "--kernel", "1", *arguments)
    assert code == 2
    assert arguments[0] in err


def test_what_is_for_matrices_is_not_for_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (5, 5)).save("grey.png")
    code, _, err = _run(capsys, "grey.png", "--kernel", "blur", "--all")
    assert code == 2
    assert "for matrices" in err


def test_numbers_may_begin_with_a_minus(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "--kernel", "-1 1", "--", "-3 2")
    assert code == 0
    assert "output[0,0] = 3 + 2 = 5" in out


def test_a_picture_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.zeros((20, 30), np.uint8)
    pixels[:, 15:] = 255
    Image.fromarray(pixels).save("edge.png")
    code, out, _ = _run(capsys, "edge.png", "--kernel", "vertical-edge")
    assert code == 0
    assert "18 × 28" in out
    made = _pixels("edge-vertical-edge.png")
    assert made.shape == (18, 28)
    assert (made[:, 13:15] == 255).all()
    assert (np.delete(made, [13, 14], axis=1) == 128).all()


def test_a_large_photo_in_colour(capsys: pytest.CaptureFixture[str]) -> None:
    down, right = np.mgrid[0:3000, 0:4000]
    pixels = np.stack([down // 12, right // 16, (down + right) // 28], -1).astype(np.uint8)
    Image.fromarray(pixels).save("large.jpg")
    code, out, _ = _run(capsys, "large.jpg", "--kernel", "sharpen", "--out", "sharp.jpg")
    assert code == 0
    assert "2998 × 3998" in out
    assert _pixels("sharp.jpg").shape == (2998, 3998, 3)


def test_odd_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (1, 1), 200).save("one.png")
    code, _, err = _run(capsys, "one.png", "--kernel", "blur")
    assert code == 1
    assert "padding='same'" in err
    assert _run(capsys, "one.png", "--kernel", "blur", "--padding", "same")[0] == 0
    Image.fromarray((np.arange(100).reshape(10, 10) * 600).astype(np.uint16)).save("deep.png")
    assert _run(capsys, "deep.png", "--kernel", "identity")[0] == 0
    made = _pixels("deep-identity.png")
    assert made[-1, -1] == round(88 * 600 / 257)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0] + [0] * 762)
    palette.save("palette.png", transparency=1)
    assert _run(capsys, "palette.png", "--kernel", "identity")[0] == 0
    assert (_pixels("palette-identity.png") == 255).all()


def test_what_is_no_picture_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.png").write_text("hello\n")
    Image.fromarray(np.zeros((300, 300, 3), np.uint8)).save("whole.jpg")
    Path("cut.jpg").write_bytes(Path("whole.jpg").read_bytes()[:900])
    for name in ("text.png", "cut.jpg", "missing.png"):
        code, out, err = _run(capsys, name, "--kernel", "blur")
        assert code == 1
        assert not out
        assert err.startswith(name)
        assert err.count("\n") == 1


def test_kernels_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "--kernels")
    assert code == 0
    assert "sobel-x" in out
    assert "each times 1/16" in out

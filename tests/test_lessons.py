"""Every lesson runs, and its key numbers are right."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import utils
from pellucid.cli import main
from pellucid.cli._lessons import Lesson, find_lesson, lessons
from pellucid.errors import NameLookupError

Names = dict[str, Any]
LESSONS = lessons()


def paper_convolution(n: Names) -> None:
    np.testing.assert_array_equal(n["output"], np.full((2, 2), -4))
    np.testing.assert_array_equal(n["activated"], np.zeros((2, 2)))
    assert n["pooled"].item() == 0
    assert n["answer"] == pytest.approx(0.1)
    assert n["other_answer"] == pytest.approx(3.3)


def worked_convolution(n: Names) -> None:
    np.testing.assert_array_equal(n["tens"], np.full((3, 3), 300))
    np.testing.assert_array_equal(n["ones"], np.full((3, 3), 30))
    np.testing.assert_array_equal(n["lighter"], n["ones"])


def windows_and_pooling(n: Names) -> None:
    expected = [[-6, 12, 12], [-6, 8, 8], [-6, 6, 6]]
    np.testing.assert_array_equal(n["convolved"], expected)
    np.testing.assert_array_equal(n["activated"], np.maximum(expected, 0))
    np.testing.assert_array_equal(n["largest"], [[6, 8], [14, 16]])
    np.testing.assert_array_equal(n["means"], [[3.75, 5.25], [11.5, 13.5]])
    np.testing.assert_array_equal(n["valid"], [[12]])
    np.testing.assert_array_equal(n["same"], [[12, 12], [6, 6]])
    np.testing.assert_array_equal(n["same_mean"], [[5, 10], [3, 6]])
    assert n["pooled_oblong"].shape == (2, 5)


def stride_and_padding(n: Names) -> None:
    assert n["shapes"] == {
        (1, "valid"): (4, 4),
        (2, "valid"): (2, 2),
        (3, "valid"): (2, 2),
        (1, "same"): (6, 6),
        (2, "same"): (3, 3),
        (3, "same"): (2, 2),
    }
    assert (n["same"][1:-1, 1:-1] == 0).all()
    assert n["sizes"] == [(28, 28), (14, 14), (12, 12), (6, 6)]


def named_kernels(n: Names) -> None:
    at = {name: values[n["row"], n["column"], 0] for name, values in n["filtered"].items()}
    assert at["vertical-edge"] < -1
    assert abs(at["horizontal-edge"]) < 0.2
    assert min(n["details"], key=n["details"].get) in ("blur", "gaussian-blur")
    assert max(n["details"], key=n["details"].get) == "sharpen"


def photo_pipeline(n: Names) -> None:
    assert n["picture"].shape == (28, 28, 1)
    assert 0 <= n["picture"].min() < n["picture"].max() <= 1
    assert n["shapes"]["conv2d.output"] == (26, 26, 1)
    assert n["shapes"]["max_pooling2d.output"] == (13, 13, 1)
    assert n["shapes"]["flatten.output"] == (169,)
    assert n["trace"].array("dense.output").sum() == pytest.approx(1)
    assert n["ledger"].value == n["made"].max()


def train_the_dense_layer(n: Names) -> None:
    losses = [step.loss for step in n["steps"]]
    assert losses[0] == pytest.approx(np.log(2), abs=0.05)
    assert losses == sorted(losses, reverse=True)
    assert n["steps"][-1].predicted == 1
    np.testing.assert_allclose(n["difference"], n["first"].gradient, atol=1e-6)
    assert n["promised"] == pytest.approx(n["found"], rel=1e-6)
    assert n["model"].count_params() == 349


def backpropagation_by_hand(n: Names) -> None:
    share = 1 / (1 + np.exp(-3))
    trace = n["trace"]
    np.testing.assert_array_equal(trace.array("conv2d.pre_activation")[:, :, 0], [[3, 1], [2, -1]])
    np.testing.assert_allclose(trace.array("dense.pre_activation.grad"), [share, -share], rtol=1e-6)
    pixels = share * n["picture"][:3, :3]
    np.testing.assert_allclose(trace.array("conv2d.kernel.grad")[:, :, 0, 0], pixels, rtol=1e-6)
    assert n["promised"] == pytest.approx(n["actual"], rel=1e-2)
    assert n["verification"].passed
    assert n["scattered"] == n["correlated"] == pytest.approx(share)


def learn_the_kernel(n: Names) -> None:
    assert n["learned"] > n["chosen"] > n["fixed"]
    assert n["learned"] > 0.8
    assert n["moved"] > 0.3


def a_table(n: Names) -> None:
    assert n["x"].shape == (270, 7)
    assert n["accuracy"] > 0.9
    assert min(n["results"]["dense"]) > max(n["results"]["convolutional"])


def outputs(n: Names) -> None:
    np.testing.assert_allclose(n["probabilities"].sum(axis=1), 1, rtol=1e-6)
    assert n["softmax_accuracy"] > 0.9
    assert n["sigmoid_accuracy"] > 0.9
    assert n["absolute"] < n["spread"] / 3


def batch_normalisation_and_dropout(n: Names) -> None:
    np.testing.assert_allclose(n["normalised"].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(n["normalised"].std(axis=0), 1, atol=5e-3)
    assert (n["dropped"] == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert n["dropped"].max() == pytest.approx(4 / 3)
    np.testing.assert_array_equal(n["kept"], n["ones"])
    assert n["both_history"]["val_loss"][-1] < n["plain_history"]["val_loss"][-1]
    assert n["both_history"]["loss"][-1] > n["plain_history"]["loss"][-1]


def cnn_against_dense(n: Names) -> None:
    assert n["parameters"] == {"dense": 50_890, "convolutional": 5_258}
    assert n["accuracy"]["convolutional"] > n["accuracy"]["dense"] > 0.8
    for dense, convolutional in zip(*n["shifted"].values(), strict=True):
        assert convolutional > dense
    assert n["shifted"]["dense"] == sorted(n["shifted"]["dense"], reverse=True)


def mnist_filters_and_maps(n: Names) -> None:
    assert n["deeper"].count_params() == 93_322
    assert n["model"].count_params() == 225_034
    assert n["filters"].shape == (3, 3, 1, 32)
    assert n["feature_maps"].shape == (1, 26, 26, 32)
    assert n["accuracy"] > 0.6


CHECKS: dict[str, Callable[[Names], None]] = {
    check.__name__: check
    for check in (
        paper_convolution,
        worked_convolution,
        windows_and_pooling,
        stride_and_padding,
        named_kernels,
        photo_pipeline,
        train_the_dense_layer,
        backpropagation_by_hand,
        learn_the_kernel,
        a_table,
        outputs,
        batch_normalisation_and_dropout,
        cnn_against_dense,
        mnist_filters_and_maps,
    )
}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_lesson(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PELLUCID_LESSON_SAMPLES", "1000")
    utils.clear_session()
    names = runpy.run_path(str(lesson.path), run_name="__main__")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    CHECKS[lesson.name](names)


def test_lessons_are_cells_of_text_and_code() -> None:
    assert [lesson.number for lesson in LESSONS] == list(range(1, len(LESSONS) + 1))
    for lesson in LESSONS:
        cells = list(lesson.cells())
        assert cells[0].is_text
        assert cells[0].source.startswith("# ")
        assert not cells[1].is_text
        lines = lesson.path.read_text(encoding="utf-8").splitlines()
        for cell in cells:
            first = cell.source.splitlines()[0]
            assert lines[cell.line - 1].removeprefix("# " if cell.is_text else "") == first


def test_find_lesson() -> None:
    assert find_lesson("1").name == find_lesson("paper").name == "paper_convolution"
    assert find_lesson("06_photo_pipeline.py").number == find_lesson("Photo-Pipeline").number == 6
    with pytest.raises(NameLookupError, match="lesson 'kernel'"):
        find_lesson("kernel")
    with pytest.raises(NameLookupError, match="Did you mean 'outputs'"):
        find_lesson("outpust")


def test_the_command_lists_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson"]) == 0
    listed = capsys.readouterr().out
    assert all(lesson.name in listed for lesson in LESSONS)
    utils.clear_session()
    assert main(["lesson", "paper"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("A network on paper\n")
    assert "  │ import numpy as np" in out
    assert "y = 3.3" in out
    assert main(["lesson", "paper", "--no-code"]) == 0
    assert "import numpy" not in capsys.readouterr().out
    assert main(["lesson", "nothing"]) == 1
    assert "paper_convolution" in capsys.readouterr().err
    assert main(["lesson", "2", "--json"]) == 0
    assert '"number": 2' in capsys.readouterr().out

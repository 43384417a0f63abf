"""Figures: what they contain, that they touch no global state, and how they refuse."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import pellucid
from pellucid import layers, plots
from pellucid.errors import ArgumentError, MissingPackageError, NameLookupError, ShapeError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model() -> pellucid.Sequential:
    pellucid.utils.clear_session()
    pellucid.utils.set_random_seed(0)
    return pellucid.Sequential(
        [
            layers.Conv2D(32, 3, activation="relu", input_shape=(14, 14, 1)),
            layers.Conv2D(5, 3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def images(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
    return "\n".join(found)


def test_filters_are_the_layers_own_on_one_scale_around_zero(model: Any) -> None:
    figure = plots.plot_filters(model)
    drawn = images(figure)
    kernel = model.layers[0].get_weights()[0]
    assert len(drawn) == 32
    for index, shown in enumerate(drawn):
        np.testing.assert_allclose(shown, kernel[:, :, 0, index])
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    ((low, high),) = limits
    assert low == -high == -np.abs(kernel).max()


def test_filters_that_read_several_channels(model: Any) -> None:
    kernel = model.get_layer("conv2d_1").get_weights()[0]
    mean = images(plots.plot_filters(model, "conv2d_1"))
    np.testing.assert_allclose(mean[2], kernel[:, :, :, 2].mean(axis=2), rtol=1e-5)
    one = images(plots.plot_filters(kernel, channel=7))
    np.testing.assert_allclose(one[4], kernel[:, :, 7, 4])
    with pytest.raises(ArgumentError, match="channel from 0 to 31"):
        plots.plot_filters(model, "conv2d_1", channel=32)


def test_feature_maps_are_what_the_layer_makes(model: Any) -> None:
    picture = RNG.random((14, 14, 1), np.float32)
    drawn = images(plots.plot_feature_maps(model, picture))
    expected = pellucid.Model(model.input, model.layers[0].output).predict(picture[None])[0]
    assert len(drawn) == 1 + 32
    np.testing.assert_allclose(drawn[1 + 9], expected[..., 9])


def test_feature_maps_refuse_what_has_none(model: Any) -> None:
    picture = RNG.random((14, 14, 1), np.float32)
    with pytest.raises(ShapeError, match="no feature maps"):
        plots.plot_feature_maps(model, picture, "dense")
    with pytest.raises(NameLookupError, match="conv2d"):
        plots.plot_feature_maps(model, picture, "conv3d")
    with pytest.raises(ShapeError, match="one picture"):
        plots.plot_feature_maps(model, np.stack([picture, picture]))
    with pytest.raises(ArgumentError, match="no convolution"):
        plots.plot_filters(pellucid.Sequential([layers.Dense(2, input_shape=(3,))]))
    with pytest.raises(ArgumentError, match="no filters"):
        plots.plot_filters(model, "dense")


@pytest.mark.parametrize("made", [
    lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, input_shape=(8, 8, 3)),
    lambda: layers.Conv2DTranspose(4, 3, input_shape=(8, 8, 2)),
])  # fmt: skip
def test_filters_of_other_convolutions(made: Any) -> None:
    network = pellucid.Sequential([made()])
    count = network.output_shape[-1]
    assert len(images(plots.plot_filters(network))) == count


def test_history_labels_both_curves_at_their_ends() -> None:
    history = {"loss": [1, 0.5], "accuracy": [0.5, 0.9], "val_loss": [1, 0.6],
               "val_accuracy": [0.4, 0.875], "learning_rate": [1, 1]}  # fmt: skip
    figure = plots.plot_history(history)
    assert len(figure.axes) == 2
    said = texts(figure)
    assert "training 90.0%" in said
    assert "validation 87.5%" in said
    assert "validation 0.6" in said
    for axes in figure.axes:
        assert len(axes.lines) == 2
    with pytest.raises(ArgumentError, match="empty"):
        plots.plot_history({})


def test_confusion_shows_counts_and_recall() -> None:
    matrix = [[8, 2, 0], [0, 5, 0], [1, 0, 3]]
    said = texts(plots.plot_confusion_matrix(matrix, ["cat", "dog", "[a]"]))
    assert "16 of 19 right (84.2%), 3 wrong" in said
    assert "80.0%" in said
    for wrong in ([[1, 2]], [1, 2], []):
        with pytest.raises(ShapeError, match="square"):
            plots.plot_confusion_matrix(wrong)
    with pytest.raises(ShapeError, match="3 class names"):
        plots.plot_confusion_matrix(matrix, ["a"])


def test_confusion_of_many_classes_has_no_numbers_in_its_cells() -> None:
    figure = plots.plot_confusion_matrix(np.eye(100, dtype=int))
    assert not [text for text in figure.axes[0].texts if text.get_text() == "1"]


def test_mistakes_say_what_was_said_and_what_it_is() -> None:
    pictures = RNG.random((2, 6, 6, 1))
    figure = plots.plot_mistakes(pictures, [0, 1], [1, 2], [0.99, 0.5], ["ant", "bee", "wasp"])
    said = texts(figure)
    assert "said bee, 99%" in said
    assert "is ant" in said
    assert len(images(figure)) == 2
    assert "none" in texts(plots.plot_mistakes([], [], [], []))
    with pytest.raises(ShapeError, match="as many predicted"):
        plots.plot_mistakes(pictures, [0, 1], [1], [0.9, 0.9])


def test_predictions_and_regression() -> None:
    pictures = RNG.random((3, 6, 6, 3))
    said = texts(plots.plot_predictions(pictures, np.eye(3), [0, 1, 0]))
    assert "2, 100%" in said
    assert "is 0" in said
    assert "off by 0.5 on average" in texts(plots.plot_regression([1, 2], [1, 3]))
    with pytest.raises(ShapeError, match="as many"):
        plots.plot_regression([1, 2], [1])


def test_saved_pictures_are_the_same_bytes_every_time(model: Any, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plots.save(plots.plot_filters(model), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_settings_of_matplotlib_stay_as_they_are(model: Any) -> None:
    before = dict(matplotlib.rcParams)
    plots.plot_filters(model)
    assert dict(matplotlib.rcParams) == before


def test_pyplot_and_its_windows_are_not_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from pellucid import plots; assert 'matplotlib' not in sys.modules;"
        "plots.save(plots.plot_history({'loss': [1, 2]}), sys.argv[1]);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    path = os.pathsep.join(sys.path)
    picture = str(tmp_path / "picture.png")
    subprocess.run(
        [sys.executable, "-c", code, picture], check=True, env={**os.environ, "PYTHONPATH": path}
    )


def test_without_matplotlib_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=r'pip install "pellucid\[plot\]"'):
        plots.plot_history({"loss": [1]})

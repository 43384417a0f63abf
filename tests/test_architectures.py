"""The named architectures, and definitions in files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.architectures import NAMES, build
from pellucid.errors import ArgumentError, LoadError, NameLookupError, ShapeError

LEAST = {"mnist": 10, "mnist-deep": 18, "lenet5": 12, "simple-cifar": 8, "resnet8": 4}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    pellucid.utils.clear_session()
    pellucid.utils.set_random_seed(0)


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("mnist", (28, 28, 1), 225_034),
        ("mnist-deep", (28, 28, 1), 93_322),
        ("lenet5", (32, 32, 1), 61_706),  # as published for the fully connected C3
        ("lenet5", (28, 28, 1), 61_706),
        ("resnet8", (32, 32, 3), 78_426),
    ],
)
def test_parameter_counts(name: str, shape: tuple[int, ...], parameters: int) -> None:
    assert build(name, shape, 10).count_params() == parameters


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_architecture_trains_a_step_and_ends_as_the_task_says(name: str, task: str) -> None:
    side = LEAST.get(name, 8) + 3
    model = build(name, (side, side + 2, 3), 4, task)
    x = np.random.default_rng(0).random((5, side, side + 2, 3), np.float32)
    y = np.arange(5) % 4 if task == "classification" else x.mean((1, 2))[:, [0, 1, 2, 0]]
    model.compile("adam", "sparse_categorical_crossentropy" if task == "classification" else "mse")
    model.fit(x, y, verbose=0)
    made = model.predict(x)
    assert made.shape == (5, 4)
    if task == "classification":
        np.testing.assert_allclose(made.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_pictures_that_are_too_small_are_refused(name: str, least: int) -> None:
    assert build(name, (least, least, 1), 2).built
    with pytest.raises(ShapeError, match=f"at least {least} × {least}"):
        build(name, (least, least - 1, 1), 2)


@pytest.mark.parametrize("name", LEAST)
def test_tables_are_sent_to_the_mlp(name: str) -> None:
    with pytest.raises(ShapeError, match="'mlp'"):
        build(name, (4,), 2)
    assert build("mlp", (4,), 3).output_shape == (None, 3)


def test_augmenting_layers_come_first_and_rest_at_inference() -> None:
    flip = pellucid.layers.RandomFlip("horizontal")
    for name in ("mnist", "resnet8"):
        pellucid.utils.clear_session()
        model = build(name, (12, 12, 1), 2, augment=[pellucid.layers.RandomFlip("horizontal")])
        assert type(model.layers[0 if name == "mnist" else 1]) is type(flip)
        x = np.random.default_rng(0).random((2, 12, 12, 1), np.float32)
        np.testing.assert_array_equal(model.predict(x), model.predict(x))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("minst", (28, 28, 1), 10), NameLookupError, "Did you mean 'mnist'"),
        (("mnist", (28, 28, 1), 0), ArgumentError, "at least 1 output"),
        (("mnist", (28, 0, 1), 10), ArgumentError, "shape of one sample"),
        (("mnist", (28, 28, 1), 10, "ranking"), ArgumentError, "'regression'"),
    ],
)
def test_impossible_arguments(arguments: tuple, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build(*arguments)


def test_a_keras_configuration_is_a_definition(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(build("resnet8", (16, 16, 3), 5).to_json())
    pellucid.utils.clear_session()
    assert build(str(path), (16, 16, 3), 5).count_params() > 70_000
    with pytest.raises(ShapeError, match="needs 4 outputs"):
        build(str(path), (16, 16, 3), 4)
    with pytest.raises(ShapeError, match="the data has"):
        build(str(path), (20, 16, 3), 5)


LAYERS = [{"layer": "Flatten"}, {"layer": "Dense", "units": "outputs"}]


def test_a_list_of_layers_is_a_definition_and_takes_augmentation(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(LAYERS))
    model = build(str(path), (6, 6, 1), 3, augment=[pellucid.layers.RandomFlip("vertical")])
    assert model.output_shape == (None, 3)
    assert len(model.layers) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("{}", "expected"),
        ("[]", "expected"),
        ('[{"units": 3}]', "layer 1: expected"),
        ('[{"layer": "Dens", "units": 3}]', "Did you mean 'Dense'"),
        ('[{"layer": "Dense"}]', "layer 1.*units"),
        ('{"class_name": "Dense", "config": {"units": 3}}', "expected a model"),
        ("[" * 100_000, "not valid JSON"),
        (b"\xff\xfe\x00", "not text"),
    ],
)
def test_broken_definitions(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LoadError, match=words):
        build(str(path), (6, 6, 1), 3)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def build_model(:", "line 1"),
        ("x = 1", "expected a function build_model"),
        ("def build_model(shape, classes):\n    return 3", "returned 3"),
        ("import nothing_of_the_kind", "line 1: ModuleNotFoundError"),
    ],
)
def test_broken_code(tmp_path: Path, code: str, words: str) -> None:
    path = tmp_path / "net.py"
    path.write_text(code)
    with pytest.raises(LoadError, match=words):
        build(str(path), (6, 6, 1), 3)


def test_a_missing_definition_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"absent\.json: cannot be read"):
        build(str(tmp_path / "absent.json"), (6, 6, 1), 3)

"""Saving and loading `.keras` and `.weights.h5` files: what is written, and the errors."""

import json
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pellucid
from oracle import models
from pellucid.errors import ArgumentError, LoadError, NotBuiltError
from pellucid.formats import load_model, load_weights, save_model, save_weights


@pytest.fixture
def model():
    return models.classifier(pellucid)


def test_members_are_those_of_keras_and_one_of_our_own(model, tmp_path):
    model.preprocessing = {"image_size": (8, 8), "mean": np.array([0.5]), "scale": np.float32(2)}
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        names = archive.namelist()
        metadata = json.loads(archive.read("metadata.json"))
    assert names == ["metadata.json", "config.json", "model.weights.h5", "pellucid.json"]
    assert metadata.keys() == {"keras_version", "date_saved"}
    again = load_model(tmp_path / "m.keras")
    assert again.preprocessing == {"image_size": [8, 8], "mean": [0.5], "scale": 2.0}


def test_the_weights_are_the_same_bytes_each_time(model, tmp_path):
    save_weights(model, tmp_path / "a.weights.h5")
    save_weights(model, tmp_path / "b.weights.h5")
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


@pytest.mark.parametrize("name", ["m", "m.h5", "m.keras.zip", "m.weights.h5"])
def test_the_name_must_end_in_keras(model, tmp_path, name):
    with pytest.raises(ArgumentError, match=r"ends in \.keras"):
        model.save(tmp_path / name)


@pytest.mark.parametrize("name", ["m", "m.h5", "m.keras"])
def test_the_name_of_weights_must_end_in_weights_h5(model, tmp_path, name):
    with pytest.raises(ArgumentError, match=r"ends in \.weights\.h5"):
        model.save_weights(tmp_path / name)


@pytest.mark.parametrize(
    ("save", "name"), [(save_model, "m.keras"), (save_weights, "m.weights.h5")]
)
def test_overwriting(model, tmp_path, save, name):
    save(model, tmp_path / name)
    save(model, tmp_path / name)
    with pytest.raises(ArgumentError, match="is there already"):
        save(model, tmp_path / name, overwrite=False)


def test_the_last_good_file_survives_a_failure(model, tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    model.save(path)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    load_model(path)


def test_a_reader_sees_the_old_or_the_new_file_never_a_part(model, tmp_path):
    path = tmp_path / "m.keras"
    model.save(path)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            model.save(path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            load_model(path)
    finally:
        stop.set()
        writer.join()


def test_what_is_not_json_is_refused_before_writing(model, tmp_path):
    model.preprocessing = {"function": print}
    with pytest.raises(ArgumentError, match="preprocessing of classifier cannot be written"):
        model.save(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


class Own(pellucid.layers.Layer):
    def call(self, g, x):
        return x


def test_a_layer_of_ones_own_cannot_be_named_in_a_file(tmp_path):
    model = pellucid.Sequential([pellucid.Input((3,)), Own(name="mine"), pellucid.layers.Dense(2)])
    with pytest.raises(ArgumentError, match=r"mine is of a class of your own \(Own\)"):
        model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    model.load_weights(tmp_path / "m.weights.h5")


def test_a_model_that_is_not_built(tmp_path):
    model = pellucid.Sequential([pellucid.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert not again.built
    assert again.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)
    for method in (model.save_weights, model.load_weights):
        with pytest.raises(NotBuiltError, match="has no weights yet"):
            method(tmp_path / "m.weights.h5")


def test_frozen_layers_stay_frozen(model, tmp_path):
    model.layers[0].trainable = False
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert [layer.trainable for layer in again.layers] == [la.trainable for la in model.layers]
    assert len(again.optimizer.variables) == len(model.optimizer.variables)


def test_weights_of_another_model_are_refused(model, tmp_path):
    save_weights(models.sequential(pellucid), tmp_path / "other.weights.h5")
    before = model.get_weights()
    with pytest.raises(LoadError, match=r"other\.weights\.h5"):
        load_weights(model, tmp_path / "other.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_alone_are_not_a_model(model, tmp_path):
    save_weights(model, tmp_path / "m.weights.h5")
    with pytest.raises(LoadError, match="Make the model, and call its load_weights"):
        load_model(tmp_path / "m.weights.h5")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    path = tmp_path / "pipe.keras"
    os.mkfifo(path)
    with pytest.raises(LoadError, match="received something else"):
        load_model(path)


def test_paths_may_be_text(model, tmp_path):
    model.save(str(tmp_path / "m.keras"))
    assert Path(tmp_path / "m.keras").exists()
    load_model(str(tmp_path / "m.keras"))

"""The networks of keras.applications: saved by Keras as each kind of file, opened here."""

import numpy as np
import pytest

import pellucid
from pellucid.formats import load_model, load_weights

GAIN = {"EfficientNetB0": 12.0}
"""Its gates halve what passes them; with the usual weights no picture would matter at the end."""


def pictures(size, bright):
    """Two pictures that differ in contrast and colour."""
    noise = np.random.default_rng(0).normal(size=(2, size, size, 3))
    contrast = np.array([0.3, 1.0]).reshape(2, 1, 1, 1)
    colour = np.array([[-0.5, 0.0, 0.5], [1.0, -1.0, 0.0]])[:, None, None]
    x = noise * contrast + colour
    return ((x + 1) * 128 if bright else x).astype("float32")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("MobileNetV2", 64),
        ("MobileNetV2", 224),
        ("ResNet50", 64),
        ("VGG16", 32),
        ("DenseNet121", 64),
        ("EfficientNetB0", 64),
        ("Xception", 71),
    ],
)
def test_opens_and_answers_as_in_keras(keras_oracle, tmp_path, name, size):
    pellucid.utils.clear_session()
    x = pictures(size, bright=name.startswith("EfficientNet"))
    results, about = keras_oracle.ask(
        "ask_applications.save",
        {"x0": x},
        name=name,
        size=size,
        gain=GAIN.get(name, 2.0),
        folder=str(tmp_path),
    )
    model = load_model(tmp_path / "m.keras")
    assert model.count_params() == about["parameters"]
    assert len(model.layers) == about["layers"]
    expected = results["answer"]
    scale = np.ptp(expected, axis=0).max()
    assert scale > 0.01 * np.abs(expected).max(), "the pictures hardly matter"
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=0, atol=1e-4 * scale)
    legacy = load_model(tmp_path / "m.h5")
    assert legacy.count_params() == about["parameters"]
    check_same_weights(legacy, model)
    for variable in legacy.weights:
        variable.assign(np.zeros(variable.shape))
    load_weights(legacy, tmp_path / "m.weights.h5")
    check_same_weights(legacy, model)


def check_same_weights(model, expected):
    for own, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(own.numpy(), other.numpy(), err_msg=own.path)

"""Images of any size: fully convolutional models, whose sizes are known with the data alone."""

import json

import numpy as np
import pytest

import pellucid as keras
from cli_runner import run
from pellucid import layers
from pellucid.errors import ShapeError

LAYERS = {
    "convolution": lambda: layers.Conv2D(4, 3, strides=2, padding="same"),
    "dilated": lambda: layers.Conv2D(4, 3, dilation_rate=2),
    "depthwise": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
    "separable": lambda: layers.SeparableConv2D(4, 3),
    "transposed": lambda: layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
    "max": lambda: layers.MaxPooling2D(3, strides=2, padding="same"),
    "average": lambda: layers.AveragePooling2D(2),
    "global": lambda: layers.GlobalAveragePooling2D(),
    "batch": lambda: layers.BatchNormalization(),
    "upsampling": lambda: layers.UpSampling2D(2, interpolation="bilinear"),
    "padding": lambda: layers.ZeroPadding2D(((1, 0), (2, 1))),
    "resizing": lambda: layers.Resizing(5, 4),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_layer_gives_what_it_gives_for_known_sizes(make):
    layer = make()
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layer(image))
    for height, width in ((9, 12), (14, 7)):
        x = np.random.default_rng(0).random((2, height, width, 3), "float32")
        exact = keras.Input((height, width, 3))
        expected = keras.Model(exact, layer(exact)).predict(x, verbose=0)
        made = model.predict(x, verbose=0)
        np.testing.assert_allclose(made, expected, atol=1e-6)
        told = zip(model.output_shape, made.shape, strict=True)
        assert all(n in (None, m) for n, m in told)


def test_one_size_may_be_known():
    image = keras.Input((None, 8, 1))
    assert layers.Conv2D(2, 3)(image).shape == (None, None, 6, 2)
    with pytest.raises(ShapeError, match="does not fit into the image's width of 8"):
        layers.Conv2D(2, 9)(image)


def test_a_whole_model_trains_and_is_saved(tmp_path):
    image = keras.Input((None, None, 1))
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu", name="conv")(image))
    x = layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)])
    model = keras.Model(
        image, layers.Dense(2, activation="softmax")(layers.GlobalMaxPooling2D()(x))
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    for size in (8, 11):
        model.fit(rng.random((4, size, size, 1)), np.array([0, 1, 1, 0]), verbose=0)
    assert "sizes that are only known with the data" in model.plan()
    shown = []
    model.summary(print_fn=shown.append)
    assert "depend on the size of the input" in shown[0]
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    x = rng.random((2, 6, 9, 1))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    told = json.loads(run("summary", str(tmp_path / "m.keras"), "--json").out)
    assert told["multiply_adds"] is None
    assert told["layers"][1]["output_shape"] == [None, None, None, 4]
    trace = keras.explain(model, x, np.array([0, 1]))
    ledger = trace["conv.output[1,2,0]"]
    assert ledger.total == pytest.approx(ledger.value, abs=1e-6)

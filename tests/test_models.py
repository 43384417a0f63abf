"""Sequential and functional models: structure, order, names, weights, configuration."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pellucid as keras
from pellucid import layers
from pellucid.errors import ArgumentError, NameLookupError, NotBuiltError, ShapeError


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


def small() -> keras.Sequential:
    return keras.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def residual() -> keras.Model:
    image = keras.Input((6, 6, 2), name="image")
    extra = keras.Input((3,), name="extra")
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    a = shared(image)
    b = shared(layers.ReLU()(a))
    merged = layers.Add()([a, b])
    flat = layers.Concatenate()([layers.Flatten()(merged), extra])
    return keras.Model(
        [image, extra], [layers.Dense(2, name="first")(flat), layers.Dense(1, name="second")(flat)]
    )


def test_automatic_names_count_from_zero_as_keras() -> None:
    model = small()
    assert [layer.name for layer in model.layers] == ["conv2d", "max_pooling2d", "flatten", "dense"]
    assert small().layers[0].name == "conv2d_1"


def test_parameter_counts_of_the_tutorial_models() -> None:
    first = keras.models.Sequential(
        [
            layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    assert [layer.count_params() for layer in first.layers] == [
        320, 0, 18496, 0, 36928, 0, 36928, 650,
    ]  # fmt: skip
    assert first.count_params() == 93322
    assert first.output_shape == (None, 10)
    assert [layer.output.shape for layer in first.layers][4] == (None, 3, 3, 64)


def test_a_model_without_input_shape_is_built_by_its_first_data() -> None:
    model = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    with pytest.raises(NotBuiltError, match="input_shape"):
        model.program()
    assert model.predict(np.zeros((5, 3, 4)), verbose=0).shape == (5, 2)
    assert model.input_shape == (None, 3, 4)


def test_add_and_pop_rewire_a_built_model() -> None:
    model = small()
    model.pop()
    assert model.output_shape == (None, 36)
    model.add(layers.Dense(7))
    assert model.output_shape == (None, 7)
    with pytest.raises(ShapeError):
        model.add(layers.Conv2D(2, 3))
    assert model.output_shape == (None, 7)
    assert model.predict(np.zeros((1, 8, 8, 1)), verbose=0).shape == (1, 7)


def test_branches_shared_layers_and_several_inputs_and_outputs() -> None:
    model = residual()
    rng = np.random.default_rng(0)
    image, extra = rng.random((3, 6, 6, 2), "f4"), rng.random((3, 3), "f4")
    first, second = model.predict([image, extra], verbose=0)
    assert first.shape == (3, 2)
    assert second.shape == (3, 1)
    by_name = model.predict({"extra": extra, "image": image}, verbose=0)
    np.testing.assert_array_equal(by_name[0], first)

    kernel, bias = model.get_layer("shared").get_weights()
    a = keras.ops.conv(image, kernel, padding="same") + bias
    b = keras.ops.conv(np.maximum(a, 0), kernel, padding="same") + bias
    flat = np.concatenate([(a + b).reshape(3, -1), extra], axis=-1)
    w, c = model.get_layer("first").get_weights()
    np.testing.assert_allclose(first, flat @ w + c, rtol=1e-4, atol=1e-5)


def test_a_model_may_end_inside_another_and_shares_its_weights() -> None:
    model = small()
    maps = keras.Model(inputs=model.input, outputs=model.get_layer("conv2d").output)
    image = np.random.default_rng(0).random((2, 8, 8, 1), "f4")
    before = maps.predict(image, verbose=0)
    assert before.shape == (2, 6, 6, 4)
    kernel, bias = model.layers[0].get_weights()
    np.testing.assert_allclose(
        before, np.maximum(keras.ops.conv(image, kernel) + bias, 0), rtol=1e-5, atol=1e-6
    )
    model.layers[0].set_weights([kernel * 0, bias + 1])
    assert (maps.predict(image, verbose=0) == 1).all()


def test_layers_may_move_into_another_model_and_still_end_their_own() -> None:
    image = keras.Input((8, 8, 1))
    first = keras.Sequential([image, layers.Conv2D(2, 3, name="maps"), layers.Flatten()])
    keras.Sequential([keras.Input((5, 5, 1)), first.get_layer("maps"), layers.Flatten()])
    assert keras.Model(first.input, first.get_layer("maps").output).output_shape == (None, 6, 6, 2)


def test_a_model_may_start_inside_another() -> None:
    model = small()
    head = keras.Model(model.layers[1].output, model.output)
    image = np.random.default_rng(0).random((2, 8, 8, 1), "f4")
    middle = keras.Model(model.input, model.layers[1].output).predict(image, verbose=0)
    np.testing.assert_allclose(
        head.predict(middle, verbose=0), model.predict(image, verbose=0), rtol=1e-6
    )


def test_models_are_layers() -> None:
    base = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.BatchNormalization()], name="base"
    )
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, layers.Flatten()(base(image, training=False)))
    x = np.random.default_rng(0).random((3, 4, 4, 1), "f4")
    np.testing.assert_allclose(
        model.predict(x, verbose=0), base.predict(x, verbose=0).reshape(3, -1), rtol=1e-6
    )
    assert [w.path for w in model.weights][:2] == ["conv2d/kernel", "conv2d/bias"]
    base.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 6


def test_layers_and_weights_stand_in_keras_order() -> None:
    """The expected order is what Keras 3 gives for this model."""
    image = keras.Input((4, 4, 1), name="image")
    late = layers.Conv2D(2, 1, name="late")
    early = layers.Conv2D(2, 1, name="early")(image)
    side = late(image)
    deep = layers.ReLU(name="deep")(layers.ReLU(name="mid")(early))
    model = keras.Model(image, layers.Add(name="sum")([deep, side]))
    assert [layer.name for layer in model.layers] == [
        "image", "early", "mid", "deep", "late", "sum",
    ]  # fmt: skip


@pytest.mark.parametrize("make", [small, residual])
def test_configuration_makes_the_same_model_again(make: object) -> None:
    model = make()
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    again.set_weights(model.get_weights())
    x = [np.random.default_rng(0).random((2, *t.shape[1:]), "f4") for t in model.inputs]
    for left, right in zip(model.predict_on_batch(x), again.predict_on_batch(x), strict=True):
        np.testing.assert_array_equal(left, right)


def test_what_cannot_be_is_said() -> None:
    model = small()
    with pytest.raises(NameLookupError, match="'conv2d'"):
        model.get_layer("conv2")
    with pytest.raises(ArgumentError, match="either"):
        model.get_layer()
    with pytest.raises(ArgumentError, match="already has a layer"):
        model.add(model.layers[-1])
    image, other = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    with pytest.raises(ArgumentError, match="depend on the input 'b'"):
        keras.Model(image, layers.Add()([image, other]))
    with pytest.raises(ArgumentError, match="called 'twin'"):
        keras.Model(image, layers.Dense(1, name="twin")(layers.Dense(1, name="twin")(image)))
    with pytest.raises(ShapeError, match="weights of the shapes"):
        model.set_weights(model.get_weights()[1:])
    with pytest.raises(TypeError, match="symbolic"):
        np.asarray(model.output)
    with pytest.raises(ShapeError, match=r"\(None, 8, 8, 1\).*\(2, 7, 8, 1\)"):
        model.predict(np.zeros((2, 7, 8, 1)))
    with pytest.raises(ShapeError, match="batch axis"):
        model.predict_on_batch(np.zeros((8, 8, 1)))


def test_summary_shows_names_shapes_parameters_and_work(capsys: pytest.CaptureFixture[str]) -> None:
    small().summary(line_length=80)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for part in ("conv2d", "(None, 6, 6, 4)", "40", "1,296", "Total parameters", "151"):
        assert part in text
    lines: list[str] = []
    residual().summary(print_fn=lines.append, line_length=100)
    assert "Connected to" in lines[0]
    assert "shared, shared" in lines[0]

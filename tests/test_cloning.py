"""clone_model: the same structure, layers and weights of its own."""

import numpy as np
import pytest

import pellucid as keras
from oracle import models
from pellucid.errors import ArgumentError, TypeMismatchError
from pellucid.layers import OperationLayer
from pellucid.models import clone_model
from pellucid.ops.multiply import Multiply


def layers_of(model):
    for layer in model.sublayers:
        yield layer
        yield from layers_of(layer)


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("name", ["sequential", "nested", "functions", "classifier"])
def test_structure_is_the_same_and_nothing_is_shared(name, recursive):
    model = getattr(models, name)(keras)
    clone = clone_model(model, recursive=recursive)
    assert type(clone) is type(model)
    assert clone.get_config() == model.get_config()
    assert not {id(x) for x in layers_of(model)} & {id(x) for x in layers_of(clone)}
    clone.set_weights(model.get_weights())
    x = [np.random.default_rng(0).normal(size=(2, *t.shape[1:])) for t in model.inputs]
    x = x if len(x) > 1 else x[0]
    for ours, theirs in zip(*(listed(m.predict(x)) for m in (clone, model)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def listed(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def test_layers_can_be_replaced_and_calls_changed():
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, activation="relu", name="conv")(image)
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))

    def wider(layer):
        config = layer.get_config()
        return type(layer).from_config(config | ({"filters": 5} if "filters" in config else {}))

    assert clone_model(model, clone_function=wider).get_layer("conv").filters == 5

    def followed(layer, *args, **kwargs):
        y = layer(*args, **kwargs)
        return keras.layers.Dropout(0.5)(y) if layer.name == "conv" else y

    shared = clone_model(model, clone_function=lambda layer: layer, call_function=followed)
    assert [type(x).__name__ for x in shared.layers][2] == "Dropout"
    assert shared.weights == model.weights
    other = keras.Input((8, 8, 1), name="other")
    assert clone_model(model, input_tensors=other).input is other


@pytest.mark.parametrize("recursive", [False, True])
def test_trained_constants_are_copied(recursive):
    def scale(name):
        return OperationLayer(Multiply(), {"x1": [2.0, -3.0]}, trainable=True, name=name)

    image = keras.Input((2,))
    start = keras.Input((2,))
    block = keras.Model(start, scale("inner")(keras.Sequential([scale("inmost")])(start)))
    dense = keras.layers.Dense(2, name="dense")
    model = keras.Model(image, dense(block(scale("outer")(image))))
    for i, weight in enumerate(model.weights[:3]):
        weight.assign([5.0 + i, 7.0 + i])
    clone = clone_model(model, recursive=recursive)
    kept = [i for i, weight in enumerate(model.weights) if weight.name == "x1"]
    assert kept == [0, 1, 2]
    for i in kept:
        np.testing.assert_array_equal(clone.get_weights()[i], [5.0 + i, 7.0 + i])
        assert not np.shares_memory(clone.weights[i].value, model.weights[i].value)
    assert not np.array_equal(*(m.get_layer("dense").kernel for m in (model, clone)))
    clone.compile("sgd", "mse")
    clone.train_on_batch(np.ones((1, 2)), np.zeros((1, 2)))
    np.testing.assert_array_equal(model.get_weights()[0], [5.0, 7.0])
    assert not np.array_equal(clone.get_weights()[0], [5.0, 7.0])


def test_a_sequential_that_is_not_built_is_cloned():
    clone = clone_model(keras.Sequential([keras.layers.Dense(2)]))
    assert not clone.built
    assert clone_model(clone, input_tensors=keras.Input((3,))).count_params() == 8


def test_refuses():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(TypeMismatchError, match="a model"):
        clone_model(keras.layers.Dense(2))
    with pytest.raises(ArgumentError, match="functional models alone"):
        clone_model(model, call_function=lambda layer, x: layer(x))
    with pytest.raises(ArgumentError, match="1 symbolic"):
        clone_model(model, input_tensors=[1])

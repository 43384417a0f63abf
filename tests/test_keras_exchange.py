"""What Keras saved opens here, and what is saved here opens in Keras: the same numbers, and on."""

import re

import numpy as np
import pytest

import pellucid
from oracle import models, saved_models
from pellucid.formats import load_model, load_weights, save_model, save_weights
from pellucid.layers import OperationLayer
from pellucid.ops.activation import Activation
from pellucid.ops.add import Add
from pellucid.ops.concatenate import Concatenate
from pellucid.ops.elementwise import Elementwise
from pellucid.ops.matmul import MatMul
from pellucid.ops.multiply import Multiply
from pellucid.ops.power import Power
from pellucid.ops.reduce import Reduce
from pellucid.ops.reshape import Reshape
from pellucid.ops.slice import Slice
from pellucid.ops.softmax import Softmax
from pellucid.ops.transpose import Transpose
from pellucid.ops.where import Where

OPTIMIZERS = [
    "sgd",
    "nesterov",
    "adam",
    "amsgrad",
    "adamw",
    "rmsprop",
    "centered",
    "nadam",
    "adagrad",
    "scheduled",
    "warmup",
]


MODELS = ["sequential", "nested", "functions", "every_layer"]


def of(arrays, prefix):
    count = sum(re.fullmatch(rf"{prefix}\d+", key) is not None for key in arrays)
    found = [arrays[f"{prefix}{i}"] for i in range(count)]
    return found[0] if len(found) == 1 else found


def close(actual, expected, tolerance, what):
    for i, (a, e) in enumerate(zip(listed(actual), listed(expected), strict=True)):
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance, err_msg=f"{what} {i}")


def listed(values):
    return values if isinstance(values, list) else [values]


def train(model, arrays):
    for step in range(saved_models.STEPS):
        model.train_on_batch(of(arrays, f"x{step}_"), of(arrays, f"y{step}_"))
        yield step, model.get_weights()


def check_opened(model, arrays, trains=True):
    """The model has the weights and the predictions it should, and takes the same steps."""
    close(model.get_weights(), of(arrays, "w"), 0, "weight")
    close(model.predict(of(arrays, "x0_"), verbose=0), of(arrays, "p"), 1e-5, "prediction")
    if trains:
        for step, weights in train(model, arrays):
            close(weights, of(arrays, f"w{step}_"), 1e-4, f"after step {step}: weight")


@pytest.mark.parametrize("name", ["sequential", "nested", "3_0_nested"])
def test_a_file_that_keras_saved_opens_without_keras(name):
    with np.load(saved_models.FOLDER / f"keras_{name}.npz") as file:
        arrays = dict(file)
    check_opened(load_model(saved_models.FOLDER / f"keras_{name}.keras"), arrays)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_from_keras_with_every_optimizer(keras_oracle, tmp_path, optimizer):
    path = tmp_path / "m.keras"
    arrays, layers = saved_models.save(keras_oracle, "classifier", path, optimizer, metrics=["acc"])
    model = load_model(path)
    assert [layer.name for layer in model.layers] == layers
    check_opened(model, arrays)


@pytest.mark.parametrize("name", [*MODELS, "constrained"])
def test_from_keras(keras_oracle, tmp_path, name):
    path = tmp_path / "m.keras"
    arrays, layers = saved_models.save(keras_oracle, name, path, seed=1)
    model = load_model(path)
    assert [layer.name for layer in model.layers] == layers
    check_opened(model, arrays, trains=model.compiled)


def prepared(name, optimizer=None):
    """Return a model of ours after some steps, with its batches."""
    _, _, loss, usual = saved_models.MODELS[name]
    arrays = saved_models.batches(name)
    pellucid.utils.set_random_seed(1)  # with others, "functions" may have ties for its argmax
    model = getattr(models, name)(pellucid)
    rng = np.random.default_rng(1)
    model.set_weights([w + 0.1 * rng.uniform(size=w.shape) for w in model.get_weights()])
    if loss is not None:
        model.compile(models.optimizer(pellucid, optimizer or usual), loss)
        for _ in train(model, arrays):
            pass
    return model, arrays


def check_sent(keras_oracle, model, arrays, path, trains=True, **settings):
    """Keras opens the file, predicts the same, has the same state, and takes the same steps."""
    results, layers = keras_oracle.ask(
        "ask_models.load",
        arrays,
        path=str(path),
        steps=saved_models.STEPS if trains else 0,
        **settings,
    )
    if "into" not in settings:
        assert layers == [layer.name for layer in model.layers]
    close(model.get_weights(), of(results, "w"), 0, "weight")
    close(model.predict(of(arrays, "x0_"), verbose=0), of(results, "p"), 1e-5, "prediction")
    if "o0" in results:
        close([value for _, value in model.optimizer.variables], of(results, "o"), 0, "state")
    if trains:
        for step, weights in train(model, arrays):
            close(weights, of(results, f"w{step}_"), 1e-4, f"after step {step}: weight")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_to_keras_with_every_optimizer(keras_oracle, tmp_path, optimizer):
    model, arrays = prepared("classifier", optimizer)
    model.preprocessing = {"image_size": [8, 8], "class_names": ["a", "b", "c", "d", "e"]}
    save_model(model, tmp_path / "m.keras")
    check_sent(keras_oracle, model, arrays, tmp_path / "m.keras")


@pytest.mark.parametrize("name", [*MODELS, "constrained"])
def test_to_keras(keras_oracle, tmp_path, name):
    model, arrays = prepared(name)
    save_model(model, tmp_path / "m.keras")
    check_sent(keras_oracle, model, arrays, tmp_path / "m.keras", trains=model.compiled)


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_go_to_keras(keras_oracle, tmp_path, seed):
    """Keras must find every layer's weights where its own order of the graph looks for them."""
    model = models.random_graph(pellucid, seed)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    arrays = {
        f"x0_{i}": rng.normal(size=(2, 4, 4, 2)).astype("float32") for i in range(len(model.inputs))
    }
    save_model(model, tmp_path / "m.keras")
    check_sent(keras_oracle, model, arrays, tmp_path / "m.keras", trains=False)
    again = load_model(tmp_path / "m.keras")
    close(
        again.predict(of(arrays, "x0_"), verbose=0),
        model.predict(of(arrays, "x0_"), verbose=0),
        0,
        "output",
    )


def test_operations_by_themselves_go_to_keras(keras_oracle, tmp_path):
    """As a model has them that was read from another format."""
    image = pellucid.Input((4, 6, 3))
    x = image
    for op, constants in (
        (Multiply(), {"x1": np.array([1.0, -2, 3], "float32")}),
        (Activation("leaky_relu", negative_slope=0.3), {}),
        (Activation("hard_sigmoid"), {}),
        (Elementwise("sqrt"), {}),
        (Transpose((0, 2, 1, 3)), {}),
        (Slice((None, 1), (None, -1)), {}),
        (Reshape((8, 6)), {}),
        (Power(), {"x0": 2.0}),
        (MatMul(), {"x1": np.full((6, 4), 0.2, "float32")}),
        (Reduce("mean", (1,), keepdims=True), {}),
        (Where(), {"x1": -1.0, "condition": np.array([1, 0, 1, 1])}),
        (Softmax(), {}),
    ):
        x = OperationLayer(op, constants)(x)
    model = pellucid.Model(
        image, OperationLayer(Concatenate(1))([x, OperationLayer(Add())([x, x])])
    )
    rng = np.random.default_rng(0)
    arrays = {"x0_0": rng.normal(size=(4, 4, 6, 3)).astype("float32")}
    save_model(model, tmp_path / "m.keras")
    check_sent(keras_oracle, model, arrays, tmp_path / "m.keras", trains=False)
    again = load_model(tmp_path / "m.keras")
    close(
        again.predict(arrays["x0_0"], verbose=0), model.predict(arrays["x0_0"], verbose=0), 0, "y"
    )


@pytest.mark.parametrize("name", MODELS)
def test_weights_go_both_ways(keras_oracle, tmp_path, name):
    ours, theirs = tmp_path / "ours.weights.h5", tmp_path / "theirs.weights.h5"
    model, arrays = prepared(name)
    save_weights(model, ours)
    check_sent(keras_oracle, model, arrays, ours, trains=False, into=name)
    arrays, _ = saved_models.save(keras_oracle, name, theirs, weights_only=True)
    fresh = getattr(models, name)(pellucid)
    load_weights(fresh, theirs)
    check_opened(fresh, arrays, trains=False)


@pytest.mark.parametrize("name", MODELS)
def test_round_trip_here(tmp_path, name):
    model, arrays = prepared(name)
    model.preprocessing = {"mean": [0.5], "colour": "grey"}
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert again.preprocessing == model.preprocessing
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.get_config() == model.get_config()
    close(again.get_weights(), model.get_weights(), 0, "weight")
    np.testing.assert_array_equal(
        [w.trainable for w in again.weights], [w.trainable for w in model.weights]
    )
    if not model.compiled:
        return
    for (step, a), (_, b) in zip(train(model, arrays), train(again, arrays), strict=True):
        close(a, b, 0, f"after step {step}: weight")


def test_not_compiled_and_uncompiled(tmp_path):
    model = models.classifier(pellucid)
    model.save(tmp_path / "plain.keras")
    assert not load_model(tmp_path / "plain.keras").compiled
    trained, _ = prepared("sequential")
    trained.save(tmp_path / "trained.keras")
    assert not load_model(tmp_path / "trained.keras", compile=False).compiled


def test_weights_come_from_a_keras_file_as_well(tmp_path):
    model, _ = prepared("sequential")
    model.save(tmp_path / "m.keras")
    fresh = models.sequential(pellucid)
    fresh.load_weights(tmp_path / "m.keras")
    close(fresh.get_weights(), model.get_weights(), 0, "weight")

"""Files of Keras 2, and legacy files of Keras 3: they open here, predict the same, and go on."""

import json
import re

import h5py
import numpy as np
import pytest

import pellucid
from oracle import keras2_models, models, saved_models
from pellucid.errors import ArgumentError, LoadError
from pellucid.formats import load_model, load_weights
from test_keras_exchange import check_opened, close, of

FOLDER = saved_models.FOLDER


def recorded(name):
    with np.load(FOLDER / f"keras2_{name}.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    "file", ["sequential.h5", "sequential.keras", "graph.h5", "graph.keras", "plain.h5"]
)
def test_a_model_that_keras_2_saved(file):
    """The same weights and predictions, and the same steps from the optimiser's state on."""
    arrays = recorded(file.partition(".")[0])
    model = load_model(FOLDER / f"keras2_{file}")
    close(model.get_weights(), of(arrays, "w"), 0, "weight")
    close(model.predict(of(arrays, "x0_"), verbose=0), of(arrays, "p"), 1e-5, "prediction")
    if file == "graph.keras":
        return  # Keras 2 kept no step of an optimiser of its older kind in such a file
    for step in range(keras2_models.STEPS):
        model.train_on_batch(of(arrays, f"x{step}_"), of(arrays, f"y{step}_"))
        expected = of(arrays, f"w{step}_")
        for actual, e in zip(model.weights, expected, strict=True):
            # TensorFlow's running variance is of n / (n - 1) of the batch's.
            tolerance = 1e-2 if actual.name == "moving_variance" else 1e-5
            close(actual.numpy(), e, tolerance, f"after step {step}: {actual.path}")


@pytest.mark.parametrize("name", ["sequential", "nested", "every_layer"])
def test_a_model_that_keras_3_saved(keras_oracle, tmp_path, name):
    path = tmp_path / "m.h5"
    arrays, layers = saved_models.save(keras_oracle, name, path, seed=1)
    model = load_model(path)
    assert [layer.name for layer in model.layers] == layers
    check_opened(model, arrays, trains=model.compiled)


@pytest.mark.parametrize("optimizer", ["nesterov", "amsgrad", "centered", "scheduled"])
def test_an_optimizers_state_that_keras_3_saved(keras_oracle, tmp_path, optimizer):
    path = tmp_path / "m.h5"
    arrays, _ = saved_models.save(keras_oracle, "classifier", path, optimizer, metrics=["acc"])
    check_opened(load_model(path), arrays)


def test_not_compiled_if_not_wanted():
    assert not load_model(FOLDER / "keras2_sequential.h5", compile=False).compiled


def test_what_keras_2_said_of_compiling():
    model = load_model(FOLDER / "keras2_graph.h5")
    schedule = model.optimizer.get_config()["learning_rate"]
    assert schedule["class_name"] == "InverseTimeDecay"
    assert schedule["config"]["decay_rate"] == 0.1
    assert [layer.trainable for layer in model.get_layer("pool").layers] == [False, False]
    metrics = load_model(FOLDER / "keras2_sequential.h5").get_compile_config()["metrics"]
    assert [m["config"]["name"] for m in metrics] == ["accuracy"]
    config = load_model(FOLDER / "keras2_plain.h5").get_compile_config()
    assert config["loss"]["config"]["from_logits"] is True
    assert [m["class_name"] for m in config["metrics"]] == [
        "CategoricalAccuracy",
        "TopKCategoricalAccuracy",
    ]


@pytest.mark.parametrize("file", ["keras2_graph_weights.h5", "keras2_graph.h5"])
def test_weights_into_a_model_that_is_there(file):
    arrays = recorded("graph")
    model = load_model(FOLDER / "keras2_graph.h5", compile=False)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    table = load_weights(model, FOLDER / file)
    close(model.get_weights(), of(arrays, "w"), 0, "weight")
    assert len(table) == len(model.weights)
    assert re.search(r"shared/kernel:0 +shared/kernel +\(3, 3, 2, 2\)$", str(table), re.MULTILINE)


def test_a_whole_model_is_not_in_a_file_of_weights():
    with pytest.raises(LoadError, match="holds weights, but not the model"):
        load_model(FOLDER / "keras2_graph_weights.h5")


def test_tensorflows_own_operations_are_named_and_refused():
    with pytest.raises(LoadError, match=r"__operators__\.add, math\.multiply.*Rescaling, Add"):
        load_model(FOLDER / "keras2_operations.h5")


def test_a_rate_that_is_no_variable(tmp_path):
    """Before Keras 3 only a step and the slots were saved."""
    k = pellucid
    model = k.Sequential([k.Input((3,)), k.layers.Dense(2)])
    model.compile(k.optimizers.Adam(0.25), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save_weights(tmp_path / "a.weights.h5")
    before = [value.copy() for _, value in model.optimizer.variables]
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        group = file["optimizer/vars"]
        del group["1"]
        for number in range(2, len(before)):
            group.move(str(number), str(number - 1))
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.load_weights(tmp_path / "a.weights.h5")
    close([value for _, value in model.optimizer.variables], before, 0, "state")


# Names and mismatches.


def other_model():
    """Return a model two of whose layers are called as in the file; one has another shape."""
    k = pellucid
    return k.Sequential(
        [
            k.Input((8, 8, 2)),
            k.layers.Conv2D(3, 3, name="conv2d"),
            k.layers.Flatten(),
            k.layers.Dense(3, name="scores"),
            k.layers.Dense(2, name="new"),
        ]
    )


def test_by_name_loads_what_agrees_and_leaves_the_rest():
    model = other_model()
    before = model.get_layer("scores").get_weights()
    path = FOLDER / "keras2_sequential.h5"
    with pytest.raises(LoadError, match=r"'.*scores/kernel:0' has shape \(36, 3\)"):
        model.load_weights(path, by_name=True)
    with pytest.warns(UserWarning, match="It is left as it was"):
        model.load_weights(path, by_name=True, skip_mismatch=True)
    saved = load_model(path, compile=False)
    close(model.get_layer("conv2d").get_weights(), saved.get_layer("conv2d").get_weights(), 0, "w")
    kernel, bias = model.get_layer("scores").get_weights()
    np.testing.assert_array_equal(kernel, before[0])
    np.testing.assert_array_equal(bias, saved.get_layer("scores").get_weights()[1])


def test_by_order_the_layers_must_be_as_many():
    with pytest.raises(LoadError, match=r"weights of 4 layers .*has 3 layers.*by_name=True"):
        other_model().load_weights(FOLDER / "keras2_sequential.h5")


def test_skip_mismatch_in_a_new_file(tmp_path):
    model = models.classifier(pellucid)
    model.save_weights(tmp_path / "a.weights.h5")
    k = pellucid
    wider = k.Sequential([*model.layers[:-1], k.layers.Dense(7)])
    wider.build((None, 8, 8, 1))
    before = wider.get_weights()
    with pytest.raises(LoadError, match="has shape"):
        wider.load_weights(tmp_path / "a.weights.h5")
    with pytest.warns(UserWarning, match="dense.* is left as it was"):
        wider.load_weights(tmp_path / "a.weights.h5", skip_mismatch=True)
    close(wider.get_weights()[:-2], model.get_weights()[:-2], 0, "weight")
    close(wider.get_weights()[-2:], before[-2:], 0, "weight")
    with pytest.raises(ArgumentError, match="by_name is for legacy"):
        model.load_weights(tmp_path / "a.weights.h5", by_name=True)


# Spellings of versions that no fixture is of.


def legacy_file(path, config, weights, cut=None, **attributes):
    """Write a legacy file; `weights`: the arrays of each layer, by their names."""
    with h5py.File(path, "w") as file:
        for key, value in {"model_config": config, **attributes}.items():
            file.attrs[key] = json.dumps(value).encode()
        group = file.create_group("model_weights")
        names = np.array([name.encode() for name in weights])
        if cut is None:
            group.attrs["layer_names"] = names
        else:
            group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:cut], names[cut:]
        for layer, arrays in weights.items():
            inside = group.create_group(layer)
            inside.attrs["weight_names"] = [f"{layer}/{name}".encode() for name in arrays]
            for name, array in arrays.items():
                inside[f"{layer}/{name}"] = array


def conv(name, **arguments):
    scaling = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
    return {
        "class_name": "Conv2D",
        "config": {
            "name": name,
            "trainable": True,
            "filters": 2,
            "kernel_size": [1, 1],
            "activation": {"class_name": "LeakyReLU", "config": {"name": "a", "alpha": 0.5}},
            "kernel_initializer": {"class_name": "VarianceScaling", "config": scaling},
            "bias_initializer": {"class_name": "Zeros", "config": {"dtype": "float32"}},
            "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}},
            "bias_regularizer": None,
            "kernel_constraint": None,
            **arguments,
        },
    }


KERNEL, BIAS = np.array([[[[1.0, -2.0]]]], "f4"), np.array([0.5, 1.0], "f4")


@pytest.mark.parametrize("cut", [None, 1])
def test_a_sequential_of_keras_2_0(tmp_path, cut):
    """A list of layers, no input layer, no modules; names in several attributes."""
    policy = {"class_name": "Policy", "config": {"name": "float32"}}
    layers = [
        conv("first", batch_input_shape=[None, 2, 2, 1], dtype=policy),
        {"class_name": "ThresholdedReLU", "config": {"name": "t", "theta": 1.0}},
        {
            "class_name": "BatchNormalizationV1",
            "config": {"name": "norm", "axis": [3], "fused": True, "virtual_batch_size": None},
        },
    ]
    ones = np.ones(2, "f4")
    training = {
        "optimizer_config": {
            "class_name": "Adam",
            "config": {"lr": 0.5, "beta_1": 0.9, "decay": 0.0, "epsilon": None},
        },
        "loss": "mse",
        "metrics": ["accuracy"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    legacy_file(
        tmp_path / "m.h5",
        {"class_name": "Sequential", "config": layers},
        {
            "first": {"kernel:0": KERNEL, "bias:0": BIAS},
            "t": {},
            "norm": {"gamma:0": ones, "beta:0": ones, "mean:0": ones * 0, "variance:0": ones},
        },
        cut,
        training_config=training,
    )
    model = load_model(tmp_path / "m.h5")
    assert model.input_shape == (None, 2, 2, 1)
    assert model.optimizer.get_config()["learning_rate"] == 0.5
    x = np.array([[[[1.0], [-1.0]], [[2.0], [0.5]]]], "f4")
    y = x * KERNEL[0, 0, 0] + BIAS
    y = np.where(y > 0, y, 0.5 * y)
    expected = np.where(y > 1, y, 0) / np.sqrt(1.001) + 1
    close(model.predict(x, verbose=0), expected, 1e-5, "prediction")


def test_a_model_of_keras_2_2(tmp_path):
    """Class Model, three parts for each tensor read, merged inputs, one output in a list."""
    image = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 2, 2, 1]}}
    image["config"] |= {"name": "image", "dtype": "float32", "sparse": False}
    config = {
        "name": "model_1",
        "layers": [
            image | {"name": "image", "inbound_nodes": []},
            conv("a") | {"name": "a", "inbound_nodes": [[["image", 0, 0]]]},
            {
                "class_name": "Subtract",
                "config": {"name": "s", "trainable": True},
                "name": "s",
                "inbound_nodes": [[["a", 0, 0, {}], ["image", 0, 0, {}]]],
            },
        ],
        "input_layers": [["image", 0, 0]],
        "output_layers": [["s", 0, 0]],
    }
    legacy_file(
        tmp_path / "m.h5",
        {"class_name": "Model", "config": config},
        {"image": {}, "a": {"kernel:0": KERNEL, "bias:0": BIAS}, "s": {}},
    )
    model = load_model(tmp_path / "m.h5")
    x = np.ones((1, 2, 2, 1), "f4")
    close(model.predict(x, verbose=0), np.broadcast_to([0.5, -1.5], (1, 2, 2, 2)), 1e-6, "y")

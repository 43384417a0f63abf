"""What every layer promises, and what single layers do; `test_layers_keras` compares with Keras."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from layer_cases import CASES, RANDOM, LayerCase
from pellucid import activations, layers, utils
from pellucid.errors import (
    ArgumentError,
    NameLookupError,
    ShapeError,
    TypeMismatchError,
)
from pellucid.graph import Tracer
from pellucid.graph import reference as engine
from pellucid.ops.add import Add as Addition
from pellucid.ops.multiply import Multiply as Product
from pellucid.testing import check_gradients


@pytest.fixture(autouse=True)
def fresh_session():
    utils.clear_session()
    utils.set_random_seed(0)


def call_on(layer, arrays, training=False):
    return layer(arrays if len(arrays) > 1 else arrays[0], training=training)


def inputs_of(case, generator):
    return [generator.standard_normal(shape) for shape in case.shapes]


# Every layer.


def test_every_layer_has_a_case():
    public = {getattr(layers, name) for name in layers.__all__}
    others = {"Layer", "InputLayer", "OperationLayer"}  # the last is tried in test_operations.py
    classes = {c.__name__ for c in public if inspect.isclass(c)} - others
    assert classes == {case.kind for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_output_has_the_shape_that_was_said(case, training):
    arrays = inputs_of(case, np.random.default_rng(0))
    layer = case.make()
    tensors = [layers.Input(shape[1:]) for shape in case.shapes]
    symbolic = call_on(layer, tensors, training)
    shapes = [tensor.shape for tensor in tensors]
    said = case.make().compute_output_shape(shapes if len(shapes) > 1 else shapes[0])
    y = call_on(layer, arrays, training)
    assert symbolic.shape == said == (None, *y.shape[1:])
    assert y.dtype == np.float32
    assert len(y) == len(arrays[0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_samples_give_no_results(case):
    arrays = inputs_of(case, np.random.default_rng(0))
    layer = case.make()
    some = call_on(layer, arrays, False)
    assert call_on(layer, [a[:0] for a in arrays], False).shape == (0, *some.shape[1:])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_configuration_makes_the_same_layer_again(case):
    layer = case.make(trainable=False, name="again") if takes_trainable(case) else case.make()
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert again.get_config() == layer.get_config()
    assert again.trainable == layer.trainable
    assert layers.serialize(layers.deserialize(layers.serialize(layer))) == layers.serialize(layer)


def takes_trainable(case):
    return not case.kind.startswith("SpatialDropout")  # Keras' has no such argument


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_gradients(case, training):
    generator = np.random.default_rng(1)
    layer = case.make(dtype="float64")
    g = Tracer(training)
    xs = [g.input((None, *shape[1:])) for shape in case.shapes]
    layer.build_for([x.shape for x in xs])
    with g.scope(layer.name):
        y = layer.call(g, *xs)
    upstream = g.input(y.shape)
    program = g.program([*xs, upstream], [g.apply(Product(), y, upstream)])
    random = engine.draw(program, case.shapes[0][0], ("gradients",))
    weights = [g.weight(variable) for variable in layer.trainable_weights]

    def run(arrays, dy):
        for variable, array in zip(layer.trainable_weights, arrays[len(xs) :], strict=True):
            variable.assign(array)
        return engine.forward(program, [*arrays[: len(xs)], dy], random, keep=True)

    def forward(*arrays):
        size = (len(arrays[0]), *y.shape[1:])
        return run(arrays, np.ones(size))[program.outputs[0]]

    def backward(dy, _, *arrays):
        found = engine.gradients(program, run(arrays, dy), [*xs, *weights])
        return [found[value] for value in (*xs, *weights)]

    starts = [generator.standard_normal(v.shape) for v in layer.trainable_weights]
    check_gradients(forward, backward, [*inputs_of(case, generator), *starts], elementwise=12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_used_twice_it_has_its_weights_once(case):
    layer = case.make()
    first = call_on(layer, [layers.Input(shape[1:]) for shape in case.shapes])
    weights = layer.weights
    second = call_on(layer, [layers.Input(shape[1:]) for shape in case.shapes])
    assert layer.weights == weights
    assert first is not second
    assert len(layer.calls) == 2
    assert layer.output is first  # as in Keras


@pytest.mark.parametrize("case", CASES, ids=str)
def test_weights_are_copied_out_and_in(case):
    layer, other = case.make(), case.make()
    arrays = inputs_of(case, np.random.default_rng(2))
    call_on(layer, arrays)
    call_on(other, arrays)
    assert layer.count_params() == sum(w.size for w in layer.get_weights())
    other.set_weights([w + 1 for w in layer.get_weights()])
    for mine, theirs in zip(layer.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine + 1, theirs)
    if layer.weights:
        with pytest.raises(ShapeError, match="expected weights of the shapes"):
            layer.set_weights([np.zeros((1, 2, 3, 4, 5))])


# Names.


def test_automatic_names_are_those_of_keras():
    made = [case.make().name for case in map(LayerCase, ["Flatten", "ReLU", "Flatten", "PReLU"])]
    assert made == ["flatten", "re_lu", "flatten_1", "p_re_lu"]
    named = {
        "conv2d": layers.Conv2D(1, 1),
        "conv2d_transpose": layers.Conv2DTranspose(1, 1),
        "separable_conv2d": layers.SeparableConv2D(1, 1),
        "max_pooling2d": layers.MaxPool2D(),
        "global_average_pooling2d": layers.GlobalAvgPool2D(),
        "up_sampling2d": layers.UpSampling2D(),
        "leaky_re_lu": layers.LeakyReLU(),
        "input_layer": layers.Input((1,)).call.layer,
    }
    assert [layer.name for layer in named.values()] == list(named)


def test_aliases_are_the_same_classes():
    assert layers.MaxPool2D is layers.MaxPooling2D
    assert layers.Convolution2D is layers.Conv2D
    config = {"class_name": "Convolution2D", "config": {"filters": 2, "kernel_size": 3}}
    assert type(layers.deserialize(config)) is layers.Conv2D


def test_weights_have_their_layers_name():
    layer = layers.SeparableConv2D(4, 3, name="sep")
    layer(np.zeros((1, 5, 5, 2)))
    paths = ["sep/depthwise_kernel", "sep/pointwise_kernel", "sep/bias"]
    assert [weight.path for weight in layer.weights] == paths
    assert [weight.shape for weight in layer.weights] == [(3, 3, 2, 1), (1, 1, 2, 4), (4,)]


# Configurations.


@pytest.mark.parametrize(
    ("kind", "config", "error", "message"),
    [
        ("Conv2D", {"kernel_size": 3}, ArgumentError, "lacks filters"),
        ("Dense", {"units": 2, "unit": 2}, ArgumentError, "Dense: unknown argument 'unit'"),
        ("Dense", {"units": 2, "lora_rank": 4}, ArgumentError, "lora_rank=4 is not supported"),
        (
            "Dense",
            {"units": 2, "kernel_constraint": {}},
            ArgumentError,
            "constraint with 'class_name'",
        ),
        ("ReLU", {"name": "r", "kernel_constraint": None}, ArgumentError, "r: unknown argument"),
        ("BatchNormalization", {"renorm": True}, ArgumentError, "renorm=True is not supported"),
        ("BatchNormalization", {"synchronized": True}, ArgumentError, "synchronized"),
        ("LayerNormalization", {"rms_scaling": True}, ArgumentError, "rms_scaling"),
        ("Dense", {"units": 2, "dtype": {"config": {"name": "int8"}}}, ArgumentError, "dtype"),
        ("Conv3D", {}, NameLookupError, "Did you mean 'Conv2D'"),
        ("Activation", {"activation": "rulu"}, NameLookupError, "Did you mean 'relu'"),
        ("Activation", {"activation": {"class_name": "Lambda"}}, NameLookupError, "Lambda"),
    ],
)
def test_configurations_that_cannot_be(kind, config, error, message):
    with pytest.raises(error, match=message):
        layers.deserialize({"class_name": kind, "config": config})


def test_older_forms_of_a_configuration_are_read():
    layer = layers.deserialize(
        {
            "class_name": "Dense",
            "config": {
                "units": 2,
                "dtype": "float32",
                "activation": {"class_name": "function", "config": "relu", "module": "builtins"},
                "lora_rank": None,
                "activity_regularizer": None,
            },
            "build_config": {"input_shape": [None, 3]},
        }
    )
    assert layer.activation == "relu"
    assert layers.BatchNormalization.from_config({"axis": [3]}).axis == 3


def test_a_layer_of_ones_own_is_found_if_it_is_handed_over():
    class Twice(layers.Layer):
        def call(self, g, x):
            return g.apply(Addition(), x, x)

    config = layers.serialize(Twice(name="t"))
    assert config["registered_name"] == "Twice"
    again = layers.deserialize(config, custom_objects={"Twice": Twice})
    np.testing.assert_array_equal(again(np.ones((1, 2))), [[2, 2]])
    with pytest.raises(NameLookupError, match="Twice"):
        layers.deserialize(config)


# Errors.


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Conv2D(0, 3), ArgumentError, "conv2d: filters"),
        (lambda: layers.Conv2D(8, 3, padding="full"), ArgumentError, "'valid', 'same'"),
        (lambda: layers.Conv2D(8, 3, groups=3), ArgumentError, "8 filters"),
        (lambda: layers.Conv2D(8, 3, data_format="channels_first"), ArgumentError, "transpose"),
        (lambda: layers.Conv2DTranspose(8, 3, output_padding=1), ArgumentError, "output_padding"),
        (lambda: layers.Dense(2.5), ArgumentError, "dense: units"),
        (lambda: layers.Dense(2, activation=abs), ArgumentError, "function of your own"),
        (lambda: layers.Dense(2, kernel="x"), ArgumentError, "unknown argument 'kernel'"),
        (lambda: layers.Dense(2, name="a/b"), ArgumentError, "name"),
        (lambda: layers.Dropout(1.5), ArgumentError, "rate must be a finite number from 0 to 1"),
        (lambda: layers.Dropout(0.5, noise_shape="x"), ArgumentError, "noise_shape"),
        (lambda: layers.Dropout(0.5, seed=-1), ArgumentError, "seed"),
        (lambda: layers.ReLU(max_value=-1), ArgumentError, "max_value"),
        (lambda: layers.Reshape((-1, -1)), ArgumentError, "-1"),
        (lambda: layers.Permute((0, 1)), ArgumentError, "dims"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), ArgumentError, "top, bottom"),
        (lambda: layers.UpSampling2D(interpolation="cubic"), ArgumentError, "'bilinear'"),
        (lambda: layers.Concatenate(0), ArgumentError, "batch"),
        (lambda: layers.RandomFlip("diagonal"), ArgumentError, "'horizontal'"),
        (lambda: layers.RandomRotation(2.0), ArgumentError, "from -1 to 1"),
        (lambda: layers.RandomZoom(-1.0), ArgumentError, "above -1"),
        (lambda: layers.RandomTranslation(0.1, 0.1, "mirror"), ArgumentError, "'reflect'"),
        (lambda: layers.RandomContrast(0.1, (1, 0)), ArgumentError, "value_range"),
        (lambda: layers.LayerNormalization("last"), ArgumentError, "axis"),
        (lambda: layers.Input(784), ArgumentError, r"write \(784,\)"),
        (lambda: layers.Input(), ArgumentError, "give either shape"),
        (lambda: layers.Input((0, 3)), ArgumentError, "positive"),
        (lambda: layers.Input((2,), dtype="text"), ArgumentError, "dtype"),
    ],
)
def test_arguments_that_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (
            layers.Conv2D(8, 3, name="c"),
            [(28, 28)],
            r"c: expected images \(N, H, W, C\).*x\[\.\.\., None\]",
        ),
        (layers.Conv2D(8, 3, name="c"), [(784,)], "c: .*Reshape"),
        (layers.Conv2D(8, 3, name="c"), [(28, 28, None)], "c: the number of channels"),
        (layers.Conv2D(8, 3, groups=2, name="c"), [(8, 8, 3)], "c: 3 channels"),
        (layers.Conv2D(8, 5, name="c"), [(4, 4, 1)], "layer 'c'.*padding='same'"),
        (layers.Dense(8, name="d"), [(None,)], "d: the number of numbers.*Input"),
        (layers.MaxPooling2D(name="p"), [(28, 28)], "layer 'p'.*4 axes"),
        (layers.Reshape((5, 5), name="r"), [(24,)], "layer 'r'"),
        (layers.BatchNormalization(axis=4, name="b"), [(4, 4, 2)], "b: axis 4 does not exist"),
        (layers.BatchNormalization(name="b"), [(4, None)], "b: the size of axis -1"),
        (layers.PReLU(name="p"), [(None, 4)], "p: .*shared_axes"),
        (layers.Add(name="a"), [(4, 4, 2), (4, 4, 3)], "layer 'a'.*cannot be merged"),
        (layers.Subtract(name="s"), [(4,), (4,), (4,)], "s: expected two"),
        (layers.Concatenate(name="k"), [(4, 4, 2), (5, 4, 2)], "layer 'k'.*differ along axis -1"),
        (layers.Cropping2D(3, name="x"), [(5, 9, 1)], "layer 'x'"),
        (layers.SpatialDropout2D(0.5, name="s"), [(5,)], "s: expected images"),
        (layers.RandomZoom(0.1, name="z"), [(None, 5, 1)], "z: .*known height"),
        (layers.Dropout(0.5, (None, 3), name="o"), [(4,)], "o: noise_shape"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_inputs_that_do_not_fit(layer, shapes, message):
    g = Tracer(training=True)
    values = [g.input((None, *shape)) for shape in shapes]
    with pytest.raises(ShapeError, match=message):
        trace(layer, g, values)


def trace(layer, g, values):
    with g.scope(layer.name):
        layer.build_for([value.shape for value in values])
        return layer.call(g, *values)


def test_calls_that_cannot_be():
    with pytest.raises(TypeMismatchError, match=r"add: expected a list of tensors"):
        layers.Add()(np.ones((1, 2)))
    with pytest.raises(ShapeError, match="same number of samples"):
        layers.Add()([np.ones((2, 2)), np.ones((3, 2))])
    with pytest.raises(TypeMismatchError, match="array of numbers"):
        layers.ReLU()(np.array(["a"]))
    with pytest.raises(ShapeError, match="single number"):
        layers.ReLU()(np.float32(3))
    with pytest.raises(TypeMismatchError, match="symbolic tensors only or arrays only"):
        layers.Add()([layers.Input((2,)), np.ones((1, 2))])


def of_one_shape(shape, dtype):
    return np.ones((1, 2), dtype)


def test_initialisers_that_do_not_fit():
    wrong = layers.Dense(3, kernel_initializer=np.ones((2, 2)), name="d")
    with pytest.raises(ShapeError, match="d, kernel: Constant"):
        wrong(np.ones((1, 4)))
    wrong = layers.Dense(3, bias_initializer=of_one_shape, name="d")
    with pytest.raises(ShapeError, match="d: the initialiser of bias"):
        wrong(np.ones((1, 4)))
    with pytest.raises(ArgumentError, match="of your own"):
        wrong.get_config()


# What single layers do.


def test_input_shape_is_kept_for_the_first_layer_of_a_model():
    assert layers.Dense(2, input_dim=3).declared_input_shape == (3,)
    assert layers.Conv2D(2, 3, input_shape=(8, 8, 1)).declared_input_shape == (8, 8, 1)


def test_input_layer():
    tensor = layers.Input((28, 28, 1), batch_size=2, dtype="uint8", name="pixels")
    assert tensor.shape == (2, 28, 28, 1)
    assert tensor.dtype == "uint8"
    assert tensor.call.layer.get_config() == {
        "batch_shape": [2, 28, 28, 1],
        "dtype": "uint8",
        "sparse": False,
        "ragged": False,
        "name": "pixels",
        "optional": False,
    }


def test_a_layer_as_activation_brings_its_weights():
    layer = layers.Dense(3, activation=layers.PReLU("ones", name="slopes"), name="d")
    x = np.random.default_rng(0).standard_normal((2, 4))
    linear = x.astype(np.float32) @ layer_kernel(layer, x)
    np.testing.assert_allclose(layer(x), linear, rtol=1e-6)
    assert [w.path for w in layer.weights] == ["d/kernel", "d/bias", "slopes/alpha"]
    assert layers.serialize(layers.deserialize(layers.serialize(layer))) == layers.serialize(layer)


def layer_kernel(layer, x):
    layer(x)
    return layer.get_weights()[0]


def test_a_frozen_batch_normalisation_uses_and_keeps_its_running_statistics():
    x = np.random.default_rng(0).standard_normal((8, 3))
    layer = layers.BatchNormalization(epsilon=1e-9)
    np.testing.assert_allclose(layer(x, training=True).mean(axis=0), 0, atol=1e-6)
    assert [w.trainable for w in layer.weights] == [True, True, False, False]
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), x, rtol=1e-5)
    program, _ = layer._traced([(None, 3)], training=True)
    assert not any(node.updates for node in program.nodes)


def test_a_float64_layer_computes_in_double_precision():
    layer = layers.Conv2D(2, 3, dtype="float64")
    assert layer(np.ones((1, 5, 5, 1), np.float32)).dtype == np.float64
    assert layer.get_config()["dtype"]["config"] == {"name": "float64"}


# Random layers.

RANDOM_CASES = [case for case in CASES if case.kind in RANDOM]


@pytest.mark.parametrize("case", RANDOM_CASES, ids=str)
def test_random_layers_do_nothing_at_inference(case):
    (x,) = inputs_of(case, np.random.default_rng(0))
    np.testing.assert_array_equal(case.make()(x), x.astype(np.float32))


@pytest.mark.parametrize("case", RANDOM_CASES, ids=str)
def test_random_layers_draw_anew_in_each_call_and_repeat_with_the_seed(case):
    x = np.random.default_rng(0).standard_normal((16, *case.shapes[0][1:]))

    def twice():
        utils.clear_session()
        utils.set_random_seed(5)
        layer = case.make()
        return [layer(x, training=True) for _ in range(2)]

    first, second = twice()
    assert not np.array_equal(first, second)
    for before, after in zip((first, second), twice(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("case", RANDOM_CASES, ids=str)
def test_a_seed_of_its_own_decides_alone(case):
    if takes_seed := "seed" in inspect.signature(getattr(layers, case.kind)).parameters:
        arguments = case.arguments | {"seed": 7}
    assert takes_seed
    x = np.random.default_rng(0).standard_normal((4, *case.shapes[0][1:]))
    results = []
    for seed, name in ((1, "a"), (2, "b")):
        utils.set_random_seed(seed)
        layer = getattr(layers, case.kind)(**arguments, name=name)
        results.append(layer(x, training=True))
    np.testing.assert_array_equal(*results)


def test_dropout_keeps_the_mean_and_drops_the_share():
    y = layers.Dropout(0.3)(np.ones((200, 500)), training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs((y == 0).mean() - 0.3) < 0.005
    assert abs(y.mean() - 1) < 0.01
    np.testing.assert_array_equal(layers.Dropout(1.0)(np.ones((2, 3)), training=True), 0)


def test_spatial_dropout_drops_whole_channels():
    y = layers.SpatialDropout2D(0.5)(np.ones((50, 3, 4, 20)), training=True)
    assert (y == y[:, :1, :1]).all()
    assert abs((y[:, 0, 0] == 0).mean() - 0.5) < 0.06


def test_random_flip_flips_half_of_the_images():
    x = np.arange(6.0).reshape(1, 2, 3, 1).repeat(400, axis=0)
    y = layers.RandomFlip("horizontal")(x, training=True)
    flipped = (y == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((y == x).all(axis=(1, 2, 3)) != flipped).all()
    assert 160 < flipped.sum() < 240


def test_random_rotation_by_a_quarter_is_a_rotation_counter_clockwise():
    x = np.random.default_rng(0).standard_normal((3, 5, 5, 2))
    y = layers.RandomRotation((0.25, 0.25))(x, training=True)
    np.testing.assert_allclose(y, np.rot90(x, axes=(1, 2)), atol=1e-5)


def test_random_translation_moves_down_and_to_the_right():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 1))
    layer = layers.RandomTranslation((0.25, 0.25), (0.4, 0.4), fill_mode="wrap")
    np.testing.assert_allclose(layer(x, training=True), np.roll(x, (1, 2), (1, 2)), atol=1e-5)


def test_random_contrast_stays_in_its_range():
    x = np.random.default_rng(0).uniform(0, 255, (20, 4, 4, 3))
    y = layers.RandomContrast((0.0, 1.0))(x, training=True)
    assert y.min() == 0
    assert y.max() == 255
    ratio = layers.RandomContrast((0.5, 0.5), (-1e6, 1e6))(x, training=True).std((1, 2)) / x.std(
        (1, 2)
    )
    assert 0.5 <= ratio.min() < 0.7
    assert 1.3 < ratio.max() <= 1.5
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(3, axis=1), rtol=1e-3)


# Activations.


@pytest.mark.parametrize("name", activations.__all__)
def test_activations_are_found_by_name(name):
    if name in ("get", "serialize", "deserialize"):
        return
    function = activations.get(name)
    assert getattr(activations, name) is function
    assert activations.deserialize(activations.serialize(function)) is function
    assert activations.get(function) is function
    if name != "threshold":
        assert function([-1, 2]).dtype == np.float32
        assert function(np.ones(2)).dtype == np.float64
        x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
        np.testing.assert_array_equal(layers.Activation(function)(x), function(x))


def test_activations_refuse_what_they_do_not_know():
    with pytest.raises(NameLookupError, match="'relu'"):
        activations.get("rulu")
    with pytest.raises(ArgumentError, match="function of your own"):
        activations.get(np.tanh)
    assert activations.get(None) is activations.linear

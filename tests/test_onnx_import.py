"""ONNX files become ordinary models: what PyTorch and Keras exported, and graphs made by hand."""

from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import onnx.shape_inference
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import cli_runner
import pellucid
from pellucid import layers, onnx_backend
from pellucid.errors import ArgumentError, LoadError
from pellucid.formats import load_model

VECTORS = Path(__file__).parent / "vectors" / "onnx"
FILES = sorted(path.stem for path in VECTORS.glob("*.onnx"))
MOVING = (layers.Permute, layers.Reshape)


def vector(name):
    """The model, an input in its own layout, and what the original made of it."""
    model = load_model(VECTORS / f"{name}.onnx")
    with np.load(VECTORS / f"{name}.npz") as recorded:
        image, scores = recorded["image"], recorded["scores"]
    return model, image, scores


def channels_last(model, image):
    return image if image.shape[1:] == model.input_shape[1:] else image.transpose(0, 2, 3, 1)


# What exporters write.


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("name", FILES)
def test_exported_networks_predict_as_the_originals(name, engine, monkeypatch):
    monkeypatch.setenv("PELLUCID_ENGINE", engine)
    model, image, scores = vector(name)
    predicted = model.predict(channels_last(model, image))
    np.testing.assert_allclose(predicted, scores, rtol=1e-4, atol=1e-5 * np.abs(scores).max())


@pytest.mark.parametrize("name", FILES)
def test_the_backend_takes_arrays_in_the_files_own_layout(name):
    _, image, scores = vector(name)
    model = onnx.load(VECTORS / f"{name}.onnx")
    (made,) = onnx_backend.run_model(model, [image])
    np.testing.assert_allclose(made, scores, rtol=1e-4, atol=1e-5 * np.abs(scores).max())


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50", "resnet50_torchscript"])
def test_convolutional_networks_of_pytorch_move_nothing(name):
    model, _, _ = vector(name)
    assert model.input_shape == (None, 32, 32, 3)
    kinds = {type(layer) for layer in model.operations}
    assert not kinds & {*MOVING, layers.OperationLayer}
    assert {layers.Conv2D, layers.Dense} <= kinds
    assert (layers.BatchNormalization in kinds) == (name == "resnet50_torchscript")
    assert all(layer.trainable for layer in model.layers)


def test_a_network_of_keras_loses_what_its_exporter_added():
    """Transposes, casts, and normalisations taken apart to sums and products."""
    model, _, _ = vector("keras_small")
    kinds = [type(layer).__name__ for layer in model.operations]
    assert kinds == [
        *("InputLayer", "Conv2D", "ReLU", "DepthwiseConv2D", "MaxPooling2D", "Activation"),
        *("Concatenate", "Conv2D", "Conv2D", "AveragePooling2D", "Add", "Flatten", "Dense"),
        "Softmax",
    ]
    assert model.layers[3].padding == "same"  # a row and a column of zeros at the end


def test_an_imported_network_trains_and_saves(tmp_path):
    model, image, _ = vector("resnet50_torchscript")
    x = np.repeat(channels_last(model, image), 4, axis=0)
    y = np.arange(8) % 10
    model.compile(
        pellucid.optimizers.SGD(1e-3),
        pellucid.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before = model.get_weights()
    losses = model.fit(x, y, epochs=3, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-6)


def test_a_score_is_followed_to_the_pixels():
    model, image, _ = vector("resnet50")
    x = channels_last(model, image)[:1]
    explained = pellucid.explain(model, x)
    name = model.layers[-1].name
    ledger = explained[f"{name}.output[3]"]
    assert np.isclose(ledger.value, model.predict(x)[0, 3], rtol=1e-4)
    first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
    below = explained[f"{first.name}.output[2,2,1]"].addresses
    assert {address.tensor for address in below} >= {"input", f"{first.name}.kernel"}


# Graphs made by hand.


def graph(nodes, inputs, outputs=("y",), opset=18, **constants):
    """A model of nodes (operator, inputs, outputs, attributes) on inputs of given shapes."""
    made = [
        helper.make_node(op, reads, makes, **attributes) for op, reads, makes, attributes in nodes
    ]
    fed = [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()]
    wanted = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    body = helper.make_graph(made, "g", fed, wanted, held)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def loaded(model, tmp_path, **options):
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    return load_model(path, **options)


def floats(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def names_of(model):
    return [type(layer).__name__ for layer in model.operations]


def compare(model, feeds, tmp_path):
    """The model here against onnx's own evaluator."""
    (expected,) = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    here = loaded(model, tmp_path)
    inputs = [
        x if x.shape[1:] == t.shape[1:] else x.transpose(0, 2, 3, 1)
        for x, t in zip(feeds.values(), here.inputs, strict=True)
    ]
    made = here.predict(inputs if len(inputs) > 1 else inputs[0])
    if made.shape != expected.shape:
        made = made.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
    return here


def test_zeros_before_a_convolution_become_its_padding(tmp_path):
    model = graph(
        [
            ("Pad", ["x", "pads"], ["p"], {}),
            ("Conv", ["p", "w"], ["y"], {"strides": [2, 2]}),
        ],
        {"x": ["N", 2, 6, 7]},
        pads=np.array([0, 0, 1, 2, 0, 0, 0, 1]),
        w=floats(3, 2, 3, 3),
    )
    made = compare(model, {"x": floats(2, 2, 6, 7)}, tmp_path)
    assert names_of(made) == ["InputLayer", "Conv2D"]
    assert made.layers[1].padding == ((1, 0), (2, 1))


def test_rows_of_a_gemm_go_to_where_the_pixels_lie(tmp_path):
    model = graph(
        [
            ("Relu", ["x"], ["r"], {}),
            ("MaxPool", ["r"], ["p"], {"kernel_shape": [2, 2]}),
            ("Reshape", ["p", "shape"], ["f"], {}),
            ("Dropout", ["f"], ["d"], {}),
            ("MatMul", ["d", "w"], ["m"], {}),
            ("Add", ["m", "b"], ["y"], {}),
        ],
        {"x": [1, 3, 4, 5]},
        shape=np.array([1, -1]),
        w=floats(36, 4),
        b=floats(4),
    )
    made = compare(model, {"x": floats(1, 3, 4, 5)}, tmp_path)
    assert names_of(made) == ["InputLayer", "ReLU", "MaxPooling2D", "Flatten", "Dropout", "Dense"]
    assert made.input_shape == (None, 4, 5, 3)  # though the file was written for a batch of 1


def test_a_channel_shuffle_and_a_normalisation_after_it(tmp_path):
    model = graph(
        [
            ("Conv", ["x", "w"], ["c"], {}),
            ("Reshape", ["c", "five"], ["s"], {}),
            ("Transpose", ["s"], ["t"], {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", ["t", "four"], ["u"], {}),
            ("BatchNormalization", ["u", "g", "b", "m", "v"], ["y"], {}),
        ],
        {"x": ["N", 2, 4, 4]},
        w=floats(6, 2, 1, 1),
        five=np.array([0, 2, 3, 4, 4]),
        four=np.array([0, 6, 4, 4]),
        g=floats(6),
        b=floats(6),
        m=floats(6),
        v=np.abs(floats(6)) + 1,
    )
    compare(model, {"x": floats(3, 2, 4, 4)}, tmp_path)


def test_a_shape_worked_out_with_the_batch_in_it(tmp_path):
    model = graph(
        [
            ("Conv", ["x", "w"], ["c"], {}),
            ("Shape", ["c"], ["s"], {}),
            ("Gather", ["s", "zero"], ["n"], {"axis": 0}),
            ("Unsqueeze", ["n", "axis"], ["n1"], {}),
            ("Concat", ["n1", "rest"], ["shape"], {"axis": 0}),
            ("Reshape", ["c", "shape"], ["y"], {}),
        ],
        {"x": ["N", 2, 4, 4]},
        w=floats(6, 2, 1, 1),
        zero=np.array(0),
        axis=np.array([0]),
        rest=np.array([-1]),
    )
    made = compare(model, {"x": floats(3, 2, 4, 4)}, tmp_path)
    assert made.output_shape == (None, 96)


def test_weights_used_twice_stay_two_layers_and_outputs_have_their_order(tmp_path):
    model = graph(
        [
            ("Conv", ["x", "w"], ["a"], {}),
            ("Relu", ["a"], ["y"], {}),
            ("GlobalAveragePool", ["a"], ["z"], {}),
        ],
        {"x": ["N", 2, 4, 4]},
        ("z", "y"),
        w=floats(6, 2, 1, 1),
    )
    made = loaded(model, tmp_path)
    assert [shape[1:] for shape in made.output_shape] == [(1, 1, 6), (4, 4, 6)]


def test_names_are_the_nodes_own(tmp_path):
    model = graph(
        [("Conv", ["x", "w"], ["a"], {"name": "/block.0/conv"}), ("Relu", ["a"], ["y"], {})],
        {"x": ["N", 2, 4, 4]},
        w=floats(6, 2, 1, 1),
    )
    assert [layer.name for layer in loaded(model, tmp_path).layers] == ["x", "block_0_conv", "y"]


def test_everything_that_is_missing_is_named_at_once(tmp_path):
    model = graph(
        [
            ("NonZero", ["x"], ["a"], {"name": "first"}),
            ("Conv", ["x", "w"], ["b"], {"name": "second", "auto_pad": "SOMEHOW"}),
            ("NonZero", ["b"], ["c"], {"name": "third"}),
            ("Softmax", ["b"], ["d"], {"name": "fourth", "temperature": 2}),
            ("MaxPool", ["x"], ["y", "i"], {"name": "fifth", "kernel_shape": [2, 2, 2]}),
        ],
        {"x": ["N", 2, 4, 4]},
        w=floats(6, 2, 1, 1),
    )
    with pytest.raises(LoadError) as caught:
        loaded(model, tmp_path)
    text = str(caught.value)
    assert "NonZero, which is not known here: 'first', 'third'" in text
    assert "Conv 'second': auto_pad='SOMEHOW'" in text
    assert "MaxPool 'fifth'" in text
    assert "fourth" not in text  # it reads what could not be made


def test_an_attribute_that_is_not_known_is_refused(tmp_path):
    model = graph([("Relu", ["x"], ["y"], {"leak": 1.0})], {"x": ["N", 3]})
    with pytest.raises(LoadError, match="its attribute leak is not known"):
        loaded(model, tmp_path)


def test_a_shape_left_open_is_given_by_the_user(tmp_path):
    model = graph(
        [("Conv", ["x", "w"], ["y"], {})], {"x": ["N", 2, "H", "W"]}, w=floats(6, 2, 3, 3)
    )
    with pytest.raises(LoadError, match=r"open: \(\?, 2, \?, \?\).*input_shape"):
        loaded(model, tmp_path)
    assert loaded(model, tmp_path, input_shape=(8, 9, 2)).output_shape == (None, 6, 7, 6)
    with pytest.raises(ArgumentError, match="does not fit the input 'x'"):
        loaded(model, tmp_path, input_shape=(8, 9, 3))


@pytest.mark.parametrize(
    ("opset", "nodes", "constants"),
    [
        (6, [("Clip", ["x"], ["y"], {"min": 0.0, "max": 6.0})], {}),
        (
            11,
            [("Clip", ["x", "low", "high"], ["y"], {})],
            {"low": np.float32(0), "high": np.float32(6)},
        ),
        (7, [("Dropout", ["x"], ["y"], {"ratio": 0.3})], {}),
        (12, [("Dropout", ["x", "ratio"], ["y"], {})], {"ratio": np.float32(0.3)}),
        (10, [("Pad", ["x"], ["y"], {"pads": [0, 0, 1, 0, 0, 0, 0, 2]})], {}),
        (11, [("Pad", ["x", "pads"], ["y"], {})], {"pads": np.array([0, 0, 1, 0, 0, 0, 0, 2])}),
        (9, [("Slice", ["x"], ["y"], {"starts": [1], "ends": [3], "axes": [2]})], {}),
        (
            10,
            [("Slice", ["x", "s", "e", "a"], ["y"], {})],
            {"s": np.array([1]), "e": np.array([3]), "a": np.array([2])},
        ),
        (11, [("Split", ["x"], ["y", "z"], {"axis": 1, "split": [1, 2]})], {}),
        (13, [("Split", ["x", "s"], ["y", "z"], {"axis": 1})], {"s": np.array([1, 2])}),
        (11, [("ReduceSum", ["x"], ["y"], {"axes": [2, 3]})], {}),
        (13, [("ReduceSum", ["x", "a"], ["y"], {})], {"a": np.array([2, 3])}),
        (17, [("ReduceMean", ["x"], ["y"], {"axes": [2, 3], "keepdims": 0})], {}),
        (18, [("ReduceMean", ["x", "a"], ["y"], {})], {"a": np.array([1])}),
        (11, [("Softmax", ["x"], ["y"], {"axis": 3})], {}),
        (13, [("Softmax", ["x"], ["y"], {"axis": 1})], {}),
        (11, [("Unsqueeze", ["x"], ["y"], {"axes": [1]})], {}),
        (13, [("Unsqueeze", ["x", "a"], ["y"], {})], {"a": np.array([1])}),
    ],
)
def test_attributes_that_became_inputs(opset, nodes, constants, tmp_path):
    made = graph(nodes, {"x": ["N", 3, 4, 5]}, opset=opset, **constants)
    made = onnx.shape_inference.infer_shapes(made)
    x = floats(2, 3, 4, 5)
    expected = onnx.reference.ReferenceEvaluator(made).run(None, {"x": x})[0]
    (here,) = onnx_backend.prepare(made).run([x])
    np.testing.assert_allclose(here, expected, rtol=1e-5, atol=1e-6)


def test_a_file_that_insists_on_its_batch_size_keeps_it(tmp_path):
    model = graph(
        [("Reshape", ["x", "shape"], ["y"], {})], {"x": [2, 3, 4]}, shape=np.array([4, 3, 2])
    )
    made = loaded(model, tmp_path)
    assert (made.input_shape, made.output_shape) == ((2, 3, 4), (4, 3, 2))


def test_missing_onnx_says_how_to_install_it(monkeypatch):
    from pellucid.errors import MissingPackageError

    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=r'pip install "pellucid\[onnx\]"'):
        load_model(VECTORS / "resnet50.onnx")


def test_every_command_that_takes_a_model_opens_the_file(tmp_path):
    picture = tmp_path / "cat.png"
    Image.fromarray(np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)).save(picture)
    file = VECTORS / "resnet50.onnx"
    for command in (
        ("summary", file),
        ("plan", file),
        ("predict", file, picture),
        ("filters", file, "--out", tmp_path / "filters.png"),
        ("features", file, picture, "--out", tmp_path / "maps.png"),
        ("explain", picture, "--model", file, "--at", "node_linear.output[3]"),
        ("inspect", file),
    ):
        outcome = cli_runner.run(*command)
        assert outcome.code == 0, (command, outcome.err)
        assert "node_" in outcome.out + outcome.err or command[0] in ("predict", "inspect")

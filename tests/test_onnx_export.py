"""Exported models against two programs that know nothing of Pellucid: ONNX Runtime and ONNX's own
reference evaluator."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid as keras
from cli_runner import run
from layer_cases import CASES
from pellucid import layers
from pellucid.architectures import NAMES, build
from pellucid.errors import ArgumentError, MissingPackageError, NotBuiltError
from pellucid.formats.onnx import export
from pellucid.graph import Tracer, Variable
from pellucid.ops._operation import Case
from pellucid.ops._registry import operations

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NEVER_IN_INFERENCE = {
    *("softmax_cross_entropy", "categorical_cross_entropy", "binary_cross_entropy"),
    *("mean_squared_error", "mean_absolute_error", "huber", "weighted_mean", "l1_l2"),
    *("mean_absolute_percentage_error", "mean_squared_logarithmic_error", "log_cosh"),
    *("kl_divergence", "poisson", "cosine_similarity", "hinge", "categorical_hinge"),
    *("binary_focal_cross_entropy", "categorical_focal_cross_entropy"),
    *("dropout", "flip", "affine_transform", "adjust_contrast"),
}
"""Losses and their kind, and what draws at random: operations of training alone."""


def run_onnxruntime(proto: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(zip((i.name for i in proto.graph.input), arrays, strict=True)))


def run_evaluator(proto: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    names = [i.name for i in proto.graph.input]
    return ReferenceEvaluator(proto).run(None, dict(zip(names, arrays, strict=True)))


def wrong_in_evaluator(node: Any) -> bool:
    """Whether ONNX's evaluator is known to be wrong about a node: it splits the kernel of a grouped
    ConvTranspose by outputs, and its LRN covers as many channels as there are samples."""
    groups = [a.i for a in node.attribute if a.name == "group"]
    return node.op_type == "LRN" or (node.op_type == "ConvTranspose" and groups not in ([], [1]))


def check(proto: Any, arrays: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Require the outputs to be within 1e-5 of the largest of their numbers, in both programs."""
    onnx.checker.check_model(proto, full_check=True)
    known_wrong = any(map(wrong_in_evaluator, proto.graph.node))
    for runner in (run_onnxruntime,) if known_wrong else (run_onnxruntime, run_evaluator):
        for found, wanted in zip(runner(proto, arrays), expected, strict=True):
            assert found.shape == wanted.shape
            scale = float(np.abs(wanted).max(initial=1e-6))
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * scale, err_msg=runner)


def kinds(proto: Any) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def model_of(case: Any) -> tuple[keras.Model, list[np.ndarray]]:
    """A model of one layer, with weights that are not those it starts with, and inputs for it."""
    keras.utils.clear_session()
    inputs = [keras.Input(shape[1:]) for shape in case.shapes]
    model = keras.Model(inputs, case.make()(inputs if len(inputs) > 1 else inputs[0]))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, weight.shape) for weight in model.get_weights()])
    return model, [rng.standard_normal(shape).astype("f4") for shape in case.shapes]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer_is_the_same_elsewhere(case: Any) -> None:
    model, arrays = model_of(case)
    expected = [model(arrays if len(arrays) > 1 else arrays[0])]
    check(export.to_onnx(model), arrays, expected)


@pytest.mark.parametrize("opset", [13, 15, 20, 26])
def test_every_layer_can_be_written_for_other_opsets(opset: int) -> None:
    for case in CASES:
        model, arrays = model_of(case)
        proto = export.to_onnx(model, opset_version=opset)
        assert [(o.domain, o.version) for o in proto.opset_import] == [("", opset)]
        (found,) = run_onnxruntime(proto, arrays)
        expected = model(arrays if len(arrays) > 1 else arrays[0])
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


# Operations, by their own cases.

ONNX_CASES = [
    pytest.param(case, id=f"{name}-{i}")
    for name, operation in operations().items()
    if name not in NEVER_IN_INFERENCE
    for i, case in enumerate(operation.cases())
]


def test_every_operation_of_inference_has_a_rule() -> None:
    assert set(operations()) - set(export.RULES) == NEVER_IN_INFERENCE


def program_of(case: Case, arrays: list[np.ndarray | None]) -> Any:
    """The operation alone: its tensors are fed in, what a layer would own is a weight."""
    g = Tracer()
    values, inputs = [], []
    for name, array in zip(case.op.input_names(len(arrays)), arrays, strict=True):
        if array is None:
            values.append(None)
        elif name.rstrip("0123456789") == "x":
            inputs.append(g.input((None, *array.shape[1:]), name))
            values.append(inputs[-1])
        else:
            values.append(g.weight(Variable(array, name)))
    return g.program(inputs, [g.apply(case.op, *values)])


@pytest.mark.parametrize("case", ONNX_CASES)
def test_every_case_of_every_operation_is_the_same_elsewhere(case: Case) -> None:
    arrays = [
        None if array is None else array.astype("f4")
        for array in case.inputs(np.random.default_rng(0))
    ]
    program = program_of(case, arrays)
    names = [value.name for value in program.inputs]
    given = dict(zip(case.op.input_names(len(arrays)), arrays, strict=True))
    fed = [given[name] for name in names]
    proto = export.program_to_onnx(program, case.op.name, names, ["y"])
    check(proto, fed, [case.op.forward(*arrays)])


# Whole models.


@pytest.mark.parametrize("name", NAMES)
def test_architectures_are_the_same_elsewhere(name: str) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = build(name, (32, 32, 3), 5)
    x = np.random.default_rng(0).random((2, 32, 32, 3), "f4")
    check(export.to_onnx(model), [x], [model.predict(x, verbose=0)])


def test_images_are_transposed_at_the_borders_alone() -> None:
    image = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    y = layers.BatchNormalization()(layers.MaxPooling2D()(x))
    y = layers.UpSampling2D()(layers.ZeroPadding2D(1)(y))
    y = layers.Concatenate()([layers.Cropping2D(((1, 2), (2, 1)))(y), x])
    y = layers.Multiply()([y, layers.GlobalAveragePooling2D()(y)])
    y = layers.Softmax()(layers.PReLU()(layers.Rescaling((0.5,) * 8)(y)))
    found = kinds(export.to_onnx(keras.Model(image, y)))
    assert found.count("Transpose") == 2
    assert found[0] == found[-1] == "Transpose"


def test_permutations_cancel() -> None:
    image = keras.Input((3, 8, 8))
    x = layers.Conv2D(4, 3)(layers.Permute((2, 3, 1))(image))
    model = keras.Model(image, layers.Permute((3, 1, 2))(layers.ReLU()(x)))
    proto = export.to_onnx(model)
    assert kinds(proto) == ["Conv", "Relu"]
    x = np.random.default_rng(0).random((2, 3, 8, 8), "f4")
    check(proto, [x], [model.predict(x, verbose=0)])


def branched() -> keras.Model:
    """Two inputs, one of them of bytes; a shared layer, a nested model, outputs of all kinds."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    left, right = keras.Input((8, 8, 2), name="left"), keras.Input((8, 8, 2), dtype="uint8")
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    inner = keras.Input((8, 8, 2))
    block = keras.Model(inner, layers.ReLU()(layers.Conv2D(2, 1)(inner)), name="block")
    a, b = shared(left), shared(layers.Rescaling(1 / 255)(right))
    both = layers.Add(name="both")([block(a), block(b)])
    return keras.Model([left, right], [both, layers.Dropout(0.5)(both), left, both], name="twins")


def test_inputs_outputs_layers_and_weights_keep_their_names() -> None:
    model = branched()
    proto = export.to_onnx(model)
    graph = proto.graph
    assert [i.name for i in graph.input] == model.input_names
    assert [o.name for o in graph.output] == ["both", "dropout", "left_1", "both_1"]
    assert {"shared/Conv", "block/conv2d/Conv", "both/Add"} <= {node.name for node in graph.node}
    assert {"shared/kernel", "shared/bias"} <= {i.name for i in graph.initializer}
    assert len([i for i in graph.initializer if "kernel" in i.name]) == 2
    sizes = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", 8, 8, 2]
    assert graph.input[1].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert (graph.name, proto.producer_name) == ("twins", "pellucid")
    assert proto.producer_version == keras.__version__
    rng = np.random.default_rng(0)
    arrays = [rng.random((3, 8, 8, 2), "f4"), rng.integers(0, 256, (3, 8, 8, 2), "u1")]
    check(proto, arrays, model.predict(arrays, verbose=0))


def test_shapes_can_be_fixed() -> None:
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, padding="same")])
    (declared,) = export.to_onnx(model, [keras.Input((6, 5, 1), 4)]).graph.input
    assert [d.dim_value for d in declared.type.tensor_type.shape.dim] == [4, 6, 5, 1]
    x = np.random.default_rng(0).random((1, 8, 8, 1), "f4")
    check(export.to_onnx(model, (1, 8, 8, 1)), [x], [model.predict(x, verbose=0)])
    for wrong in [(8, 8, 1), [(1, 8, 8, 1)] * 2, "8"]:
        with pytest.raises(ArgumentError, match="input_signature"):
            export.to_onnx(model, wrong)


# Files.


def test_a_file_is_written_and_says_how_its_pictures_were_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.preprocessing = {"kind": "table", "class_names": ["cat", "dög"]}
    model.export(tmp_path / "m.onnx")
    assert not capsys.readouterr().out
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    meta = session.get_modelmeta()
    assert json.loads(meta.custom_metadata_map["class_names"]) == ["cat", "dög"]
    assert json.loads(meta.custom_metadata_map["preprocessing"]) == model.preprocessing
    x = np.random.default_rng(0).random((5, 4), "f4")
    (found,) = session.run(None, {model.input_names[0]: x})
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5)
    model.export(str(tmp_path / "n.onnx"), verbose=True)
    assert "n.onnx" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "n.onnx"]


def test_the_command_line_exports(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    assert run("export", tmp_path / "m.keras").code == 0
    found = run("export", tmp_path / "m.keras", "-o", tmp_path / "n.onnx", "--batch-size", 2,
                "--opset", 15, "--json")  # fmt: skip
    assert json.loads(found.out)["bytes"] == (tmp_path / "n.onnx").stat().st_size
    dims = [
        onnx.load(tmp_path / name).graph.input[0].type.tensor_type.shape.dim[0]
        for name in ("m.onnx", "n.onnx")
    ]
    assert (dims[0].dim_param, dims[1].dim_value) == ("batch", 2)


def test_what_cannot_be_exported_is_refused_and_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"earlier")
    image = keras.Input((4, 4, 1))
    noisy = layers.RandomFlip(name="mirror")(image, training=True)
    model = keras.Model(image, layers.Dropout(0.5, name="drop")(noisy, training=True))
    with pytest.raises(ArgumentError, match=r"flip \(layers: mirror\); dropout \(layers: drop\)"):
        model.export(path)
    good = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ArgumentError, match="'tf_saved_model'"):
        good.export(path, format="tf_saved_model")
    with pytest.raises(ArgumentError, match=r"from 13 to .*received 7"):
        good.export(path, opset_version=7)
    monkeypatch.setattr(export, "LARGEST", 2**20)
    with pytest.raises(ArgumentError, match="room for 2 GiB"):
        good.export(path)
    with pytest.raises(NotBuiltError):
        keras.Sequential([layers.Dense(2)]).export(path)
    assert path.read_bytes() == b"earlier"


def test_without_onnx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(MissingPackageError, match=r'pip install "pellucid\[onnx\]"'):
        model.export("m.onnx")

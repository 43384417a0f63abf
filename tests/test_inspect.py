"""`pellucid inspect`: what each kind of file holds, told without running anything in it."""

import json
import pickle
import zipfile

import numpy as np
import pytest

import pellucid
from cli_runner import run
from oracle.saved_models import FOLDER
from pellucid import layers
from pellucid.errors import LoadError
from pellucid.formats._safetensors import write_safetensors
from pellucid.formats.inspection import StoredArray, inspect_file, measured


def inspected(path):
    found = run("inspect", path, "--json")
    assert found.code == 0, found.err
    return json.loads(found.out)


def by_name(answer):
    return {array["name"]: array for array in answer["arrays"]}


@pytest.fixture
def network():
    pellucid.utils.clear_session()
    model = pellucid.Sequential(
        [
            pellucid.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="edges"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="scores"),
        ],
        name="digits",
    )
    model.compile("adam", "categorical_crossentropy")
    kernel, bias = model.get_layer("edges").get_weights()
    kernel[0, 0, 0] = [np.nan, np.inf]
    model.get_layer("edges").set_weights([kernel, bias])
    return model


WEIGHTS = {
    "edges/kernel": [3, 3, 1, 2],
    "edges/bias": [2],
    "batch_normalization/gamma": [2],
    "batch_normalization/beta": [2],
    "batch_normalization/moving_mean": [2],
    "batch_normalization/moving_variance": [2],
    "scores/kernel": [72, 3],
    "scores/bias": [3],
}


def test_a_keras_file(network, tmp_path):
    network.save(tmp_path / "m.keras")
    answer = inspected(tmp_path / "m.keras")
    assert answer["kind"] == "keras"
    assert answer["facts"]["written by"].startswith("Pellucid, in the format of Keras 3")
    assert answer["facts"]["model"] == "Sequential digits"
    assert answer["facts"]["optimizer"] == "Adam"
    assert answer["parameters"] == network.count_params()
    assert [layer["type"] for layer in answer["layers"]][1:] == [
        "Conv2D",
        "BatchNormalization",
        "Flatten",
        "Dense",
    ]
    weights = {a["name"]: a["shape"] for a in answer["arrays"] if not a["optimizer"]}
    assert list(weights.items()) == list(WEIGHTS.items())
    kernel = by_name(answer)["edges/kernel"]
    values = network.get_layer("edges").get_weights()[0]
    finite = values[np.isfinite(values)].astype(np.float64)
    assert kernel["non_finite"] == 2
    assert kernel["mean"] == pytest.approx(finite.mean())
    assert (kernel["low"], kernel["high"]) == (finite.min(), finite.max())
    assert by_name(answer)["edges/bias"]["zeros"] == 2


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".npz"])
def test_weights_alone(network, tmp_path, ending):
    path = tmp_path / f"m{ending}"
    network.save_weights(path)
    answer = inspected(path)
    assert answer["parameters"] == network.count_params()
    shapes = sorted(a["shape"] for a in answer["arrays"] if not a["optimizer"])
    assert shapes == sorted(WEIGHTS.values())


@pytest.mark.parametrize("file", ["keras2_graph.h5", "keras2_graph_weights.h5"])
def test_a_legacy_file(file):
    answer = inspected(FOLDER / file)
    assert answer["facts"]["written by"] == "Keras 2.18.0"
    arrays = by_name(answer)
    assert arrays["shared/kernel"]["shape"] == [3, 3, 2, 2]
    assert arrays["block/in/bias"]["dtype"] == "float32"
    if file == "keras2_graph.h5":
        assert {"name": "pool/one", "type": "Conv2D"} in answer["layers"]
        assert answer["facts"]["loss"] == "mse, mae"


def test_pytorchs_names_are_in_the_order_of_their_numbers():
    answer = inspected(FOLDER / "torch_depthwise.safetensors")
    names = [array["name"] for array in answer["arrays"] if array["name"].endswith("weight")]
    assert names.index("2.weight") < names.index("11.weight")


def test_bfloat16_is_told(tmp_path):
    data = write_safetensors({"a": np.array([0x3F80, 0xFF80], "u2")}, {}).replace(b"U16", b"BF16")
    (tmp_path / "m.safetensors").write_bytes(len(data[8:-4]).to_bytes(8, "little") + data[8:])
    (array,) = inspected(tmp_path / "m.safetensors")["arrays"]
    assert (array["dtype"], array["high"], array["non_finite"]) == ("bfloat16", 1.0, 1)


def test_an_onnx_file(network, tmp_path):
    path = tmp_path / "m.onnx"
    network.export(path)
    answer = inspected(path)
    assert answer["kind"] == "onnx"
    assert answer["facts"]["written by"] == f"pellucid {pellucid.__version__}"
    assert answer["facts"]["inputs"].endswith("(batch, 8, 8, 1)")
    assert {"Conv", "Gemm", "Softmax"} <= {layer["type"] for layer in answer["layers"]}
    assert [2, 1, 3, 3] in [array["shape"] for array in answer["arrays"]]
    assert any(array["non_finite"] for array in answer["arrays"])


def test_arrays_of_an_onnx_file_in_another_file_are_left_there(tmp_path, monkeypatch):
    import onnx

    tensor = onnx.TensorProto(name="w", dims=[4], data_type=1, data_location=1)
    tensor.external_data.add(key="location", value="/etc/passwd")
    node = onnx.helper.make_node("Unheard", ["w"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [], [tensor])
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    (array,) = inspected(path)["arrays"]
    assert "mean" not in array
    assert "in another" in run("inspect", path).out


class Evil:
    def __reduce__(self):
        return (eval, ("1/0",))


def checkpoint(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
        archive.writestr("archive/data/0", bytes(64))


OTHERS = {
    "m.pt": (checkpoint, "pytorch", "save_file"),
    "m.pkl": (lambda p: p.write_bytes(pickle.dumps(Evil())), "pickle", "would run code"),
    "m.npy": (lambda p: np.save(p, np.ones(3)), "npy", ""),
    "m.txt": (lambda p: p.write_text("hello"), "text", ""),
    "m.tflite": (lambda p: p.write_bytes(bytes(4) + b"TFL3" + bytes(9)), "tflite", "Lite"),
    "m.gz": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(9)), "gzip", ""),
    "m.png": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n"), "picture", ""),
    "m.bin": (lambda p: p.write_bytes(bytes(range(256))), "unknown", ""),
    "empty": (lambda p: p.write_bytes(b""), "unknown", ""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_files_it_is_said_what_they_seem_to_be(tmp_path, name):
    make, kind, advice = OTHERS[name]
    make(tmp_path / name)
    answer = inspected(tmp_path / name)
    assert answer["kind"] == kind
    assert advice in answer["advice"]
    assert answer["arrays"] == []
    with pytest.raises(LoadError):
        pellucid.load_model(tmp_path / name)
    model = pellucid.Sequential([pellucid.Input((3,)), layers.Dense(1)])
    with pytest.raises(LoadError):
        model.load_weights(tmp_path / name)


def test_a_saved_model_is_a_folder(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert inspected(tmp_path)["kind"] == "savedmodel"


def test_broken_files_give_one_error(tmp_path, network):
    good = {}
    for ending in (".keras", ".weights.h5", ".safetensors", ".npz"):
        path = tmp_path / f"m{ending}"
        (network.save if ending == ".keras" else network.save_weights)(path)
        good[ending] = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged"
    for data in good.values():
        for attempt in range(40):
            damaged = data.copy()
            places = rng.integers(0, len(data), 1 + attempt % 20)
            damaged[places] = rng.integers(0, 256, len(places))
            path.write_bytes(damaged.tobytes())
            try:
                for array in inspect_file(path).arrays:
                    measured(array)
            except LoadError:
                pass


def test_what_a_file_says_gives_the_terminal_no_orders(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    name = "\x1b[31mfc\x1b]0;title\x07.weight[bold]"
    path = tmp_path / "m.safetensors"
    path.write_bytes(write_safetensors({name: np.ones(2, "f4")}, {"\x1b[2J": "\x1b[2J"}))
    found = run("inspect", path)
    assert "\x1b" not in found.out
    assert "fc" in found.out
    assert "[bold]" in found.out


def test_it_fits_80_columns(network, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    network.save(tmp_path / "m.keras")
    monkeypatch.chdir(tmp_path)
    found = run("inspect", "m.keras")
    assert found.code == 0
    lines = found.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split(maxsplit=1)[1].startswith("m.keras, ")
    assert "NaN or infinite: 2 of the 18 numbers of edges/kernel" in found.out


def test_large_arrays_are_measured_part_by_part():
    values = np.zeros(3_000_001, "f4")
    values[::3], values[-1] = 3.4e38, np.nan
    found = measured(StoredArray("a", values.shape, "float32", lambda: values))
    assert found.non_finite == 1
    assert found.zeros == 2_000_000
    assert found.mean == pytest.approx(values[:-1].astype(np.float64).mean())

"""Every published vulnerability in loading Keras' files, 2024 to 2026, as a file: refused.

Each attack is put into a `.keras` file and into a legacy `.h5` file, or into the HDF5 weights of
both and of a `.weights.h5` file. The names of the cases are those of the reports. No file runs
code, opens another file or a socket, imports a module, or makes the reader take much memory.

Attacks on Keras' own commands (archives that `get_file` unpacks: CVE-2024-55459, CVE-2025-12060,
CVE-2025-12638; its file editor) have no counterpart here, except where a model file could call
them.
"""

import base64
import io
import json
import marshal
import pickle
import zipfile

import h5py
import numpy as np
import pytest

import pellucid
from hostile import packed, refused
from oracle.saved_models import FOLDER
from pellucid.errors import NameLookupError, PellucidError
from pellucid.formats import load_model, load_weights

KERAS, LEGACY = FOLDER / "keras_sequential.keras", FOLDER / "keras2_graph.h5"
BYTECODE = base64.b64encode(marshal.dumps((lambda x: x).__code__)).decode()
KERNEL = {".keras": "layers/dense/vars/0", ".h5": "model_weights/classes/classes/kernel:0"}


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """What the readers import, they import before the first hostile file."""
    load_model(KERAS)
    load_model(LEGACY)
    load_weights(load_model(LEGACY), FOLDER / "keras2_graph_weights.h5")


class Evil:
    def __reduce__(self):
        return (eval, ("__import__('os').system('true')",))


def layer(kind, config, module="keras.layers", registered_name=None):
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": "evil", "trainable": True, "dtype": "float32", **config},
        "registered_name": registered_name,
        "name": "evil",
    }


def function(module, name):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def calling(module, name, **arguments):
    """A Lambda layer that calls a function which the file names."""
    return layer("Lambda", {"function": function(module, name), "arguments": arguments})


LAMBDA = {"class_name": "__lambda__", "config": {"code": BYTECODE, "defaults": None}}
PICKLE = base64.b64encode(pickle.dumps(Evil())).decode()
URL = "http://169.254.169.254/latest/meta-data"

LAYERS = {
    "CVE-2024-3660 bytecode in a Lambda": layer("Lambda", {"function": LAMBDA}),
    "CVE-2025-9905 bytecode as Keras 2 wrote it": layer(
        "Lambda",
        {"function": [BYTECODE, None, None], "function_type": "lambda", "module": "__main__"},
    ),
    "CVE-2025-1550 a function of any module": calling("os", "system", command="true"),
    "CVE-2025-1550 a class of any module": layer("Popen", {"args": "true"}, module="subprocess"),
    "CVE-2025-1550 a function as an activation": layer(
        "Dense", {"units": 1, "activation": function("os", "abort")}
    ),
    "CVE-2025-8747 a function of Keras that downloads": calling(
        "keras.utils", "get_file", fname="/tmp/evil", origin=URL, extract=True
    ),
    "CVE-2025-8747 a function of Keras that loads": calling(
        "keras.models", "load_model", filepath="/tmp/evil.keras", safe_mode=False
    ),
    "CVE-2025-9906 switching safety off": calling("keras.config", "enable_unsafe_deserialization"),
    "CVE-2025-9906 switching safety off as a layer": layer(
        "enable_unsafe_deserialization", {}, module="keras.config"
    ),
    "CVE-2025-49655 a pickle in a TorchModuleWrapper": layer(
        "TorchModuleWrapper", {"module": PICKLE}, module="keras.utils"
    ),
    "CVE-2025-12058 a local file as a vocabulary": layer(
        "StringLookup", {"vocabulary": "/etc/passwd", "mask_token": None}
    ),
    "CVE-2025-12058 a URL as a vocabulary": layer("IntegerLookup", {"vocabulary": URL}),
    "CVE-2025-12058 a file:// as a vocabulary": layer(
        "TextVectorization", {"vocabulary": "file:///etc/passwd"}
    ),
    "CVE-2026-1462 a path to a SavedModel": layer(
        "TFSMLayer", {"filepath": "/tmp/evil", "call_endpoint": "serve"}
    ),
    "CVE-2026-12479 a layer's name that is a path": layer(
        "Dense", {"name": "../../../tmp/evil", "units": 1}
    ),
    "custom object": layer("Mine", {}, module="mine.layers", registered_name="mine>Mine"),
    "custom object under a known name": layer("Dense", {"units": 1}, registered_name="mine>Dense"),
    "subclassed model": layer("Mine", {}, module="mine", registered_name="mine>Mine"),
    "TensorFlow's operation": layer("TFOpLambda", {"function": "io.read_file"}),
    "TensorFlow's graph": layer("TensorFlowOpLayer", {"node_def": "ReadFile", "constants": {}}),
    "StaticHashTable": layer("Hashing", {"num_bins": 1 << 60}),
}


def keras_file(config=None, weights=None):
    with zipfile.ZipFile(KERAS) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if config is not None:
        content["config.json"] = json.dumps(config(json.loads(content["config.json"]))).encode()
    if weights is not None:
        content["model.weights.h5"] = changed(content["model.weights.h5"], weights)
    return packed(content)


def changed(data, change):
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def legacy_file(config=None, weights=None):
    def change(file):
        if config is not None:
            model = config(json.loads(file.attrs["model_config"]))
            file.attrs["model_config"] = json.dumps(model).encode()
        if weights is not None:
            weights(file)

    return changed(LEGACY.read_bytes(), change)


MAKE = {".keras": keras_file, ".h5": legacy_file}


def with_layer(evil):
    def change(config):
        # In a graph the layer has a place; a Sequential takes it as the next.
        graph = config["class_name"] == "Functional"
        nodes = {"inbound_nodes": [[["left", 0, 0, {}]]]} if graph else {}
        config["config"]["layers"].append(evil | nodes)
        return config

    return change


@pytest.mark.parametrize("ending", MAKE)
@pytest.mark.parametrize("attack", LAYERS)
def test_in_the_configuration(tmp_path, ending, attack):
    path = tmp_path / f"m{ending}"
    path.write_bytes(MAKE[ending](config=with_layer(LAYERS[attack])))
    refused(path, "code|not known|unknown|someone's own|TensorFlow itself|text without '/'")


@pytest.mark.parametrize("ending", MAKE)
@pytest.mark.parametrize("attack", LAYERS)
def test_as_the_whole_model(tmp_path, ending, attack):
    path = tmp_path / f"m{ending}"
    path.write_bytes(MAKE[ending](config=lambda _: LAYERS[attack]))
    refused(path, "code|not known|someone's own|Expected a Sequential|text without '/'")


COMPILING = {
    "CVE-2025-1550 a function as a loss": {"loss": function("os", "abort")},
    "CVE-2025-1550 a function as a metric": {"metrics": [function("os", "abort")]},
    "a class as a metric": {"metrics": [{"class_name": "Popen", "config": {"args": "true"}}]},
    "a wrapped function as a metric": {
        "metrics": [{"class_name": "MeanMetricWrapper", "config": {"fn": "os.abort"}}]
    },
    "a pickle as a loss": {"loss": {"class_name": "__bytes__", "config": {"value": PICKLE}}},
}


@pytest.mark.parametrize("attack", COMPILING)
@pytest.mark.parametrize("ending", MAKE)
def test_in_what_it_was_compiled_with(tmp_path, ending, attack):
    path = tmp_path / f"m{ending}"

    def keras(config):
        config["compile_config"].update(COMPILING[attack])
        return config

    def legacy(file):
        training = json.loads(file.attrs["training_config"]) | COMPILING[attack]
        file.attrs["training_config"] = json.dumps(training).encode()

    made = keras_file(config=keras) if ending == ".keras" else legacy_file(weights=legacy)
    path.write_bytes(made)
    refused(path, "compile=False")


# The weights.


def replaced(**options):
    def change(file, name):
        del file[name]
        file.create_dataset(name, **options)

    return change


def linked(link):
    def change(file, name):
        del file[name]
        file[name] = link

    return change


def virtual(file, name):
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset(name, layout)


SHAPE_BOMB = {"shape": (1 << 30, 1 << 30), "dtype": "f4"}
HDF5 = {
    "CVE-2026-0897 a shape beyond all memory": replaced(**SHAPE_BOMB),
    "CVE-2026-0897 the same, compressed": replaced(
        **SHAPE_BOMB, chunks=(1 << 10, 1 << 10), compression="gzip"
    ),
    "a shape whose size wraps around": replaced(shape=(1 << 62, 4), dtype="f4"),
    "CVE-2026-1669 data in another file": replaced(
        shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)]
    ),
    "CVE-2026-1669 a link into another file": linked(h5py.ExternalLink("/etc/passwd", "/x")),
    "CVE-2026-1669 a link out of its group": linked(h5py.SoftLink("/layers")),
    "CVE-2026-1669 a virtual array": virtual,
    "text for numbers": replaced(data=np.array([b"x"])),
    "objects for numbers": replaced(shape=(2,), dtype=h5py.vlen_dtype(np.float32)),
    "references for numbers": replaced(shape=(2,), dtype=h5py.ref_dtype),
}


@pytest.mark.parametrize("ending", MAKE)
@pytest.mark.parametrize("attack", HDF5)
def test_in_the_weights(tmp_path, ending, attack):
    path = tmp_path / f"m{ending}"
    path.write_bytes(MAKE[ending](weights=lambda file: HDF5[attack](file, KERNEL[ending])))
    refused(path, KERNEL[ending].rpartition("/")[0])


@pytest.mark.parametrize("attack", HDF5)
@pytest.mark.parametrize("legacy", [False, True])
def test_in_a_file_of_weights(tmp_path, attack, legacy):
    if legacy:
        model, data = load_model(LEGACY), (FOLDER / "keras2_graph_weights.h5").read_bytes()
        name = KERNEL[".h5"].partition("/")[2]
    else:
        model, name = load_model(KERAS), KERNEL[".keras"]
        with zipfile.ZipFile(KERAS) as archive:
            data = archive.read("model.weights.h5")
    path = tmp_path / "m.weights.h5"
    path.write_bytes(changed(data, lambda file: HDF5[attack](file, name)))
    refused(path, name.rpartition("/")[0], lambda file: load_weights(model, file))


def texts(group, **attributes):
    def change(file):
        for name, value in attributes.items():
            del file[group].attrs[name]
            file[group].attrs[name] = value

    return change


def names_of_no_weights(file):
    file["model_weights/classes"].attrs["weight_names"] = ["../../optimizer_weights/SGD/iter:0"]


def repeated_text(file):
    """A long text in the heap, and thousands of references to it."""
    group = file["model_weights"]
    kind = h5py.string_dtype()
    names = np.array(["x" * 60_000] + [""] * 3000, dtype=object)
    del group.attrs["layer_names"]
    group.attrs.create("layer_names", names, dtype=kind)
    file.flush()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.attrs.pop("model_config"), "holds weights, but not the model"),
        (texts("/", model_config=b"{"), "not valid JSON"),
        (texts("/", model_config=b"[]"), "Expected a Sequential or Functional"),
        (texts("/", model_config=["a", "b"]), "is a list of texts"),
        (texts("/", model_config=np.arange(3)), "is not text"),
        (texts("/", model_config=h5py.Empty("f4")), "has no value"),
        (texts("/", model_config=b"\xff\xfe"), "utf-8"),
        (texts("/", training_config=b"nonsense"), "not valid JSON"),
        (texts("model_weights", layer_names="shared"), "is not a list"),
        (texts("model_weights", layer_names=["nowhere"]), "'model_weights/nowhere' has no list"),
        (texts("model_weights", layer_names=["A", "A"]), "lists a layer twice"),
        (texts("model_weights", layer_names=np.arange(9.0)), "is not text"),
        (texts("model_weights/A", weight_names=["A/kernel:0"]), "holds 1 weights; A has 2"),
        (texts("model_weights/A", weight_names=["A/x", "A/y"]), "that it does not hold"),
        (names_of_no_weights, "that it does not hold"),
        (lambda f: f["model_weights"].attrs.pop("layer_names"), "has no list of layer_names"),
        (lambda f: f.pop("model_weights"), "was declared, 36 numbers, but the file holds only"),
        (repeated_text, "weights of 1 layers|has no list of|more than the whole file"),
    ],
)
def test_in_the_texts_of_a_legacy_file(tmp_path, change, match):
    path = tmp_path / "m.h5"
    path.write_bytes(legacy_file(weights=change))
    refused(path, match)


def with_nodes(nodes):
    def change(config):
        config["config"]["layers"][-1]["inbound_nodes"] = nodes
        return config

    return change


@pytest.mark.parametrize(
    "nodes",
    [
        "x",
        [None],
        [[["nowhere", 0, 0, {}]]],
        [[["joined", 99, 0, {}]]],
        [[["joined", -1, 0, {}]]],
        [[["joined", 0, 5, {}]]],
        [[["joined", "0", 0, {}]]],
        [[["joined", 0]]],
        [[[["joined"], 0, 0, {}]]],
        [[["joined", 0, 0, {"training": "os.system"}]]],
        [[["joined", 0, 0, {"y": 2.0}]]],
        [[["maps", 0, 0, {}]]],
        [["_CONSTANT_VALUE", -1, "/etc/passwd", {}]],
        {"a": 1},
    ],
    ids=repr,
)
def test_in_the_graph_of_a_legacy_file(tmp_path, nodes):
    path = tmp_path / "m.h5"
    path.write_bytes(legacy_file(config=with_nodes(nodes)))
    refused(path, "m.h5")


@pytest.mark.parametrize("depth", [100, 100_000])
def test_legacy_models_inside_models(tmp_path, depth):
    text = '{"class_name": "Sequential", "config": {"name": "m", "layers": [' * depth
    text += "]}}" * depth
    path = tmp_path / "m.h5"
    path.write_bytes(legacy_file(weights=texts("/", model_config=text.encode())))
    refused(path, "m.h5")


def test_damaged_legacy_files_give_one_error(tmp_path):
    good = np.frombuffer(LEGACY.read_bytes(), np.uint8)
    rng = np.random.default_rng(5)
    refusals = 0
    path = tmp_path / "m.h5"
    for attempt in range(100):
        damaged = good.copy()
        places = rng.integers(0, len(good), 1 + attempt % 40)
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        try:
            load_model(path, compile=False)
        except pellucid.errors.LoadError:
            refusals += 1
    assert refusals > 20


# What is not a file.


@pytest.mark.parametrize("attack", [name for name in LAYERS if "Dense" not in str(LAYERS[name])])
def test_cve_2026_12481_a_configuration_that_is_not_in_a_file(attack):
    """Keras' guard was not there when a layer was made directly."""
    for make in (pellucid.layers.deserialize, pellucid.Sequential.from_config):
        config = LAYERS[attack]
        config = config if make is pellucid.layers.deserialize else {"layers": [config]}
        with pytest.raises(PellucidError) as caught:
            make(config)
        assert isinstance(caught.value, NameLookupError)


# Arrays by name.


def npz(members, compression=zipfile.ZIP_STORED):
    return packed(members, compression)


def npy(header, data=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(**changes):
    return {"fc.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes}


FINE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824, 1073741824), }"
OBJECT = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
SOME = bytes(24)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (npz({"fc.weight.npy": npy(OBJECT, pickle.dumps([Evil()]))}), "would run code"),
        (npz({"fc.weight.npy": npy(HUGE)}), "is not the 0 bytes"),
        (npz({"a.npy": bytes(64 << 20)}, zipfile.ZIP_DEFLATED), "would unpack to more than"),
        (npz({"../a.npy": npy(FINE, bytes(4))}), "leads out of it"),
        (pickle.dumps(Evil()), "holds Python objects"),
        (npz({"archive/data.pkl": pickle.dumps(Evil())}), r"safetensors\.torch\.save_file"),
        (safetensors(entry()), "lists 24 bytes of arrays and holds 0"),
        (safetensors(entry(), SOME + b"x"), "lists 24 bytes of arrays and holds 25"),
        (safetensors(entry(shape=[1 << 40, 1 << 40]), SOME), "declares"),
        (safetensors(entry(shape=[-2, -3]), SOME), "no shape"),
        (safetensors(entry(shape=[1 << 70]), SOME), "no shape"),
        (safetensors(entry(shape=[True, 6]), SOME), "no shape"),
        (safetensors(entry(data_offsets=[0, 1 << 60]), SOME), "declares 24 bytes"),
        (safetensors(entry(data_offsets=[24, 0]), SOME), "declares 24 bytes"),
        (safetensors(entry(data_offsets=[4, 28]), SOME + SOME), "begins at byte 4; expected 0"),
        (safetensors(entry() | {"b": entry()["fc.weight"]}, SOME), "begins at byte 0; expected 24"),
        (safetensors(entry(dtype="F8_E4M3"), SOME), "of type 'F8_E4M3', which is not known"),
        (safetensors(entry(code="import os"), SOME), "not of dtype, shape and data_offsets"),
        (safetensors({"__metadata__": {"a": 1}}), "not text by name"),
        (safetensors([1]), "."),
        (safetensors(b'{"a": 1, "a": 2}'), "the key 'a' twice"),
        (safetensors(b'{"a":' * 50_000), "not valid JSON"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "."),
        (b"", "."),
    ],
)
def test_in_named_arrays(tmp_path, data, match):
    model = pellucid.Sequential([pellucid.Input((3,)), pellucid.layers.Dense(2)])
    path = tmp_path / "m.safetensors"
    path.write_bytes(npz({"a.npy": npy(FINE, bytes(4))}))
    with pytest.raises(PellucidError):
        load_weights(model, path)  # what is imported on the first use is imported now
    path.write_bytes(data)
    refused(path, match, lambda file: load_weights(model, file))

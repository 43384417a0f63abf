"""Broken and hostile `.keras` files: one error each; nothing run, opened, imported or allocated."""

import io
import json
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import pellucid
from hostile import packed, refused
from pellucid.errors import LoadError
from pellucid.formats import load_model, load_weights
from pellucid.layers import OperationLayer
from pellucid.ops import _registry
from pellucid.ops.multiply import Multiply
from pellucid.ops.slice import Slice

GOOD = Path(__file__).parent / "vectors" / "keras_sequential.keras"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """What the reader imports, it imports before the first hostile file."""
    load_model(GOOD)
    _registry.functions()  # which a file may name


def members():
    with zipfile.ZipFile(GOOD) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hostile.keras"


# The zip file.


def doubled():
    buffer = io.BytesIO(packed(members()))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(CONFIG, b"{}")
    return buffer.getvalue()


def named(name):
    return packed(members() | {name: b"x"})


def linked():
    entry = zipfile.ZipInfo("assets")
    entry.external_attr = 0o120777 << 16
    buffer = io.BytesIO(packed(members()))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def patched(offset, value, size=2):
    """The good file with a field of config.json's central directory entry changed."""
    data = bytearray(packed(members()))
    at = data.rindex(CONFIG.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    data[at + offset : at + offset + size] = value.to_bytes(size, "little")
    return bytes(data)


def without(name):
    content = members()
    del content[name]
    return packed(content)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: b"", "not a readable zip file"),
        (lambda: b"PK\x03\x04 but no more", "not a readable zip file"),
        (lambda: b"\x80\x04\x95.", "holds Python objects"),
        (lambda: GOOD.read_bytes()[:-40], "not a readable zip file"),
        (lambda: GOOD.read_bytes()[: GOOD.stat().st_size // 2], "not a readable zip file"),
        (doubled, "two members named 'config.json'"),
        (lambda: named("../evil"), "leads out of it: '../evil'"),
        (lambda: named("a/../../evil"), "leads out of it"),
        (lambda: named("/etc/evil"), "leads out of it: '/etc/evil'"),
        (lambda: named("C:\\evil"), "leads out of it"),
        (lambda: named("..\\evil"), "leads out of it"),
        (linked, "leads out of it: 'assets'"),
        (lambda: packed({f"m{i}": b"" for i in range(1001)}), "1,001 members"),
        (lambda: patched(8, 1), "'config.json' is encrypted"),
        (lambda: patched(10, 12), "'config.json' uses compression method 12"),
        (lambda: patched(10, 93), "'config.json' uses compression method 93"),
        (lambda: patched(16, 0, 4), "not a readable zip file.*CRC"),
        (lambda: patched(24, 1 << 31, 4), "would unpack to more than"),
        (lambda: patched(42, 0, 4), "not a readable zip file"),
        (lambda: without(CONFIG), "has no config.json"),
        (lambda: without(WEIGHTS), "has no model.weights.h5"),
    ],
)
def test_zip(path, make, match):
    path.write_bytes(make())
    refused(path, match)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, "assets/padding"])
def test_zip_bomb(path, name):
    content = members() | {name: bytes(64 << 20)}
    path.write_bytes(packed(content, zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 1 << 20
    refused(path, "would unpack to more than")


def test_no_file_folder_or_pipe(tmp_path):
    with pytest.raises(LoadError, match=r"Cannot read .*nothing\.keras: No such file"):
        load_model(tmp_path / "nothing.keras")
    with pytest.raises(LoadError, match="received something else"):
        load_model(tmp_path)
    with pytest.raises(LoadError, match="Cannot read"):
        load_model("nul\0byte.keras")


# The configuration.


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"null", "the model is not an object"),
        (b"[]", "the model is not an object"),
        (b'{"class_name": 3}', "the model is not an object"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[" * 100_000 + b"]" * 100_000, "not valid JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "not valid JSON"),
        (b"[1" + b"0" * 10_000 + b"]", "not valid JSON"),
    ],
)
def test_json(path, text, match):
    path.write_bytes(packed(members() | {CONFIG: text}))
    refused(path, match)


def model():
    return json.loads(members()[CONFIG])


def dense(config):
    return next(entry for entry in config["config"]["layers"] if entry["class_name"] == "Dense")


def layer_set(**values):
    def change(config):
        dense(config).update(values)

    return change


def option_set(**values):
    def change(config):
        dense(config)["config"].update(values)

    return change


def model_set(**values):
    def change(config):
        config["config"].update(values)

    return change


def compile_set(**values):
    def change(config):
        config["compile_config"].update(values)

    return change


def obj(module, class_name, config=None, registered_name=None):
    return {
        "module": module,
        "class_name": class_name,
        "config": {} if config is None else config,
        "registered_name": registered_name,
    }


def function(module, name):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {
        "name": "lambda",
        "function": {
            "class_name": "__lambda__",
            "config": {"code": "4wEAAAAAAAAA", "defaults": None, "closure": None},
        },
    },
    "registered_name": None,
}


def many_layers(config):
    config["config"]["layers"] *= 1000


def without_input(config):
    del config["config"]["layers"][0]
    config["config"]["build_input_shape"] = [None, 1 << 40, 1 << 40, 2]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        # Code, and classes and functions by name.
        (lambda c: c["config"]["layers"].append(LAMBDA), "is a Lambda, that is code"),
        (lambda c: c.update(LAMBDA), "is a Lambda, that is code"),
        (option_set(activation=LAMBDA["config"]["function"]), "code in a file is never run"),
        (option_set(activation=function("os", "system")), "is a function, that is code"),
        (option_set(activation=function("keras.utils", "get_file")), "is a function, that is code"),
        (option_set(activation=function("builtins", "eval")), "is a function, that is code"),
        (option_set(activation=obj("os", "system")), r"os\.system, which is not known"),
        (option_set(activation="__import__('os')"), "Unknown activation"),
        (option_set(kernel_initializer=obj("os", "system")), r"os\.system, which is not known"),
        (
            option_set(kernel_initializer=obj("builtins", "eval", {"source": "1"})),
            r"builtins\.eval, which is not known",
        ),
        (
            option_set(kernel_initializer=obj("subprocess", "Zeros")),
            r"subprocess\.Zeros, which is not known",
        ),
        (option_set(kernel_initializer=obj("keras.initializers", "open")), "which is not known"),
        (option_set(kernel_regularizer=obj("pathlib", "Path")), "which is not known"),
        (option_set(kernel_constraint=obj("keras.constraints", "Constraint")), "is not known"),
        (layer_set(module="os", class_name="system"), r"os\.system, which is not known"),
        (layer_set(module="os"), r"os\.Dense, which is not known"),
        (layer_set(module=None), r"None\.Dense, which is not known"),
        (layer_set(module=["os"]), "which is not known"),
        (layer_set(module="keras.layers", class_name="TFSMLayer"), "which is not known"),
        (layer_set(class_name="TorchModuleWrapper"), "which is not known"),
        (layer_set(class_name="StringLookup"), "which is not known"),
        (layer_set(class_name="__class__"), "which is not known"),
        (layer_set(class_name="Layer"), "which is not known"),
        (layer_set(module="keras.src.ops.numpy", class_name="Add"), "option of a function"),
        (layer_set(registered_name="my_package>Dense"), "a class of someone's own"),
        (layer_set(code="import os"), "unknown keys: code"),
        (lambda c: c.update(module="os", class_name="system"), "which is not known"),
        (lambda c: c.update(module="keras.utils"), "which is not known"),
        (lambda c: c.update(registered_name="Custom>Sequential"), "a class of someone's own"),
        (compile_set(optimizer=obj("os", "Adam")), r"os\.Adam, which is not known"),
        (compile_set(optimizer=obj("keras.optimizers", "Ftrl")), "which is not known"),
        (compile_set(loss=function("os", "system")), "is a function, that is code"),
        (compile_set(loss="os.system"), "Unknown loss"),
        (compile_set(metrics=[function("os", "abort")]), "is a function, that is code"),
        (compile_set(metrics=[obj("shutil", "rmtree")]), "which is not known"),
        (compile_set(custom="x"), "unknown option 'custom'"),
        (lambda c: c.update(compile_config=["sgd"]), "compile_config is not an object"),
        # Options.
        (option_set(surprise=1), "dense.*surprise"),
        (option_set(kernel_constraint="max_nrm"), "Unknown constraint 'max_nrm'"),
        (option_set(lora_rank=4), "dense.*lora_rank"),
        (option_set(units="many"), "dense.*units"),
        (option_set(units=None), "dense.*units"),
        (option_set(units=-1), "dense.*units"),
        (option_set(name="a/b"), "name"),
        (option_set(name=7), "name"),
        (option_set(dtype="object"), "dtype"),
        (option_set(dtype=obj("keras", "DTypePolicy", {"name": "mixed_bfloat16"})), "dtype"),
        (option_set(dtype=obj("os", "DTypePolicy", {"name": "float32"})), "not known"),
        (lambda c: dense(c).update(config=[1]), "has no config"),
        (lambda c: dense(c)["config"].pop("units"), "units"),
        (model_set(surprise=1), "unknown options: surprise"),
        (model_set(layers={}), "has no list of layers"),
        (model_set(layers=["Dense"]), "is not an object with a class_name"),
        (model_set(layers=[]), "hostile.keras"),
        # Sizes.
        (option_set(units=1 << 62), "absurd number"),
        (option_set(units=1 << 40), "numbers, but the file holds only"),
        (option_set(units=2_000_000), "numbers, but the file holds only"),
        (without_input, "numbers, but the file holds only"),
        (many_layers, "more than 5,000 layers|layer called"),
        (
            option_set(
                kernel_initializer=obj(
                    "keras.initializers",
                    "Constant",
                    {
                        "value": {
                            "class_name": "__numpy__",
                            "config": {"value": 1.0, "dtype": "(99999,99999)f4"},
                        }
                    },
                )
            ),
            "is not an array of",
        ),
        (
            option_set(
                kernel_initializer=obj(
                    "keras.initializers",
                    "Constant",
                    {
                        "value": {
                            "class_name": "__numpy__",
                            "config": {"value": ["x"], "dtype": "object"},
                        }
                    },
                )
            ),
            "is not an array of",
        ),
    ],
)
def test_configuration(path, change, match):
    config = model()
    change(config)
    path.write_bytes(packed(members() | {CONFIG: json.dumps(config).encode()}))
    refused(path, match)


@pytest.mark.parametrize("depth", [100, 250, 1000, 100_000])
def test_models_inside_models(path, depth):
    entry = '{"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": ['
    text = entry * depth + "]}}" * depth
    path.write_bytes(packed(members() | {CONFIG: text.encode()}))
    refused(path, "hostile.keras")


# Functions and operations between layers.


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """The members of a file with a function as Keras writes it, and an operation as it is here."""
    image = pellucid.Input((4, 4, 2), name="image")
    scaled = image * np.ones(2, "float32")
    left, _ = pellucid.ops.split(scaled[:, 1:], 2, axis=-1)
    cut = OperationLayer(Slice((None, 1), (None, 3)), name="cut")(left)
    learned = OperationLayer(Multiply(), {"x1": [2.0]}, trainable=True, name="learned")(cut)
    path = tmp_path_factory.mktemp("functions") / "good.keras"
    pellucid.Model(image, learned).save(path)
    assert load_model(path).output_shape == (None, 2, 4, 1)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    # Keras has a function for a slice, which is what was written; here it is to be the operation.
    config = json.loads(members[CONFIG])
    entry = entry_of(config, "cut")
    own = {key: entry_of(config, "learned")[key] for key in ("module", "class_name")}
    plain = OperationLayer(Slice((None, 1), (None, 3)), name="cut").get_config()
    entry.update(own, registered_name="OperationLayer", config=plain)
    del entry["inbound_nodes"][0]["args"][1:]
    members[CONFIG] = json.dumps(config).encode()
    path.write_bytes(packed(members))
    assert load_model(path).output_shape == (None, 2, 4, 1)
    return members


def entry_of(config, kind):
    return next(e for e in config["config"]["layers"] if kind in (e["class_name"], e["name"]))


def entry_set(kind, **values):
    return lambda config: entry_of(config, kind).update(values)


def argument_set(kind, place, value):
    return lambda config: entry_of(config, kind)["inbound_nodes"][0]["args"].__setitem__(
        place, value
    )


def setting(kind, **values):
    return lambda config: entry_of(config, kind)["config"].update(values)


def operation(name="slice", **fields):
    return setting("cut", operation={"name": name, "fields": fields})


def array(value, dtype="float32"):
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        # Names.
        (entry_set("Multiply", class_name="system"), "someone's own"),
        (
            entry_set("Multiply", class_name="Einsum", registered_name="Einsum"),
            "function that is not known",
        ),
        (entry_set("Multiply", module="keras.src.ops.os"), "function that is not known"),
        (entry_set("Multiply", module="keras.src.ops.numpy.os"), "function that is not known"),
        (entry_set("Multiply", module="os"), r"os\.Multiply, which is not known"),
        (entry_set("Multiply", registered_name="mine>Multiply"), "someone's own"),
        (setting("cut", operation="__import__"), "__import__"),
        (setting("cut", operation="operations"), "operations"),
        (operation("os"), "no operation"),
        (operation("_operation"), "no operation"),
        (setting("cut", operation=["slice"]), "no operation"),
        (setting("cut", operation={"name": ["slice"]}), "hostile.keras"),
        # Arguments.
        (setting("Split", axis="last"), "hostile.keras"),
        (setting("Split", indices_or_sections=1 << 40), "equal pieces"),
        (setting("Split", indices_or_sections=[obj("os", "system")]), "which is not known"),
        (setting("Split", surprise=1), "no argument surprise"),
        (argument_set("Multiply", 1, LAMBDA), "hostile.keras"),
        (argument_set("Multiply", 1, "os.system"), "a number or an array"),
        (argument_set("Multiply", 1, array(["x"], "object")), "is not an array of"),
        (argument_set("Multiply", 1, array(1.0, "(99999,99999)f4")), "is not an array of"),
        (argument_set("Multiply", 1, [[1.0], [1.0, 2.0]]), "array of numbers"),
        (argument_set("Multiply", 1, array([1.0] * 3)), "cannot be merged"),
        (argument_set("GetItem", 1, [obj("os", "system")]), "which is not known"),
        (
            argument_set("GetItem", 1, {"class_name": "__slice__", "config": {"start": "os"}}),
            "__slice__ that is none",
        ),
        (
            argument_set(
                "GetItem",
                1,
                {"class_name": "__slice__", "config": {"start": 0.5, "stop": 1, "step": 1}},
            ),
            "whole numbers",
        ),
        (argument_set("GetItem", 1, [None] * 100_000), "64 axes"),
        (entry_set("Multiply", inbound_nodes=[{"args": 3, "kwargs": {}}]), "hostile.keras"),
        (entry_set("Multiply", inbound_nodes=[{"args": [], "kwargs": {"x": 1}}]), "hostile.keras"),
        (entry_set("Multiply", inbound_nodes=[]), "hostile.keras"),
        # Fields of an operation.
        (operation(starts=[None], stops=[3], steps=[0]), "cannot be 0"),
        (operation(starts=["a"], stops=["b"]), "cannot have starts"),
        (operation(starts=[0], stops=[1 << 62]), "absurd number"),
        (operation(starts=[0], stops=[1], __class__="os"), "cannot have __class__"),
        (operation("batch_normalization", momentum="much"), "cannot have momentum"),
        (operation("conv2d", strides=[1 << 60, 1]), "absurd number"),
        (operation("reshape", target_shape=[1 << 50, 1 << 50]), "do not fit"),
        (operation("activation", function="os.system"), "activation"),
        (setting("cut", options={"axis": 1}), "no argument axis"),
        (setting("cut", constants={"x7": 1}), "no operand x7"),
        (setting("cut", constants=[1]), "hostile.keras"),
        (setting("learned", weights={"x1": [1 << 40]}), "but the file holds only"),
        (setting("learned", weights={"x1": [-1]}), "is no shape"),
        (setting("learned", weights={"x1": "os"}), "is no shape"),
        (setting("learned", constants={"x1": 1}), "all weights, or all constants"),
        (setting("learned", surprise=1), "surprise"),
    ],
)
def test_functions(path, functions, change, match):
    config = json.loads(functions[CONFIG])
    change(config)
    path.write_bytes(packed(functions | {CONFIG: json.dumps(config).encode()}))
    refused(path, match)


GRAPH = GOOD.with_name("keras_nested.keras")


def of_layer(config, name):
    return next(entry for entry in config["config"]["layers"] if entry["name"] == name)


def reads(config, name, history):
    tensor = of_layer(config, name)["inbound_nodes"][0]["args"][0]
    tensor["config"]["keras_history"] = history


def called_with(name, **options):
    def change(config):
        of_layer(config, name)["inbound_nodes"][0]["kwargs"].update(options)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: reads(c, "A", ["nowhere", 0, 0]), "not there|nowhere"),
        (lambda c: reads(c, "A", ["B", 0, 0]), "not there"),
        (lambda c: reads(c, "A", ["shared", 9, 0]), "not there"),
        (lambda c: reads(c, "A", ["shared", 0, 9]), "no output"),
        (lambda c: reads(c, "A", ["shared", 0, -1]), "no output"),
        (lambda c: reads(c, "A", "shared"), "hostile.keras"),
        (lambda c: reads(c, "A", [{}, [], None]), "hostile.keras"),
        (called_with("A", mask=[1]), "is called with mask"),
        (called_with("A", training="os"), "is called with training"),
        (called_with("A", initial_state=None), "is called with initial_state"),
        (lambda c: of_layer(c, "A").update(inbound_nodes="x"), "not a list of calls"),
        (lambda c: of_layer(c, "A").update(inbound_nodes=[{"args": []}]), "hostile.keras"),
        (lambda c: of_layer(c, "A").update(name="B"), "hostile.keras"),
        (lambda c: c["config"].update(output_layers=["nowhere", 0, 0]), "not there|nowhere"),
        (lambda c: c["config"].update(output_layers=None), "hostile.keras"),
        (lambda c: c["config"].update(input_layers=[["A", 0, 0]]), "hostile.keras"),
    ],
)
def test_graph(path, change, match):
    with zipfile.ZipFile(GRAPH) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content[CONFIG])
    change(config)
    path.write_bytes(packed(content | {CONFIG: json.dumps(config).encode()}))
    refused(path, match)


# The weights.


def weights_with(change):
    """The good file's weights with an HDF5 file's groups changed by `change`."""
    buffer = io.BytesIO(members()[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def replaced(name, **options):
    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


KERNEL = "layers/dense/vars/0"


def h5_link(link):
    def change(file):
        del file[KERNEL]
        file[KERNEL] = link

    return change


def h5_virtual(file):
    del file[KERNEL]
    layout = h5py.VirtualLayout((1764, 7), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (1764, 7))
    file.create_virtual_dataset(KERNEL, layout)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.pop(KERNEL), f"no weight '{KERNEL}', which is dense.*kernel"),
        (lambda f: f.pop("layers"), "has no weight"),
        (lambda f: f.create_dataset("layers/dense/vars/2", data=[1.0]), "layers/dense/vars/2"),
        (lambda f: f.create_dataset("layers/dense_9/vars/0", data=[1.0]), "layers/dense_9/vars/0"),
        (lambda f: f.create_dataset("evil", data=[1.0]), "no layer of .* has: evil"),
        (replaced(KERNEL, data=np.ones((3, 7), "f4")), r"has shape \(3, 7\)"),
        (replaced(KERNEL, data=np.float32(1)), r"has shape \(\)"),
        (replaced("layers/dense/vars/1", data=np.ones(7, "i4")), "int32 numbers"),
        (replaced("layers/dense/vars/1", data=np.array([b"x"] * 7)), "does not hold plain"),
        (replaced(KERNEL, shape=(1 << 40, 7), dtype="f4"), "declares .* bytes"),
        (replaced(KERNEL, data=np.zeros((9, 9), "f4"), compression="gzip"), "is compressed"),
        (h5_link(h5py.ExternalLink("/etc/passwd", "/x")), "a link into another file"),
        (h5_link(h5py.SoftLink(f"/{KERNEL}")), "is a soft link"),
        (h5_link(h5py.SoftLink("/layers/dense/vars/1")), "is a soft link"),
        (h5_virtual, "has virtual storage"),
        (
            replaced(KERNEL, shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)]),
            "keeps its data in another file",
        ),
        (lambda f: f.pop("optimizer/vars/5"), "optimizer/vars"),
        (replaced("optimizer/vars/2", data=np.ones(3, "f4")), "'optimizer/vars/2' is float32"),
        (replaced("optimizer/vars/0", data=np.float32(1)), "state is not usable"),
        (replaced("optimizer/vars/1", data=np.float32("nan")), "state is not usable"),
        (replaced("optimizer/vars/1", data=np.float32(-1)), "learning_rate"),
    ],
)
def test_weights(path, change, match):
    path.write_bytes(packed(members() | {WEIGHTS: weights_with(change)}))
    refused(path, match)


@pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n", b"not HDF5", bytes(4096)])
def test_weights_that_are_no_hdf5(path, data):
    path.write_bytes(packed(members() | {WEIGHTS: data}))
    refused(path, "HDF5")


def test_weights_that_are_not_finite_load_with_a_warning(path):
    change = replaced("layers/dense/vars/1", data=np.array([np.nan, np.inf] + [0] * 5, "f4"))
    path.write_bytes(packed(members() | {WEIGHTS: weights_with(change)}))
    with pytest.warns(UserWarning, match=r"2 of the 7 numbers of dense.*/bias are NaN or infinite"):
        load_model(path)


def test_weights_beyond_float32_load_with_a_warning(path):
    change = replaced("layers/dense/vars/1", data=np.array([1e300] + [0] * 6))
    path.write_bytes(packed(members() | {WEIGHTS: weights_with(change)}))
    with pytest.warns(UserWarning, match="1 of the 7 numbers"):
        load_model(path)


def test_nothing_changes_when_weights_do_not_fit(tmp_path):
    path = tmp_path / "hostile.weights.h5"
    target = load_model(GOOD)
    before = target.get_weights()
    change = replaced("layers/dense_1/vars/1", data=np.ones(4, "f4"))
    path.write_bytes(weights_with(change))
    refused(path, r"has shape \(4,\)", lambda file: load_weights(target, file))
    for old, new in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_older_versions_wrote_beside_the_weights_is_ignored(path):
    def change(file):
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, "u4")
        file["metrics/mean/vars/0"] = np.float32(0)

    path.write_bytes(packed(members() | {WEIGHTS: weights_with(change)}))
    load_model(path)


# What is Pellucid's own.


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"[]", "not of the expected form"),
        (b'{"preprocessing": "os"}', "not of the expected form"),
        (b'{"version": 2}', "newer version of Pellucid"),
        (b"x", "not valid JSON"),
    ],
)
def test_own_part(path, text, match):
    path.write_bytes(packed(members() | {"pellucid.json": text}))
    refused(path, match)


def test_damaged_files_give_one_error(path):
    good = np.frombuffer(GOOD.read_bytes(), np.uint8)
    rng = np.random.default_rng(3)
    refusals = 0
    for attempt in range(150):
        damaged = good.copy()
        places = rng.integers(0, len(good), 1 + attempt % 40)
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        try:
            load_model(path)
        except LoadError:
            refusals += 1
    assert refusals > 50


def test_the_signature_is_the_only_thing_that_tells_the_formats_apart(tmp_path):
    """A weights file is known by its first bytes, not by its name."""
    target = load_model(GOOD)
    path = tmp_path / "renamed.keras"
    path.write_bytes(members()[WEIGHTS])
    load_weights(target, path)
    path.write_bytes(struct.pack("<Q", 7))
    refused(path, "not a readable zip file", lambda file: load_weights(target, file))

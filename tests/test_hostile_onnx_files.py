"""Broken and hostile `.onnx` files: one error each; nothing run, opened, imported or allocated."""

import contextlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

import hostile
from pellucid.errors import LoadError
from pellucid.formats import load_model

GOOD = Path(__file__).parent / "vectors" / "onnx" / "keras_small.onnx"


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory):
    """What the reader imports, it imports before the first hostile file."""
    load_model(GOOD)
    folder = tmp_path_factory.mktemp("warm")
    (folder / "w").write_bytes(np.ones((3, 4), np.float32).tobytes())
    save(stored("w"), folder / "m.onnx")
    load_model(folder / "m.onnx", external_data=folder)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").mkdir()
    return tmp_path / "file" / "hostile.onnx"


def model(nodes=None, inputs=None, held=None, outputs=("y",), **graph):
    """A small model: y = x · w, or whatever is put in its place."""
    value = helper.make_tensor_value_info
    return helper.make_model(
        helper.make_graph(
            nodes if nodes is not None else [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [value("x", TensorProto.FLOAT, ["N", 3])] if inputs is None else inputs,
            [value(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(np.ones((3, 4), np.float32), "w")] if held is None else held,
            **graph,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )


def save(made, path):
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())


def changed(change):
    made = model()
    change(made)
    return made


def tensor(**fields):
    """A model whose one array has these fields."""
    made = model()
    array = made.graph.initializer[0]
    for name, value in fields.items():
        if isinstance(value, list):
            del getattr(array, name)[:]
            getattr(array, name).extend(value)
        else:
            setattr(array, name, value)
    return made


def nested(depth):
    """A branch within a branch within a branch …."""
    graph = GraphProto()
    for _ in range(depth):
        node = NodeProto(op_type="If", output=["y"], input=["x"])
        attribute = node.attribute.add(name="then_branch", type=AttributeProto.GRAPH)
        attribute.g.CopyFrom(graph)
        graph = GraphProto(node=[node])
    return changed(lambda made: made.graph.node[0].CopyFrom(graph.node[0]))


def nested_bytes(depth):
    """The same, deeper than a message can be put together."""
    data = b""
    for _ in range(depth):
        for field in (6, 5, 1):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            data = bytes([field << 3 | 2]) + varint(len(data)) + data
    return b"\x08\x08" + b"\x3a" + varint(len(data)) + data


def varint(number):
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def relus(count):
    """Nodes as bytes: so many could not be put together one by one."""
    node = helper.make_node("Relu", ["x"], ["y"]).SerializeToString()
    data = (b"\x0a" + varint(len(node)) + node) * count
    return b"\x42\x02\x10\x12" + b"\x3a" + varint(len(data)) + data


def chain(*nodes):
    return model(
        [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes]
    )


def repeated(*shape):
    """A model that makes an array of a given shape of one number."""
    sizes = numpy_helper.from_array(np.array(shape, np.int64), "s")
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    return model(nodes, held=[sizes])


def expanded():
    """A number that is spread again and again."""
    sizes = numpy_helper.from_array(np.array([1 << 20, 1 << 20], np.int64), "s")
    one = numpy_helper.from_array(np.ones((1, 1), np.float32), "one")
    nodes = [
        helper.make_node("Expand", ["one", "s"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    return model(nodes, held=[sizes, one])


def doubled(count):
    """Constants that double in size with each node."""
    one = numpy_helper.from_array(np.ones(1 << 10, np.float32), "w0")
    nodes = [
        helper.make_node("Concat", [f"w{i}", f"w{i}"], [f"w{i + 1}"], axis=0) for i in range(count)
    ]
    return model([*nodes, helper.make_node("Add", ["x", f"w{count}"], ["y"])], held=[one])


def padded():
    widths = numpy_helper.from_array(np.array([0, 1 << 40, 0, 1 << 40], np.int64), "p")
    one = numpy_helper.from_array(np.ones((1, 1), np.float32), "one")
    nodes = [
        helper.make_node("Pad", ["one", "p"], ["w"]),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    return model(nodes, held=[widths, one])


def shared(times):
    """One array that very many layers read."""
    array = numpy_helper.from_array(np.ones((256, 256), np.float32), "w")
    nodes = [helper.make_node("MatMul", [f"x{i}", "w"], [f"x{i + 1}"]) for i in range(times)]
    nodes[0].input[0], nodes[-1].output[0] = "x", "y"
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 256])
    return model(nodes, [info], [array])


def sized(*shape):
    return model(inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))])


def of_kind(kind):
    return changed(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", kind))


def cut(share):
    data = GOOD.read_bytes()
    return data[: int(len(data) * share)]


ATTACKS = {
    # Not the file that it says it is.
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"<html><body>404 Not Found</body></html>", "not a readable ONNX file"),
    "pickle": (lambda: b"\x80\x04\x95\x10cos\nsystem\n.", "not a readable ONNX file|no graph"),
    "zeros": (lambda: bytes(1000), "not a readable ONNX file"),
    "truncated in the weights": (lambda: cut(0.5), "not a readable ONNX file"),
    "truncated at the end": (lambda: cut(0.999), "not a readable ONNX file"),
    "endless number": (lambda: b"\x3a" + b"\xff" * 20, "not a readable ONNX file"),
    "length beyond the end": (lambda: b"\x3a\xff\xff\xff\xff\x0f\x00", "not a readable ONNX file"),
    "no graph": (lambda: changed(lambda m: m.ClearField("graph")), "has no graph"),
    # Many and deep.
    "a million nodes": (lambda: relus(1_000_000), "parts, too many to read"),
    "as many nodes as parts": (lambda: relus(100_000), "100,000 nodes"),
    "graphs in graphs": (lambda: nested(20), "If, which is not known"),
    "very deep graphs": (lambda: nested_bytes(2000), "not a readable ONNX file"),
    "many attributes": (
        lambda: changed(
            lambda m: m.graph.node[0].attribute.extend(
                [helper.make_attribute(f"a{i}", i) for i in range(100)]
            )
        ),
        "100 attributes",
    ),
    "many inputs": (
        lambda: changed(lambda m: m.graph.node[0].input.extend(["w"] * 10_000)),
        "it has 10002 inputs",
    ),
    # A graph that is none.
    "a cycle": (lambda: chain(("Add", ["x", "b"], ["a"]), ("Relu", ["a"], ["b"])), "reads 'b'"),
    "itself": (lambda: chain(("Add", ["x", "y"], ["y"])), "reads 'y'"),
    "out of order": (lambda: chain(("Relu", ["a"], ["y"]), ("Relu", ["x"], ["a"])), "reads 'a'"),
    "made twice": (lambda: chain(("Relu", ["x"], ["y"]), ("Tanh", ["x"], ["y"])), "made twice"),
    "made over an input": (lambda: chain(("Relu", ["x"], ["x"])), "'x' is made twice"),
    "input missing": (lambda: chain(("MatMul", ["x", "nothing"], ["y"])), "reads 'nothing'"),
    "too few inputs": (lambda: chain(("Conv", ["x"], ["y"])), "it has 1 inputs"),
    "no inputs": (lambda: chain(("Concat", [], ["y"], {"axis": 0})), "it has 0 inputs"),
    "output missing": (lambda: model(outputs=("z",)), "nothing makes its output 'z'"),
    "output twice": (lambda: model(outputs=("y", "y")), "output twice"),
    "no outputs": (lambda: model(outputs=()), "has no outputs"),
    "two inputs of one name": (
        lambda: changed(lambda m: m.graph.input.append(m.graph.input[0])),
        "two inputs",
    ),
    "two arrays of one name": (
        lambda: changed(lambda m: m.graph.initializer.append(m.graph.initializer[0])),
        "two initialisers",
    ),
    "an attribute twice": (
        lambda: changed(
            lambda m: m.graph.node[0].attribute.extend([helper.make_attribute("a", 1)] * 2)
        ),
        "is there twice",
    ),
    "no version": (lambda: changed(lambda m: m.ClearField("opset_import")), "0 times"),
    "a version to come": (
        lambda: changed(lambda m: setattr(m.opset_import[0], "version", 10_000)),
        "version 10000",
    ),
    "a negative version": (
        lambda: changed(lambda m: setattr(m.opset_import[0], "version", -1)),
        "version -1",
    ),
    # Code.
    "a function of its own": (
        lambda: changed(lambda m: m.functions.add(name="f", domain="evil")),
        "functions of its own",
    ),
    "another domain": (
        lambda: changed(lambda m: setattr(m.graph.node[0], "domain", "com.evil")),
        r"com\.evil\.MatMul, which is not known",
    ),
    "an operator that runs Python": (lambda: chain(("PyOp", ["x"], ["y"])), "PyOp"),
    "a dunder": (lambda: chain(("__import__", ["x"], ["y"])), "__import__"),
    # Arrays.
    "a size of 2^40": (lambda: tensor(dims=[1 << 40]), "more than any file holds"),
    "sizes of 2^40 and 0": (lambda: tensor(dims=[0, 1 << 40], raw_data=b""), "any file holds"),
    "sizes that overflow": (lambda: tensor(dims=[1 << 31, 1 << 33]), "any file holds"),
    "a negative size": (lambda: tensor(dims=[-3, -4]), "cannot be"),
    "a thousand axes": (lambda: tensor(dims=[1] * 1000), "cannot be"),
    "too little data": (lambda: tensor(dims=[3, 400]), "4,800 bytes, but holds 48"),
    "too much data": (lambda: tensor(raw_data=bytes(4800)), "48 bytes, but holds 4,800"),
    "numbers in the wrong field": (lambda: tensor(data_type=TensorProto.DOUBLE), "96 bytes"),
    "no data": (
        lambda: changed(lambda m: m.graph.initializer[0].ClearField("raw_data")),
        "holds 0",
    ),
    "an unknown type": (lambda: tensor(data_type=999), "unknown type 999"),
    "a type below 0": (lambda: tensor(data_type=-1), "unknown type -1"),
    "texts": (lambda: tensor(data_type=TensorProto.STRING), "are string"),
    "in segments": (
        lambda: changed(lambda m: setattr(m.graph.initializer[0].segment, "begin", 1)),
        "segments",
    ),
    "sparse": (lambda: changed(lambda m: m.graph.sparse_initializer.add()), "sparse"),
    # Inputs.
    "an input of 2^40": (lambda: sized("N", 1 << 40), "hostile.onnx"),
    "an input below 0": (lambda: sized("N", -3), "cannot be"),
    "an input with a thousand axes": (lambda: sized(*[1] * 1000), "cannot be"),
    "an input of an unknown type": (lambda: of_kind(77), "unknown type 77"),
    "an input of texts": (lambda: of_kind(TensorProto.STRING), "string, which is not supported"),
    "an input that is nothing": (
        lambda: changed(lambda m: m.graph.input[0].ClearField("type")),
        "nothing, which is not supported",
    ),
    # Bombs: little in the file, much in memory.
    "one number repeated": (lambda: repeated(3, 1 << 30), "more than allowed"),
    "one number repeated to 2^80": (lambda: repeated(1 << 40, 1 << 40), "more than allowed"),
    "one number repeated less than never": (lambda: repeated(3, -1), "repeats"),
    "one number spread": (expanded, "more than allowed"),
    "doubled again and again": (lambda: doubled(40), "more than allowed"),
    "padded": (padded, "more than allowed"),
    "weights read again and again": (lambda: shared(300), "more than allowed|holds only"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(path, attack):
    make, match = ATTACKS[attack]
    save(make(), path)
    hostile.refused(path, match, load_model)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_give_one_error(path, seed):
    good = np.frombuffer(GOOD.read_bytes(), np.uint8)
    rng = np.random.default_rng(seed)
    for attempt in range(40):
        damaged = good.copy()
        places = rng.integers(0, len(good), 1 + attempt)
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(LoadError):
            load_model(path)


# Arrays that lie in other files.


def stored(location, **entries):
    """A model whose array is the file of that name, next to it."""
    made = model()
    array = made.graph.initializer[0]
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        array.external_data.add(key=key, value=str(value))
    return made


@pytest.fixture
def folder(tmp_path):
    """A folder with an array in it, a secret beside it, and links between them."""
    inside = tmp_path / "inside"
    inside.mkdir()
    numbers = np.arange(12, dtype=np.float32).tobytes()
    (inside / "w").write_bytes(numbers)
    (inside / "sub").mkdir()
    (inside / "sub" / "w").write_bytes(bytes(16) + numbers)
    (tmp_path / "secret").write_bytes(numbers)
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "way").symlink_to(tmp_path)
    os.link(tmp_path / "secret", inside / "hard")
    os.mkfifo(inside / "pipe")
    return inside


def test_external_data_is_read_from_the_folder_that_the_user_names(path, folder):
    expected = np.arange(12, dtype=np.float32).reshape(3, 4).sum(axis=0)
    for made in (stored("w"), stored("w", length=48), stored("sub/w", offset=16, length=48)):
        save(made, path)
        read = load_model(path, external_data=folder)
        np.testing.assert_array_equal(read.predict(np.ones((1, 3)))[0], expected)


def test_external_data_is_refused_without_a_folder(path):
    save(stored("hostile.onnx"), path)
    hostile.refused(path, "lies in another file.*external_data", load_model)


@pytest.mark.parametrize(
    "location",
    [
        *("../secret", "sub/../../secret", "/etc/passwd", "sub/../w", "./w", "//server/share/w"),
        *(
            "\\\\server\\share\\w",
            "C:\\w",
            "C:w",
            "file:///etc/passwd",
            "w\0.png",
            "",
            "..",
            "sub/",
        ),
        *("link", "way/secret"),
    ],
)
def test_external_data_stays_inside_the_folder(path, folder, location):
    """Nothing at all is opened."""
    save(stored(location), path)

    def load(file):
        load_model(file, external_data=folder)

    hostile.refused(path, "(lead out of the folder|symbolic link)", load)


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (stored("sub"), "not an ordinary file"),
        (stored("pipe"), "not an ordinary file"),
        (stored("nothing"), "No such file"),
        (stored("hard"), "hard link"),
        (stored("w", offset=4), "has only 48"),
        (stored("w", offset=-4), "not a number"),
        (stored("w", offset="0x10"), "not a number"),
        (stored("w", offset="9" * 30), "not a number"),
        (stored("w", offset=1 << 50), "has only 48"),
        (stored("w", length=1 << 50), "needs 48 bytes"),
        (stored("w", length=8), "needs 48 bytes"),
        (stored("w", command="rm"), "unknown entries command"),
    ],
)
def test_external_data_is_what_it_is_said_to_be(path, folder, made, match):
    save(made, path)
    with pytest.raises(LoadError, match=match):
        load_model(path, external_data=folder)


def test_the_folder_must_be_one(path, folder):
    save(stored("w"), path)
    with pytest.raises(LoadError, match="must be a folder"):
        load_model(path, external_data=folder / "w")


def test_onnx_checks_the_good_ones():
    """The files that the attacks are made from are valid: it is the attack that is refused."""
    assert onnx.load(GOOD).graph.node
    made = model(outputs=())
    made.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4]))
    onnx.checker.check_model(made)

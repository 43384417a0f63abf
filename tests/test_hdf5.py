"""What the reader of HDF5 accepts and refuses."""

import io
import os
import struct

import h5py
import numpy as np
import pytest

from pellucid.errors import LoadError
from pellucid.formats._hdf5 import read_arrays, write_arrays


def made(build, **options):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        build(file)
    return buffer.getvalue()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i4", "<i8", "<u4", "|u1"])
def test_reads_what_h5py_writes(libver, dtype):
    arrays = {
        "a/b/0": np.arange(24).reshape(2, 3, 4).astype(dtype),
        "a/b/scalar": np.array(7, dtype),
        "empty": np.zeros((0, 3), dtype),
        **{f"many/{i}": np.full(i % 5, i % 100, dtype) for i in range(300)},
    }

    def build(file):
        for path, array in arrays.items():
            file[path] = array

    found = read_arrays(made(build, libver=libver), "x.h5")
    assert found.keys() == arrays.keys()
    for path, array in arrays.items():
        np.testing.assert_array_equal(found[path], array)
        assert found[path].dtype == np.dtype(dtype)
        assert found[path].shape == array.shape


def test_h5py_reads_what_is_written():
    data = write_arrays({"g/0": np.eye(3, dtype="float32")}, {"g": {"name": "größe"}, "h": {}})
    with h5py.File(io.BytesIO(data)) as file:
        np.testing.assert_array_equal(file["g/0"], np.eye(3))
        assert file["g"].attrs["name"] == "größe"
        assert list(file["h"]) == []


def test_arrays_are_views():
    data = write_arrays({"x": np.ones(1000)}, {})
    assert not read_arrays(data, "x.h5")["x"].flags.owndata


def external_link(file):
    file["x"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    file["x"] = np.ones(3)
    file["y"] = h5py.SoftLink("/x")


def soft_link_loop(file):
    file["x"] = h5py.SoftLink("/y")
    file["y"] = h5py.SoftLink("/x")


def hard_link_loop(file):
    group = file.create_group("x")
    group["again"] = group


def shared_array(file):
    file["x"] = np.ones(3)
    file["y"] = file["x"]


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3,))
    file.create_virtual_dataset("x", layout)


def external_storage(file):
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def compressed(file):
    file.create_dataset("x", data=np.zeros(1 << 20, "f4"), compression="gzip")


def chunked(file):
    file.create_dataset("x", data=np.zeros(8, "f4"), chunks=(4,))


def compact(file):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((2,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, properties)


def huge(file):
    file.create_dataset("x", (1 << 40, 1 << 20), "f4")


def no_shape(file):
    file["x"] = h5py.Empty("f4")


def text(file):
    file["x"] = "import os"


def compound(file):
    file["x"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def bfloat16(file):
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_ebias(127)
    h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((2,)))


def reference(file):
    file["y"] = np.ones(2)
    file.create_dataset("x", data=file["y"].ref, dtype=h5py.ref_dtype)


def deep(file):
    file["/".join(["g"] * 200)] = np.ones(1)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (external_link, "'/' holds a link into another file"),
        (soft_link, "'y' is a soft link to '/x'"),
        (soft_link_loop, "soft link"),
        (hard_link_loop, "'x/again' is reached by two links"),
        (shared_array, "'y' is reached by two links"),
        (virtual, "'x' has virtual storage"),
        (external_storage, "'x' keeps its data in another file"),
        (compressed, "'x' is compressed"),
        (chunked, "'x' has chunked storage"),
        (compact, "'x' has compact storage"),
        (huge, r"'x' declares 4,611,686,018,427,387,904 bytes, shape \(1099511627776, 1048576\)"),
        (no_shape, "'x' has no shape"),
        (text, "'x' does not hold plain numbers"),
        (compound, "'x' does not hold plain numbers"),
        (bfloat16, "'x' does not hold plain numbers"),
        (reference, "'x' does not hold plain numbers"),
        (deep, "nested more than 64 groups deep"),
    ],
)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_refuses_what_keras_never_writes(build, says, libver):
    with pytest.raises(LoadError, match=says) as caught:
        read_arrays(made(build, libver=libver), "hostile.h5")
    assert "hostile.h5" in str(caught.value)


def test_sizes_that_overflow_64_bits_are_refused():
    data = made(lambda file: file.create_dataset("x", data=np.ones((311, 5), "f4")))
    dimensions, absurd = struct.pack("<QQ", 311, 5), struct.pack("<QQ", 1 << 32, 1 << 32)
    assert dimensions in data
    with pytest.raises(LoadError, match="'x' declares 73,786,976,294,838,206,464 bytes"):
        read_arrays(data.replace(dimensions, absurd), "hostile.h5")


def test_refuses_a_user_block():
    with pytest.raises(LoadError, match="not an HDF5 file"):
        read_arrays(made(lambda file: file.create_group("x"), userblock_size=512), "x.h5")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_damaged_files_give_one_error(libver):
    rng = np.random.default_rng(0)

    def build(file):
        for i in range(12):
            file[f"layers/conv2d_{i}/vars/0"] = rng.normal(size=(3, 3)).astype("float32")

    whole = np.frombuffer(made(build, libver=libver), np.uint8)
    refused = 0
    for attempt in range(400):
        damaged = whole.copy()
        places = rng.integers(0, len(whole), 1 + attempt % 16)
        damaged[places] = rng.integers(0, 256, len(places))
        length = len(whole) if attempt % 4 else rng.integers(0, len(whole))
        try:
            read_arrays(damaged[:length].tobytes(), "damaged.h5")
        except LoadError:
            refused += 1
    assert refused > 100


def test_headers_in_circles_end():
    """A B-tree whose every child is one and the same node would take for ever to walk."""
    data = bytearray(made(lambda file: file.create_group("x"), libver="earliest"))
    tree = data.index(b"TREE")
    data[tree + 5] = 200  # its level
    data[tree + 6 : tree + 8] = (32).to_bytes(2, "little")  # its children
    for child in range(32):
        at = tree + 24 + 8 + 16 * child
        data[at : at + 8] = tree.to_bytes(8, "little")
    with pytest.raises(LoadError):
        read_arrays(bytes(data), "circle.h5")


def test_continuations_in_circles_end():
    data = bytearray(made(lambda file: file.attrs.update({f"a{i}": i for i in range(50)})))
    for at in range(0, len(data) - 24, 8):
        if data[at : at + 4] == b"\x10\x00\x10\x00" and data[at + 8 : at + 16] != bytes(8):
            data[at + 8 : at + 24] = (0).to_bytes(8, "little") + len(data).to_bytes(8, "little")
            break
    else:
        pytest.fail("the file has no continuation to redirect")
    with pytest.raises(LoadError):
        read_arrays(bytes(data), "circle.h5")


def test_reads_nothing_but_its_bytes(tmp_path):
    """A data set's name or an external file's path never reaches the file system."""
    bait = tmp_path / "bait"
    os.mkfifo(bait)  # reading it would block for ever
    with pytest.raises(LoadError):
        read_arrays(
            made(lambda f: f.create_dataset("x", (4,), "f4", external=[(str(bait), 0, 16)])), "x"
        )

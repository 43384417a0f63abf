"""IDX, NPZ, CIFAR-10's binary form and CSV: what they hold, and what happens when they lie."""

import contextlib
import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from pellucid.data import read_csv, read_idx, read_npz
from pellucid.data.cifar import BINARY_FILES, parse_cifar, read_cifar_archive, read_cifar_folder
from pellucid.errors import DataError

IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx_bytes(array, code=8):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(IDX_TYPES[code]).tobytes()


@pytest.mark.parametrize("code", IDX_TYPES)
@pytest.mark.parametrize("packed", [False, True])
def test_idx(code, packed, tmp_path):
    array = np.arange(24).reshape(2, 3, 4)
    data = idx_bytes(array, code)
    path = tmp_path / "some-idx3-ubyte"
    path.write_bytes(gzip.compress(data) if packed else data)
    read = read_idx(path)
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative
    assert read.flags.writeable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        b"\0\0\x08\x03",
        b"\0\0\x08\x00",
        b"\0\0\x07\x01" + bytes(8),
        b"\x01\0\x08\x01" + struct.pack(">I", 4) + bytes(4),
        idx_bytes(np.arange(6))[:-1],
        idx_bytes(np.arange(6)) + b"x",
        struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + bytes(50),
        b"\x1f\x8b" + bytes(20),
        gzip.compress(idx_bytes(np.arange(6)), mtime=0)[:-9],
    ],
)
def test_idx_that_is_broken(data, tmp_path):
    path = tmp_path / "broken-idx1-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError, match="broken-idx1"):
        read_idx(path)


# ---- NPZ


def test_npz(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.integers(0, 255, (3, 4, 5)).astype(np.uint8),
        "f": np.asfortranarray(rng.normal(size=(3, 4))),
        "big": rng.normal(size=5).astype(">f4"),
        "text": np.array(["cat", "dög"]),
        "scalar": np.array(2.5),
        "none": np.zeros((0, 3)),
        "flags": np.array([True, False]),
    }
    for name, save in (("plain", np.savez), ("packed", np.savez_compressed)):
        save(tmp_path / f"{name}.npz", **arrays)
        read = read_npz(tmp_path / f"{name}.npz")
        assert read.keys() == arrays.keys()
        for key, value in arrays.items():
            np.testing.assert_array_equal(read[key], value)
    assert list(read_npz(tmp_path / "plain.npz", ["f"])) == ["f"]


def test_npz_never_unpickles(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    np.savez(tmp_path / "trap.npz", x=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match="run code"):
        read_npz(tmp_path / "trap.npz")
    assert not (tmp_path / "trapped").exists()


def npy(header, content=b"", version=b"\x01\0"):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"\x93NUMPY",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", bytes(23)),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n"),
        npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(8)),
        npy("{'descr': '<f9', 'fortran_order': False, 'shape': (1,), }", bytes(9)),
        npy("__import__('os').mkdir('trapped')"),
        npy("(" * 5000),
        npy("{'descr': '\\d', 'fortran_order': False, 'shape': (1,), }"),
    ],
)
def test_npz_with_a_broken_member(member, tmp_path):
    with zipfile.ZipFile(tmp_path / "broken.npz", "w") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(DataError, match=r"broken\.npz"):
        read_npz(tmp_path / "broken.npz")


def test_a_zip_bomb_is_refused_without_unpacking(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9,), }"))
    data = bytearray(path.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 3 << 30)  # claims 3 GiB
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DataError, match="claims a size"):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_damage_anywhere_in_an_npz_file_is_a_data_error_or_harmless(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.arange(50), y=np.ones(3))
    data = buffer.getvalue()
    rng = np.random.default_rng(11)
    path = tmp_path / "fuzz.npz"
    for round_ in range(300):
        damaged = bytearray(data)
        if round_ % 3:
            for place in rng.integers(0, len(data), rng.integers(1, 4)):
                damaged[place] = rng.integers(0, 256)
        else:
            damaged = damaged[: rng.integers(0, len(data))]
        path.write_bytes(damaged)
        with contextlib.suppress(DataError):
            read_npz(path)


# ---- CIFAR-10


def cifar_bytes(count, seed=0):
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (count, 3073)).astype(np.uint8)
    records[:, 0] %= 10
    return records


def test_cifar_records():
    records = cifar_bytes(4)
    images, labels = parse_cifar(records.tobytes(), "batch")
    np.testing.assert_array_equal(labels, records[:, 0])
    # The format's own words: 1024 red bytes in row-major order, then green, then blue.
    assert images[2, 5, 7, 1] == records[2, 1 + 1024 + 5 * 32 + 7]


def test_cifar_folder_and_archive_agree(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for seed, name in enumerate(BINARY_FILES):
        (folder / name).write_bytes(cifar_bytes(3, seed).tobytes())
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
        archive.add(folder, "cifar-10-batches-bin")
    first = read_cifar_folder(folder)
    second = read_cifar_archive(tmp_path / "cifar.tar.gz")
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert first[0][0].shape == (15, 32, 32, 3)
    data = (tmp_path / "cifar.tar.gz").read_bytes()
    for stop in range(0, len(data), len(data) // 12):
        with pytest.raises(DataError):
            read_cifar_archive(data[:stop], "cut")


@pytest.mark.parametrize("data", [b"", bytes(3072), bytes(3074), b"\x0a" + bytes(3072)])
def test_cifar_that_is_broken(data):
    with pytest.raises(DataError):
        parse_cifar(data, "batch")


def test_an_archive_that_is_too_large_is_refused():
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        info = tarfile.TarInfo("padding")
        info.size = 300 << 20
        file.write(info.tobuf())
        for _ in range(300):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="more than"):
        read_cifar_archive(buffer.getvalue(), "bomb")


# ---- CSV


@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1.5,x\n2,y\n",
        b"\xef\xbb\xbfa;b\r\n1,5;x\r\n2;y\r\n",
        "a\tb\n1.5\tx\n2\ty\n".encode("utf-16"),
        b"a|b\n1.5|x\n\n2|y",
        b'"a", "b"\n"1.5","x"\n"2", "y"\n,\n',
        b"a,b,\n1.5,x,\n2,y,\n",
    ],
)
def test_csv_as_spreadsheets_write_it(text, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text)
    table = read_csv(path)
    assert table.columns == ("a", "b")
    assert [table.number(row, "a") for row in range(2)] == [1.5, 2]
    assert table.column("b") == ["x", "y"]


def test_csv_in_windows_1252(tmp_path):
    (tmp_path / "t.csv").write_bytes("größe,b\n1,2\n".encode("cp1252"))
    assert read_csv(tmp_path / "t.csv").columns == ("größe", "b")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3\n", "line 3: expected 2 cells"),
        (b'a,b\n"x\ny",2\n3\n', "line 4: expected 2 cells"),
        (b"a,a\n1,2\n", "two columns are named 'a'"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b"1,2\n3,4\n", "names of the columns"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "not CSV"),
        (bytes(range(256)), "text"),
    ],
)
def test_csv_that_is_broken(text, hint, tmp_path):
    path = tmp_path / "broken.csv"
    path.write_bytes(text)
    with pytest.raises(DataError, match=hint) as caught:
        read_csv(path)
    assert "broken.csv" in str(caught.value)


@pytest.mark.parametrize("reader", [read_csv, read_idx, read_npz])
def test_random_bytes_and_missing_files_are_data_errors(reader, tmp_path):
    rng = np.random.default_rng(13)
    path = tmp_path / "noise"
    for size in range(60):
        path.write_bytes(rng.bytes(20 + size * 7))
        with pytest.raises(DataError):
            reader(path)
    for nothing in (tmp_path / "absent", tmp_path, "a\0b"):
        with pytest.raises(DataError):
            reader(nothing)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe"):
        read_npz(tmp_path / "pipe")

"""The data sets known by name: the box, the cache, files on the disk, and no network."""

import gzip
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import urllib.error
from pathlib import Path

import numpy as np
import pytest

from pellucid import datasets
from pellucid.data import cache, download, known, mnist
from pellucid.errors import DataError, DownloadError


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder, and nothing to be found anywhere else."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def mnist_content():
    return mnist._decode()


@pytest.fixture
def quick_mnist(home, monkeypatch, mnist_content):
    """MNIST with the slow decoding replaced by a count of how often it was asked for."""
    calls = []
    monkeypatch.setattr(mnist, "_decode", lambda: calls.append(1) or mnist_content)
    return calls


def test_mnist_is_what_keras_returns(quick_mnist):
    (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data()
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert (y_train.shape, y_test.shape) == ((60_000,), (10_000,))
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    # The first labels, and the class sizes that are published with the data set.
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_train).tolist() == counts
    share = np.bincount(x_train.ravel(), minlength=256) / x_train.size
    level = np.arange(256) / 255
    mean = share @ level
    assert round(mean, 4) == 0.1307
    assert round(np.sqrt(share @ (level - mean) ** 2), 4) == 0.3081


def test_it_is_decoded_once_and_mapped_from_then_on(quick_mnist, home):
    for _ in range(3):
        (x_train, _), _ = mnist.load_mnist()
    assert len(quick_mnist) == 1
    assert type(x_train) is np.ndarray
    assert len(list(home.iterdir())) == 1


def test_changing_an_image_changes_nobody_elses(quick_mnist):
    (x_train, y_train), _ = mnist.load_mnist()
    x_train[0], y_train[0] = 7, 7
    (again, labels), _ = mnist.load_mnist()
    assert again[0].max() == 255
    assert labels[0] == 5
    assert len(quick_mnist) == 1


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda _: b"", lambda data: data[:99] + b"\1" + data[100:]],
)
def test_a_damaged_cache_is_made_anew(damage, quick_mnist, home):
    mnist.load_mnist()
    (file,) = home.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    (x_train, _), _ = mnist.load_mnist()
    assert len(quick_mnist) == 2
    assert x_train[0].sum() == 27525
    mnist.load_mnist()
    assert len(quick_mnist) == 2


def test_without_a_cache_folder_it_stays_in_memory(quick_mnist, home):
    home.write_text("a file where the folder should be")
    (x_train, _), _ = mnist.load_mnist()
    x_train[0, 0, 0] = 1
    assert x_train[0].sum() == 27526


def test_a_full_disk_leaves_nothing_behind(quick_mnist, home, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "atomic_write", full)
    (x_train, _), _ = mnist.load_mnist()
    assert x_train[0].sum() == 27525
    assert list(home.iterdir()) == []


def test_several_processes_at_once(home):
    script = "from pellucid.data.mnist import load_mnist; print(load_mnist()[0][0][0].sum())"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(mnist.__file__).parents[2])},
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in processes] == [b"27525"] * 3
    assert len(list(home.iterdir())) == 1


def test_a_damaged_installation_says_so(home, monkeypatch):
    monkeypatch.setattr(mnist, "_SHA256", "0" * 64)
    with pytest.raises(DataError, match="reinstall"):
        mnist.load_mnist()


# ---- Fashion-MNIST and CIFAR-10


def idx(array):
    axes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + axes + array.tobytes()


def put_fashion(folder, pack=lambda data: data, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    parts = []
    for count, images, labels in (
        (5, known.IDX_FILES[0], known.IDX_FILES[1]),
        (3, known.IDX_FILES[2], known.IDX_FILES[3]),
    ):
        x = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        y = rng.integers(0, 10, count).astype(np.uint8)
        (folder / (images + suffix)).write_bytes(pack(idx(x)))
        (folder / (labels + suffix)).write_bytes(pack(idx(y)))
        parts.append((x, y))
    return parts


@pytest.mark.parametrize(
    ("place", "pack", "suffix"),
    [
        ("cache/fashion_mnist", lambda data: data, ""),
        ("cache/fashion_mnist", gzip.compress, ".gz"),
        (".keras/datasets/fashion-mnist", gzip.compress, ".gz"),
    ],
)
def test_fashion_mnist_from_files(place, pack, suffix, home, tmp_path):
    expected = put_fashion(tmp_path / place, pack, suffix)
    for pair, wanted in zip(datasets.fashion_mnist.load_data(), expected, strict=True):
        np.testing.assert_array_equal(pair[0], wanted[0])
        np.testing.assert_array_equal(pair[1], wanted[1])


@pytest.mark.parametrize(("name", "shape"), [("fashion_mnist", (28, 28)), ("cifar10", (32, 32, 3))])
def test_npz_files(name, shape, home):
    (home / name).mkdir(parents=True)
    x, y = np.zeros((4, *shape), np.uint8), np.arange(4)[:, None]
    np.savez(home / name / f"{name}.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    (x_train, y_train), (x_test, y_test) = getattr(datasets, name).load_data()
    assert x_train.shape == x.shape
    assert y_train.shape == ((4, 1) if name == "cifar10" else (4,))
    assert (x_test.dtype, y_test.dtype) == (np.uint8, np.uint8)


def test_cifar10_from_its_binary_files(home):
    folder = home / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for index, name in enumerate(known.BINARY_FILES):
        (folder / name).write_bytes((bytes([index]) + bytes(3072)) * 2)
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x_train.shape, x_test.shape) == ((10, 32, 32, 3), (2, 32, 32, 3))
    assert y_train[:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert y_test.shape == (2, 1)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 27, 28), np.uint8), np.zeros(2, np.uint8)),
        (np.zeros((2, 28, 28), np.uint8), np.zeros(3, np.uint8)),
        (np.zeros((2, 28, 28), np.uint8), np.array([3, 10], np.uint8)),
    ],
)
def test_files_of_something_else(images, labels, home):
    folder = home / "fashion_mnist"
    put_fashion(folder)
    (folder / known.IDX_FILES[0]).write_bytes(idx(images))
    (folder / known.IDX_FILES[1]).write_bytes(idx(labels))
    with pytest.raises(DataError, match="training"):
        datasets.fashion_mnist.load_data()


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **options):
        raise urllib.error.URLError("Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def test_without_a_network_the_error_says_which_file_goes_where(home, no_network):
    with pytest.raises(DownloadError) as caught:
        datasets.cifar10.load_data()
    for part in ("cifar-10-binary.tar.gz", str(home / "cifar10"), "unreachable"):
        assert part in str(caught.value)


@pytest.fixture
def server():
    """A web server on this machine that serves one file."""
    content = b"all the numbers" * 1000

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/missing":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: 100 if self.path == "/short" else None])

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_port}", content
        http_server.shutdown()
        thread.join()


def test_download(server, tmp_path, capsys):
    address, content = server
    digest = hashlib.sha256(content).hexdigest()
    urls = [f"{address}/missing", f"{address}/file"]
    path = tmp_path / "new" / "file"
    assert download.fetch(urls, path, len(content), digest, "advice") == content
    assert path.read_bytes() == content
    output = capsys.readouterr()
    assert output.out == ""
    assert "\r" not in output.err
    assert "\x1b" not in output.err
    (tmp_path / "blocked").write_text("")
    blocked = tmp_path / "blocked" / "file"
    assert download.fetch(urls, blocked, len(content), digest, "advice") == content


@pytest.mark.parametrize(
    ("name", "size", "digest", "hint"),
    [
        ("file", 15_000, "0" * 64, "SHA-256"),
        ("file", 100, None, "expected 100 bytes, received more"),
        ("missing", 15_000, None, "404|Not Found"),
        ("short", 15_000, None, "15,000 bytes, received 100"),
    ],
)
def test_what_is_not_the_expected_file_is_never_kept(name, size, digest, hint, server, tmp_path):
    address, content = server
    digest = digest or hashlib.sha256(content).hexdigest()
    with pytest.raises(DownloadError, match=hint) as caught:
        download.fetch([f"{address}/{name}"], tmp_path / "file", size, digest, "Put it there.")
    assert str(caught.value).endswith("Put it there.")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_download_in_the_cache_is_fetched_again(home, no_network):
    (home / "cifar10").mkdir(parents=True)
    (home / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(b"half of it")
    with pytest.raises(DownloadError):
        datasets.cifar10.load_data()

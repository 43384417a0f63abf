"""`load`: from a name or a path to what a model is trained on."""

import numpy as np
import pytest
from PIL import Image

from pellucid import data
from pellucid.data.loading import load
from pellucid.data.mnist import load_mnist
from pellucid.errors import ArgumentError, DataError


def all_of(dataset, epoch=0):
    return tuple(np.concatenate(part) for part in zip(*dataset.batches(epoch), strict=True))


def test_mnist_as_the_tutorial_uses_it():
    loaded = load("mnist", limit=1000, batch_size=64, shuffle=False)
    assert (loaded.kind, loaded.task, loaded.input_shape) == (
        "image",
        "classification",
        (28, 28, 1),
    )
    assert loaded.class_names == tuple("0123456789")
    assert (loaded.training.sample_count, loaded.training.batch_count) == (1000, 16)
    assert loaded.validation is None
    assert loaded.test.first(200).sample_count == 200
    (x_train, y_train), _ = load_mnist()
    x, y = all_of(loaded.training)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[..., 0], x_train[:1000] / 255, atol=1e-7)
    np.testing.assert_array_equal(y, y_train[:1000])
    # A picture file of a digit becomes the very numbers the model was trained on.
    again = loaded.preprocessing(x_train[3])
    np.testing.assert_array_equal(again, x[3])
    assert loaded.training.element_spec[0].shape == (None, 28, 28, 1)


def test_images_stay_uint8_in_memory():
    loaded = load("mnist")
    assert loaded.training.source.arrays[0].dtype == np.uint8


def test_validation_takes_its_share_of_every_class():
    loaded = load("mnist", validation=0.1)
    counts = np.bincount(all_of(loaded.validation)[1])
    whole = counts + np.bincount(all_of(loaded.training)[1])
    np.testing.assert_array_equal(counts, np.rint(whole * 0.1))


@pytest.fixture
def folder(tmp_path):
    for index in range(20):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
            image = Image.new("RGB", (40 + index, 30), (index * 10, 255 * label, 7))
            image.save(tmp_path / "pets" / name / f"{index:02}.png")
    return tmp_path / "pets"


def test_a_folder(folder):
    loaded = load(folder, validation=0.25, batch_size=8, seed=1)
    assert loaded.input_shape == (96, 96, 3)
    assert loaded.report.ok
    x, y = all_of(loaded.training)
    assert np.bincount(y).tolist() == [15, 15]
    assert (x.dtype, x.max()) == (np.float32, 1)
    np.testing.assert_allclose(x[:, 0, 0, 1], y, atol=1e-6)
    assert np.bincount(all_of(loaded.validation)[1]).tolist() == [5, 5]
    files = set(loaded.training.file_paths), set(loaded.validation.file_paths)
    assert not files[0] & files[1]
    assert (
        load(folder, validation=0.25, seed=1).validation.file_paths == loaded.validation.file_paths
    )


def test_options_of_a_folder(folder):
    loaded = load(folder, image_size=(16, 24), color_mode="grayscale", limit=10)
    assert loaded.input_shape == (16, 24, 1)
    assert loaded.training.sample_count == 10
    assert len(set(all_of(loaded.training)[1])) == 2


def test_small_pictures_of_one_size_keep_it(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(3):
            Image.new("L", (28, 20), index * 9 + ord(name)).save(tmp_path / name / f"{index}.png")
    assert load(tmp_path).input_shape == (20, 28, 1)


def test_a_folder_that_is_not_ready(folder):
    (folder / "cat" / "bad.png").write_text("text")
    with pytest.raises(DataError, match=r"bad\.png"):
        load(folder)
    assert load(folder, skip_unreadable=True).training.sample_count == 40
    (folder / "cow").mkdir()
    with pytest.raises(DataError, match="cow"):
        load(folder, skip_unreadable=True)


def test_a_folder_with_parts(tmp_path):
    for part in ("train", "val", "test"):
        for index, name in enumerate("ab"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (8, 8), (index, len(part), 3)).save(tmp_path / part / name / "0.png")
    loaded = load(tmp_path, validation=0.5)
    assert loaded.class_names == ("a", "b")
    counts = [part.sample_count for part in (loaded.training, loaded.validation, loaded.test)]
    assert counts == [2, 2, 2]


def test_a_table(tmp_path):
    path = tmp_path / "flowers.csv"
    rows = "".join(f"{i},{'red' if i % 3 else 'blue'},{'ab'[i > 29]}\n" for i in range(60))
    path.write_text("size,colour,species\n" + rows)
    loaded = load(path, validation=0.2, shuffle=False)
    assert (loaded.kind, loaded.input_shape, loaded.output_count) == ("table", (3,), 2)
    x, y = all_of(loaded.training)
    assert np.bincount(y).tolist() == [24, 24]
    np.testing.assert_allclose([x[:, 0].mean(), x[:, 0].std()], [0, 1], atol=1e-5)
    assert abs(all_of(loaded.validation)[0][:, 0].mean()) > 1e-5
    assert load(path, target="size").task == "regression"
    assert load(path, target="size").training.element_spec[1].shape == (None, 1)
    assert load(path, target="colour", ignore=["size"]).input_shape == (2,)
    path.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DataError, match="which column to learn"):
        load(path)


def test_npz_of_images(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (12, 6, 5, 3)).astype(np.uint8)
    y = np.repeat(["dog", "cat", "cow"], 4)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])
    loaded = load(tmp_path / "a.npz", validation=0.25, shuffle=False)
    assert loaded.class_names == ("cat", "cow", "dog")
    assert loaded.input_shape == (6, 5, 3)
    assert [d.sample_count for d in (loaded.training, loaded.validation, loaded.test)] == [9, 3, 4]
    images, labels = all_of(loaded.test)
    np.testing.assert_allclose(images, x[:4] / 255, atol=1e-7)
    assert labels.tolist() == [2] * 4


@pytest.mark.parametrize("top", [1, 255])
def test_npz_of_float_images(top, tmp_path):
    x = np.random.default_rng(0).random((6, 4, 4)) * top
    np.savez(tmp_path / "a.npz", x=x, y=[[3], [8], [3], [8], [3], [8]])
    loaded = load(tmp_path / "a.npz", shuffle=False)
    assert loaded.class_names == ("3", "8")
    images, labels = all_of(loaded.training)
    np.testing.assert_allclose(images[..., 0], x / top, rtol=1e-6)
    assert labels.tolist() == [0, 1] * 3


def test_npz_of_rows(tmp_path):
    x = np.random.default_rng(0).normal(5, 3, (40, 4))
    x[:, 2] = 1
    np.savez(tmp_path / "a.npz", x=x, y=x[:, 0] * 2)
    loaded = load(tmp_path / "a.npz")
    assert (loaded.kind, loaded.task, loaded.input_shape) == ("table", "regression", (4,))
    rows, targets = all_of(loaded.training)
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(rows.std(0), [1, 1, 0, 1], atol=1e-6)
    assert (targets.shape, targets.dtype) == ((40, 1), np.float32)


@pytest.mark.parametrize(
    ("arrays", "hint"),
    [
        ({"a": np.zeros(3)}, "expected arrays named x_train"),
        ({"x": np.zeros((3, 4, 4))}, "no labels"),
        ({"x": np.zeros((3, 4, 4)), "y": np.zeros(2, int)}, "one label for each"),
        ({"x": np.zeros((3, 4, 4)), "y": np.zeros(3, int)}, "at least two classes"),
        ({"x": np.zeros((3, 4, 4)), "y": np.eye(3)}, "not one-hot"),
        ({"x": np.zeros((3, 3, 9, 9)), "y": np.arange(3)}, "Channels come last"),
        ({"x": np.full((3, 4, 4), -2.0), "y": np.arange(3)}, "pixels from 0 to 255"),
        ({"x": np.full((3, 4, 4), np.nan), "y": np.arange(3)}, "finite"),
        ({"x": np.full((3, 4), np.nan), "y": np.arange(3)}, "finite"),
        (
            {"x": np.zeros((3, 4, 4)), "y": np.arange(3),
             "x_test": np.zeros((1, 4, 4)), "y_test": [7]},
            "test label 0 is 7",
        ),
        (
            {"x": np.zeros((3, 4, 4)), "y": np.arange(3),
             "x_test": np.zeros((1, 5, 4)), "y_test": [1]},
            "test samples of shape",
        ),
    ],
)  # fmt: skip
def test_npz_that_cannot_be_learned_from(arrays, hint, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=hint):
        load(tmp_path / "a.npz")


def test_check_of_arrays(tmp_path):
    x = np.random.default_rng(0).random((6, 4, 4))
    x[1] = x[0]
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[0, 1] * 3, x_test=x[2:3], y_test=[0, 1])
    report = data.check(tmp_path / "a.npz")
    assert {problem.kind for problem in report.problems} == {
        "lengths_differ",
        "same_sample_in_two_parts",
        "duplicate",
    }
    assert [c.counts for c in report.classes] == [{"training": 3, "test": 1}] * 2
    report = data.check("mnist")
    assert report.ok
    assert report.classes[3].counts == {"training": 6131, "test": 1010}


def test_options_that_cannot_be(folder, tmp_path):
    for source, options in (
        ("mnist", {"limit": 0}),
        ("mnist", {"validation": 1.5}),
        ("mnist", {"target": "y"}),
        ("mnist", {"image_size": (5, 5)}),
        (folder, {"ignore": ["x"]}),
    ):
        with pytest.raises(ArgumentError):
            load(source, **options)
    for source in ("minst", folder / "cat" / "00.png", tmp_path / "none.csv"):
        with pytest.raises(DataError):
            load(source)
    (tmp_path / "music.mp3").write_bytes(b"ID3")
    with pytest.raises(DataError, match="none of them"):
        load(tmp_path / "music.mp3")


def test_every_public_name_is_there_and_none_hides_behind_a_module():
    from types import ModuleType

    for name in data.__all__:
        assert not isinstance(getattr(data, name), ModuleType)
    assert set(data.__all__) <= set(dir(data))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = data.lode

"""Folders of pictures: what is used, in which order, and what `check` says about the rest."""

import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pellucid.data import (
    ImageFolder,
    ImagePreprocessing,
    check,
    image_dataset_from_directory,
    list_images,
)
from pellucid.errors import ArgumentError, DataError


def save(path, colour, size=(12, 10), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes of six pictures; the red channel is the picture's number."""
    for index in range(6):
        save(tmp_path / "cat" / f"{index}.png", (index, 10, 0))
        save(tmp_path / "dog" / f"{index}.png", (index, 20, 0))
    return tmp_path


def names(paths):
    return ["/".join(Path(path).parts[-2:]) for path in paths]


def test_the_order_of_the_files_is_keras_own(folder):
    save(folder / "cat" / "inner" / "a.png", 0)
    (folder / "cat" / "notes.txt").write_text("x")
    (folder / "cat" / "._0.png").write_bytes(b"x")
    (folder / ".hidden").mkdir()
    index = list_images(folder)
    assert index.class_names == ("cat", "dog")
    assert names(index.paths)[:7] == [f"cat/{i}.png" for i in range(6)] + ["inner/a.png"]
    assert index.labels == (0,) * 7 + (1,) * 6


def test_the_split_for_a_seed_is_keras_own(folder):
    # From keras.src.utils.dataset_utils.index_directory (Keras 3.15) with seed=123.
    expected = ["cat/5", "cat/0", "cat/4", "dog/3", "dog/2", "dog/1", "dog/4", "cat/3", "cat/1"]
    expected += ["dog/0", "dog/5", "cat/2"]
    training, validation = image_dataset_from_directory(
        folder, seed=123, validation_split=0.25, subset="both", image_size=(4, 4), verbose=False
    )
    found = names([*training.file_paths, *validation.file_paths])
    assert found == [f"{name}.png" for name in expected]
    alone = image_dataset_from_directory(
        folder, seed=123, validation_split=0.25, subset="validation", verbose=False
    )
    assert alone.file_paths == validation.file_paths
    assert (len(training), training.class_names) == (1, ["cat", "dog"])


@pytest.mark.parametrize(
    ("mode", "dtype", "first"),
    [("int", "int32", 0), ("binary", "float32", [0]), ("categorical", "float32", [1, 0])],
)
def test_label_modes(mode, dtype, first, folder, capsys):
    dataset = image_dataset_from_directory(
        folder, label_mode=mode, shuffle=False, image_size=(8, 9), batch_size=5
    )
    assert capsys.readouterr().out == "Found 12 files belonging to 2 classes.\n"
    assert len(dataset) == 3
    images, labels = next(iter(dataset))
    assert (images.shape, images.dtype) == ((5, 8, 9, 3), "float32")
    assert labels.dtype == dtype
    np.testing.assert_array_equal(labels[0], first)
    assert images[3, 0, 0].tolist() == [3, 10, 0]


def test_pictures_without_labels_and_with_labels_of_ones_own(folder):
    alone = image_dataset_from_directory(folder, labels=None, image_size=(4, 4), verbose=False)
    assert next(iter(alone)).shape == (12, 4, 4, 3)
    assert alone.class_names is None
    own = image_dataset_from_directory(
        folder, labels=[3] * 6 + [7] * 6, image_size=4, shuffle=False, verbose=False
    )
    assert own.class_names == ["3", "7"]
    assert next(iter(own))[1].tolist() == [3] * 6 + [7] * 6
    one_by_one = image_dataset_from_directory(
        folder, batch_size=None, image_size=(4, 4), color_mode="grayscale", verbose=False
    )
    image, label = next(iter(one_by_one))
    assert image.shape == (4, 4, 1)
    assert label.shape == ()
    assert one_by_one.element_spec[0].shape == (None, 4, 4, 1)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"labels": "guessed"}, "labels"),
        ({"label_mode": "ordinal"}, "label_mode"),
        ({"color_mode": "hsv"}, "color_mode"),
        ({"interpolation": "gaussian"}, "interpolation"),
        ({"subset": "training"}, "validation_split"),
        ({"validation_split": 0.2}, "subset"),
        ({"validation_split": 2, "subset": "both", "seed": 1}, "between 0 and 1"),
        ({"validation_split": 0.2, "subset": "both"}, "seed"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "not both"),
        ({"data_format": "channels_first"}, "channels_last"),
        ({"labels": [1, 2], "class_names": ["cat"]}, "class_names"),
    ],
)
def test_options_that_cannot_be(options, hint, folder):
    with pytest.raises(ArgumentError, match=hint):
        image_dataset_from_directory(folder, verbose=False, **options)


def test_folders_and_labels_that_do_not_fit(folder):
    for directory, options, hint in (
        (folder, {"class_names": ["cat", "cow"]}, "no folder for the class 'cow'"),
        (folder, {"labels": [1]}, "1 labels for 12 pictures"),
        (folder / "cat", {}, "no folders"),
        (folder / "nowhere", {}, "folder that can be read"),
        (folder, {"class_names": ["cat"], "label_mode": "binary"}, "exactly 2 classes"),
        (folder, {"labels": [5] * 12, "label_mode": "categorical"}, "from 0 to 0"),
        (
            folder,
            {"validation_split": 0.01, "subset": "validation", "seed": 0},
            "Expected pictures",
        ),
    ):
        with pytest.raises(DataError, match=hint):
            image_dataset_from_directory(directory, verbose=False, **options)


@pytest.mark.parametrize("keep", [0, 10**6])
def test_the_same_batches_whatever_the_threads(keep, folder):
    prepare = ImagePreprocessing((6, 6))
    sets = [
        ImageFolder(
            list_images(folder), prepare, batch_size=5, shuffle=True, seed=4, threads=threads,
            keep_bytes=keep,
        )
        for threads in (1, 4)
    ]  # fmt: skip
    for epoch in (0, 1, 0):
        for (a, b), (c, d) in zip(*(data.batches(epoch) for data in sets), strict=True):
            assert a.dtype == np.uint8
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)
    images, labels = (np.concatenate(part) for part in zip(*sets[0].batches(2), strict=True))
    np.testing.assert_array_equal(images[:, 0, 0, 1], 10 + 10 * labels)


def test_only_a_few_pictures_are_read_ahead(folder, monkeypatch):
    read = []
    index = list_images(folder)
    dataset = ImageFolder(
        type(index)(index.paths * 20, index.labels * 20, index.class_names),
        ImagePreprocessing((4, 4)),
        batch_size=4,
        threads=2,
    )
    original = ImagePreprocessing.resize
    monkeypatch.setattr(
        ImagePreprocessing,
        "resize",
        lambda self, path: (read.append(path), original(self, path))[1],
    )
    batches = dataset.batches()
    next(batches)
    batches.close()
    assert len(read) <= 16
    assert not [t for t in threading.enumerate() if t.name.startswith("pellucid-decode")]


def test_a_picture_that_cannot_be_read_is_named(folder):
    (folder / "dog" / "5.png").write_text("not a picture")
    dataset = ImageFolder(list_images(folder), ImagePreprocessing((4, 4)))
    with pytest.raises(DataError, match=r"5\.png.*a text file"):
        list(dataset.batches())


def test_first(folder):
    dataset = ImageFolder(list_images(folder), ImagePreprocessing((4, 4)), shuffle=True).first(2)
    assert names(dataset.file_paths) == ["cat/0.png", "cat/1.png"]


# ---- check


@pytest.fixture
def messy(folder):
    """What a folder of pictures looks like after a year on a school's network drive."""
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "cat" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "__MACOSX" / "cat").mkdir(parents=True)
    (folder / "__MACOSX" / "cat" / "._0.png").write_bytes(b"\0\5\x16\7")
    (folder / "cat" / "note.png").write_text("I am a text file")
    (folder / "cat" / "empty.jpg").touch()
    whole = (folder / "dog" / "1.png").read_bytes()
    (folder / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    photo = io.BytesIO()
    Image.effect_noise((900, 700), 80).save(photo, "JPEG")
    (folder / "dog" / "half.jpg").write_bytes(photo.getvalue()[: len(photo.getvalue()) // 2])
    (folder / "dog" / "copy of 2.png").write_bytes((folder / "dog" / "2.png").read_bytes())
    (folder / "dog" / "stray cat.png").write_bytes((folder / "cat" / "3.png").read_bytes())
    (folder / "dog" / "IMG_0042").write_bytes((folder / "cat" / "4.png").read_bytes())
    (folder / "dog" / "list.xlsx").write_bytes(b"PK")
    (folder / "readme.txt").write_text("x")
    (folder / "horse").mkdir()
    return folder


def test_check_finds_everything(messy):
    report = check(messy)
    found = {problem.kind: problem for problem in report.problems}
    expected = {
        "empty": ("error", ["cat/empty.jpg"]),
        "not_an_image": ("error", ["cat/note.png: expected a JPEG"]),
        "corrupt": (
            "error",
            ["dog/half.jpg: the image is damaged", "dog/half.png: the PNG image is damaged"],
        ),
        "no_images_in_class": ("error", ["horse"]),
        "same_picture_in_two_classes": ("warning", ["cat/3.png = dog/stray cat.png"]),
        "duplicate": ("warning", ["dog/2.png = dog/copy of 2.png"]),
        "image_without_ending": ("warning", ["dog/IMG_0042"]),
        "not_used": ("note", ["dog/list.xlsx", "readme.txt"]),
        "hidden": ("note", [".DS_Store", "__MACOSX", "cat/Thumbs.db"]),
    }
    assert found.keys() == expected.keys()
    for kind, (level, paths) in expected.items():
        assert found[kind].level == level, kind
        shown = sorted(path.replace(os.sep, "/") for path in found[kind].paths)
        assert len(shown) == len(paths)
        assert all(path.startswith(start) for path, start in zip(shown, paths, strict=True)), shown
    assert [(c.index, c.name, c.counts["training"]) for c in report.classes] == [
        (0, "cat", 6),
        (1, "dog", 8),
        (2, "horse", 0),
    ]
    assert not report.ok
    assert [problem.level for problem in report.problems] == ["error"] * 4 + ["warning"] * 3 + [
        "note"
    ] * 2
    assert json.loads(json.dumps(report.to_dict()))["ok"] is False


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_report_fits_its_console(messy, width):
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None)
    check(messy).render(console, most=1)
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "Not ready to train (4 errors, 3 warnings, 2 notes)." in text
    assert "… and 2 more" in text
    assert "stray cat.png" in text.replace("\n", "")


def test_a_clean_folder(folder):
    seen = []
    report = check(folder, progress=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.problems == ()
    assert seen[-1] == (12, 12)
    assert report.facts["width × height"] == "12 × 10"
    stream = io.StringIO()
    report.render(Console(file=stream, width=80, color_system=None))
    assert "Nothing wrong was found." in stream.getvalue()


def test_parts_in_folders_of_their_own(tmp_path):
    for part in ("train", "test"):
        for index, name in enumerate(("cat", "dog")):
            save(tmp_path / part / name / "0.png", (index, part == "test", 9))
    leak = (tmp_path / "train" / "cat" / "0.png").read_bytes()
    (tmp_path / "test" / "cat" / "1.png").write_bytes(leak)
    (tmp_path / "readme.md").write_text("x")
    report = check(tmp_path)
    assert report.classes[0].counts == {"training": 1, "test": 2}
    assert {p.kind for p in report.problems} == {"same_picture_in_two_parts", "not_used"}


def test_classes_of_very_different_size(folder):
    for index in range(70):
        save(folder / "dog" / f"more{index}.png", (index, 0, 77))
    (problem,) = check(folder).problems
    assert (problem.kind, problem.level) == ("unbalanced", "note")


def test_a_folder_without_classes(tmp_path):
    report = check(tmp_path)
    assert [problem.kind for problem in report.problems] == ["too_few_classes"]
    with pytest.raises(DataError, match="no such file or folder"):
        check(tmp_path / "nowhere")


def test_one_picture(folder):
    report = check(folder / "cat" / "0.png")
    assert report.facts == {"format": "PNG", "width × height": "12 × 10", "colours": "in colour"}
    (folder / "bad.png").write_text("x")
    assert [p.kind for p in check(folder / "bad.png").problems] == ["not_an_image"]

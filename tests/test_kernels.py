"""Kernels by name, typed in, and from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from pellucid.errors import ArgumentError, DataError, NameLookupError
from pellucid.explain.filtering import as_picture, filter_picture, read_picture, save_picture
from pellucid.explain.kernels import KERNELS, get_kernel, parse_matrix, read_matrix


@pytest.mark.parametrize("name", ["sobel-x", "sobel-y", "vertical-edge", "horizontal-edge"])
def test_edges_are_those_of_scipy(name: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (12, 15)).astype(float)
    filters = {"sobel": ndimage.sobel, "edge": ndimage.prewitt}
    found = next(f for key, f in filters.items() if key in name)
    axis = 1 if name in ("sobel-x", "vertical-edge") else 0
    expected = found(picture, axis=axis)[1:-1, 1:-1] / 255
    pixels = picture.astype(np.uint8)[:, :, None]
    values = filter_picture(pixels, KERNELS[name])[:, :, 0]
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_laplacian_and_means_are_those_of_scipy() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (9, 9)).astype(float)
    pixels = picture.astype(np.uint8)[:, :, None]
    inner = (slice(1, -1), slice(1, -1))
    for name, expected in (
        ("laplacian", ndimage.laplace(picture)),
        ("blur", ndimage.uniform_filter(picture, 3)),
        ("identity", picture),
    ):
        values = filter_picture(pixels, KERNELS[name])[:, :, 0]
        np.testing.assert_allclose(values, expected[inner] / 255, atol=1e-5)


def test_kernels_have_two_families() -> None:
    differences = {name for name, kernel in KERNELS.items() if kernel.is_difference}
    assert differences == {
        "horizontal-edge", "vertical-edge", "sobel-x", "sobel-y", "laplacian",
    }  # fmt: skip
    for name in set(KERNELS) - differences:
        assert KERNELS[name].total == pytest.approx(1)
    assert all(kernel.source and kernel.description for kernel in KERNELS.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 0 -1; 1 0 -1", [[1, 0, -1], [1, 0, -1]]),
        ("[[1, 0], [0, -1]]", [[1, 0], [0, -1]]),
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1/4 −1e-1", [[0.25, -0.1]]),
        ("7", [[7]]),
    ],
)
def test_numbers_typed_in(text: str, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(get_kernel(text).values, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2; 3", "row 2 has 1"),
        ("1/0", "finite numbers"),
        ("1e999 1", "finite numbers"),
        ("1 2-3", "finite numbers"),
        ("0 " * 10_001, "at most 10000"),
        (" ; ", "rows of numbers"),
    ],
)
def test_what_is_no_matrix_is_refused(text: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        parse_matrix(text)


def test_names_are_forgiving_and_unknown_ones_are_not() -> None:
    assert get_kernel("Gaussian_Blur").name == "gaussian-blur"
    assert get_kernel("prewitt-y").name == "horizontal-edge"
    with pytest.raises(NameLookupError, match=r"'sharpen'.*Or type rows"):
        get_kernel("sharpn")


def test_a_file_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "kernel.txt"
    path.write_text("0 1 0\n1 -4 1\n0 1 0\n")
    np.testing.assert_array_equal(get_kernel(str(path)).values, KERNELS["laplacian"].values)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="text file of numbers"):
        read_matrix(str(path))
    path.write_text("one two")
    with pytest.raises(DataError, match="received 'one'"):
        read_matrix(str(path))


def test_shades(tmp_path: Path) -> None:
    signed = as_picture(np.array([[[-2.0], [0.0], [1.0]]]), signed=True)
    np.testing.assert_array_equal(signed.pixels, [[1, 128, 192]])
    clipped = as_picture(np.array([[[-1.0], [0.5], [1.0], [2.0]]]), signed=False)
    np.testing.assert_array_equal(clipped.pixels, [[0, 128, 255, 255]])
    assert "50.0%" in clipped.explanation
    assert as_picture(np.zeros((1, 1, 1)), signed=True).pixels[0, 0] == 128
    path = tmp_path / "out.png"
    save_picture(str(path), signed.pixels)
    np.testing.assert_array_equal(read_picture(str(path))[:, :, 0], signed.pixels)
    with pytest.raises(ArgumentError, match="ends in"):
        save_picture(str(tmp_path / "out.txt"), signed.pixels)


def test_colours_are_filtered_one_by_one() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    whole = filter_picture(pixels, KERNELS["sharpen"], (2, 1), "same")
    for channel in range(3):
        alone = filter_picture(pixels[:, :, channel, None], KERNELS["sharpen"], (2, 1), "same")
        np.testing.assert_array_equal(whole[:, :, channel], alone[:, :, 0])

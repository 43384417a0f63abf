"""Reading pictures: every format and colour mode, what cameras write, and what attackers write."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pellucid.data import ImagePreprocessing, preprocessing_from_config, read_image
from pellucid.data.image_header import read_header
from pellucid.errors import ArgumentError, DataError, LoadError

FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "GIF"]


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def picture():
    rng = np.random.default_rng(3)
    smooth = rng.integers(0, 255, (5, 7, 3), np.uint8)
    return Image.fromarray(smooth).resize((56, 40), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read_by_content_and_not_by_name(form, picture, tmp_path):
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
    path = tmp_path / "misnamed.txt"
    path.write_bytes(encoded(picture, form, **options))
    read = np.asarray(read_image(path)).astype(int)
    assert read.shape == (40, 56, 3)
    allowed = {"JPEG": 24, "GIF": 60}.get(form, 0)
    assert np.abs(read - np.asarray(picture)).max() <= allowed
    header = read_header(path.read_bytes(), "")
    assert (header.format, header.width, header.height) == (form, 56, 40)


@pytest.mark.parametrize("form", FORMATS)
def test_a_truncated_picture_is_a_data_error_at_every_length(form, picture):
    data = encoded(picture, form)
    for stop in {*range(0, 64), *range(64, len(data) - 2, 37)}:
        with pytest.raises(DataError):
            read_image(data[:stop])


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_picture_gives_a_picture_or_a_data_error_and_nothing_else(form, picture):
    data = encoded(picture, form)
    rng = np.random.default_rng(5)
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            damaged[place] = rng.integers(0, 256)
        with contextlib.suppress(DataError):
            read_image(bytes(damaged))


def test_random_bytes_are_a_data_error():
    rng = np.random.default_rng(7)
    starts = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\1\0\0WEBPVP8X", b"BM"]
    for index in range(200):
        with pytest.raises(DataError):
            read_image(starts[index % len(starts)] + rng.bytes(rng.integers(0, 200)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_cameras_orientation_is_applied(orientation, form):
    # Pillow's own ImageOps.exif_transpose is the independent judge.
    from PIL import ImageOps

    image = Image.new("RGB", (32, 16), "black")
    image.paste("white", (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, form, exif=exif.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    np.testing.assert_array_equal(np.asarray(read_image(data)), expected)


def test_corrupt_exif_neither_fails_nor_warns():
    data = encoded(Image.new("RGB", (8, 8)), "JPEG")
    for junk in (b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"nonsense", b""):
        segment = b"Exif\0\0" + junk
        marker = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
        assert read_image(data[:2] + marker + data[2:]).size == (8, 8)


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    data = encoded(image, "PNG")
    np.testing.assert_array_equal(np.asarray(read_image(data)), [[[255] * 3, [10, 20, 30]]])
    np.testing.assert_array_equal(np.asarray(read_image(data, "rgba"))[0, 0], [0, 0, 0, 0])


def test_palette_with_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 100])
    image.putpixel((1, 0), 1)
    data = encoded(image, "PNG", transparency=bytes([0, 255]))
    np.testing.assert_array_equal(np.asarray(read_image(data)), [[[255] * 3, [0, 0, 100]]])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_every_mode_becomes_every_colour_mode(mode, color_mode):
    image = Image.new(mode, (3, 2))
    channels = {"grayscale": (), "rgb": (3,), "rgba": (4,)}[color_mode]
    assert np.asarray(read_image(encoded(image, "PNG"), color_mode)).shape == (2, 3, *channels)


def test_sixteen_bit_grey_is_scaled_to_eight():
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    read = np.asarray(read_image(encoded(Image.fromarray(values), "PNG"), "grayscale"))
    np.testing.assert_array_equal(read, [[0, 1, 128, 255]])


def test_cmyk_jpeg():
    data = encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "JPEG")
    assert np.asarray(read_image(data)).min() > 250


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    for form in ("GIF", "PNG", "WEBP"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert read_image(data).getpixel((0, 0))[0] > 200


def png_claiming(width, height):
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def gif_claiming(width, height):
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + frame + b"\2\2\x4c\1\0;"


@pytest.mark.parametrize(
    "data",
    [
        png_claiming(10_000, 9_500),  # where Pillow would warn
        png_claiming(60_000, 60_000),  # where Pillow would raise
        gif_claiming(20_000, 20_000),  # the frame is larger than the screen
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 30_000, -30_000) + bytes(100),
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\xff\0" * 2 + bytes(10),
    ],
)
def test_more_than_fifty_megapixels_are_refused_before_decoding(data):
    with pytest.raises(DataError, match="at most 50 megapixels"):
        read_image(data, where="bomb")


def test_text_chunks_are_never_unpacked(picture):
    data = encoded(picture, "PNG")
    body = b"zTXtx\0\0" + zlib.compress(bytes(80 << 20))
    bomb = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    read = read_image(data[:33] + bomb + data[33:])
    np.testing.assert_array_equal(np.asarray(read), np.asarray(picture))


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"", "an empty file"),
        (b"just some words\n", "a text file"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"II*\0" + bytes(20), "TIFF"),
        (b"<svg xmlns='x'/>", "SVG"),
        (b"%PDF-1.4", "PDF"),
        (b"\0\x05\x16\x07" + bytes(9), "macOS"),
    ],
)
def test_other_files_are_named_for_what_they_are(data, hint, tmp_path):
    path = tmp_path / "holiday.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=hint) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_missing_files_folders_and_unknown_modes(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "no.png")
    with pytest.raises(DataError, match="received a folder"):
        read_image(tmp_path)
    with pytest.raises(ArgumentError, match="color_mode"):
        read_image(tmp_path, "hsv")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), [[0, 128, 255]]),
        (np.array([[0.0, 0.5, 1.0]]), [[0, 128, 255]]),
        (np.array([[[0], [7], [255]]], np.int64), [[0, 7, 255]]),
        (np.array([[True, False]]), [[255, 0]]),
    ],
)
def test_arrays_are_pictures(array, expected):
    np.testing.assert_array_equal(np.asarray(read_image(array, "grayscale")), expected)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[np.nan]]),
        np.array([[2.0]]),
        np.array([[300]]),
        np.array([[-1]]),
        np.zeros((2, 2, 5)),
        np.zeros((0, 4)),
        np.zeros(4),
        np.array([["a"]]),
    ],
)
def test_arrays_that_are_no_pictures(array):
    with pytest.raises(DataError):
        read_image(array)


# ---- preprocessing


def test_scale_and_offset_for_each_channel():
    prepare = ImagePreprocessing((2, 2), scale=(1.0, 0.5, 0.0), offset=(0.0, 1.0, 2.0))
    out = prepare(np.full((4, 4, 3), 100, np.uint8))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[0, 0], [100, 51, 2])


def test_a_picture_of_the_right_size_keeps_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1] = 0, 0, 0, 0
    prepare = ImagePreprocessing((28, 28), "grayscale", scale=1 / 255, fit="digit", invert="auto")
    expected = pixels[..., None].astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_array_equal(prepare(pixels), expected)


def test_fits():
    # Left half black, right half white, twice as wide as high.
    wide = np.zeros((40, 80), np.uint8)
    wide[:, 40:] = 255
    shapes = {
        fit: ImagePreprocessing((20, 20), "grayscale", fit=fit, interpolation="nearest").resize(
            wide
        )[..., 0]
        for fit in ("stretch", "crop", "pad")
    }
    half = np.repeat([[0] * 10 + [255] * 10], 20, axis=0)
    np.testing.assert_array_equal(shapes["stretch"], half)
    np.testing.assert_array_equal(shapes["crop"], half)
    framed = half.copy()
    framed[:5], framed[15:] = 0, 0
    np.testing.assert_array_equal(shapes["pad"], framed)


def test_a_large_jpeg_is_decoded_small_and_still_right():
    x = np.linspace(0, 255, 1600).astype(np.uint8)
    image = Image.fromarray(np.repeat(x[None, :, None], 1200, 0).repeat(3, 2))
    data = encoded(image, "JPEG", quality=95)
    small = ImagePreprocessing((30, 40)).resize(data)
    expected = np.asarray(image.resize((40, 30), Image.Resampling.BILINEAR))
    assert np.abs(small.astype(int) - expected).max() <= 3


def draw_digit(paper, ink, size=(300, 400)):
    """A '7' somewhere on a sheet of paper, with a little noise."""
    rng = np.random.default_rng(1)
    sheet = np.full(size, paper, np.float64) + rng.normal(0, 4, size)
    sheet[60:70, 220:270] = ink
    for step in range(90):
        left = 262 - step // 3
        sheet[70 + step, left : left + 9] = ink
    return np.clip(sheet, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("paper", "ink"), [(210, 40), (30, 220)])
def test_a_photographed_digit_looks_like_mnists(paper, ink):
    prepare = ImagePreprocessing((28, 28), "grayscale", fit="digit", invert="auto")
    digit = prepare.resize(draw_digit(paper, ink))[..., 0].astype(float)
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert digit[0].max() == 0
    assert digit.max() > 200
    centre = [(digit.sum(1 - axis) * np.arange(28)).sum() / digit.sum() for axis in (0, 1)]
    np.testing.assert_allclose(centre, 13.5, atol=0.51)


def test_uneven_light_and_noise_do_not_matter():
    sheet = draw_digit(210, 40).astype(float)
    shade = np.linspace(1, 0.55, sheet.shape[1])[None] * np.linspace(1, 0.9, len(sheet))[:, None]
    prepare = ImagePreprocessing((28, 28), "grayscale", fit="digit", invert="auto")
    even, uneven = (prepare.resize(s.astype(np.uint8)).astype(int) for s in (sheet, sheet * shade))
    assert np.abs(even - uneven).mean() < 3
    noise = np.random.default_rng(2).normal(200, 3, (300, 400)).astype(np.uint8)
    assert prepare.resize(noise).max() == 0


def test_invert():
    dark = np.zeros((10, 10), np.uint8)
    dark[4:6, 4:6] = 200
    for invert, expected in ((True, 255), ("auto", 0), (False, 0)):
        prepare = ImagePreprocessing((5, 5), "grayscale", invert=invert, interpolation="nearest")
        assert prepare.resize(dark)[0, 0, 0] == expected
    light = 255 - dark
    prepare = ImagePreprocessing((5, 5), "rgba", invert="auto", interpolation="nearest")
    np.testing.assert_array_equal(prepare.resize(light)[0, 0], [0, 0, 0, 255])


def test_a_blank_sheet_is_no_digit():
    prepare = ImagePreprocessing((28, 28), "grayscale", fit="digit", invert="auto")
    assert prepare.resize(np.full((50, 50), 255, np.uint8)).max() == 0


def test_the_configuration_is_json_and_comes_back_the_same():
    import json

    prepare = ImagePreprocessing(
        (20, 30), "rgb", (0.1, 0.2, 0.3), -1.0, "area", "crop", "auto", ("cat", "dog")
    )
    config = json.loads(json.dumps(prepare.to_config()))
    assert preprocessing_from_config(config) == prepare


@pytest.mark.parametrize(
    "change",
    [
        {"size": [10**6, 10**6]},
        {"size": [0, 5]},
        {"size": "big"},
        {"color_mode": "cmyk"},
        {"fit": "melt"},
        {"scale": [1, 2]},
        {"scale": float("nan")},
        {"invert": "maybe"},
        {"interpolation": ["bilinear"]},
        {"surprise": 1},
        {"kind": "sound"},
        {"class_names": 3},
    ],
)
def test_a_hostile_configuration_is_a_load_error(change):
    config = ImagePreprocessing((4, 4)).to_config() | change
    with pytest.raises(LoadError):
        preprocessing_from_config(config)

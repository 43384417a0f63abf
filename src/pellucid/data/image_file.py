"""Reading one picture, from a file or from memory, without surprises.

JPEG, PNG, WEBP, BMP and GIF; at most 50 megapixels, which is checked before anything is decoded.
The camera's orientation is applied. Of an animation the first frame counts. Transparent pixels are
laid on white, unless the transparency itself is asked for (`rgba`). Sixteen-bit greys are scaled to
eight bits.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data._files import read_bytes
from pellucid.data.image_header import ImageHeader, read_header
from pellucid.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["CHANNELS", "read_image"]

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""The colour modes, as Keras names them, and their channels."""

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_MAX_FILE_BYTES = 256 << 20


def read_image(
    source: object, color_mode: str = "rgb", *, near: int | None = None, where: str | None = None
) -> Image.Image:
    """Return a picture as a Pillow image of mode L, RGB or RGBA.

    Args:
        source: a path; a file's content (bytes); a Pillow image; or an array `(H, W)` or
            `(H, W, C)` of 1, 3 or 4 channels: whole numbers from 0 to 255, or floats from 0 to 1.
        color_mode: 'grayscale', 'rgb' or 'rgba'.
        near: a side in pixels below which detail is not needed: a JPEG of more than twice this
            size is decoded at a half, a quarter or an eighth of its size, which is much faster.
        where: what to call the source in errors.

    Raises:
        ArgumentError: the colour mode is unknown.
        DataError: the picture cannot be read; the message says why, and which file it is.
    """
    if color_mode not in _MODES:
        raise ArgumentError(
            f"Expected color_mode to be one of {', '.join(map(repr, _MODES))}; "
            f"received {color_mode!r}."
        )
    from PIL import Image

    if isinstance(source, str | os.PathLike):
        where = where or str(source)
        source = read_bytes(source, _MAX_FILE_BYTES)
    where = where or "the image"
    try:
        if isinstance(source, bytes):
            return _decode(read_header(source, where), color_mode, near)
        if isinstance(source, Image.Image):
            return _to_mode(source, color_mode)
        return _to_mode(_from_array(np.asarray(source), where), color_mode)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        raise DataError(f"{where}: the image is damaged or truncated ({error}).") from error


def _decode(header: ImageHeader, color_mode: str, near: int | None) -> Image.Image:
    from PIL import Image

    with Image.open(io.BytesIO(header.data), formats=[header.format]) as image:
        if image.width * image.height > header.width * header.height:
            raise ValueError("its size is not what its header says")
        if near is not None and header.format == "JPEG":
            image.draft(None, (2 * near, 2 * near))
        image.load()
        turn = _TURNS.get(header.orientation)
        converted = _to_mode(image, color_mode)
        return converted if turn is None else converted.transpose(Image.Transpose[turn])


# What undoes each of Exif's orientations.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def _to_mode(image: Image.Image, color_mode: str) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        image = Image.fromarray(_to_eight_bits(wide))
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if transparent:
        image = image.convert("RGBA")
        if color_mode != "rgba":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode not in ("1", "L", "RGB", "RGBA"):
        image = image.convert("RGB")
    return image.convert(_MODES[color_mode])


def _to_eight_bits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    scaled: np.ndarray[Any, Any] = (np.clip(values, 0, 65535) + 128) // 257
    return scaled.astype(np.uint8)


def _from_array(array: np.ndarray[Any, Any], where: str) -> Image.Image:
    from PIL import Image

    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.size == 0:
        raise DataError(
            f"{where}: expected an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), "
            f"received shape {array.shape}."
        )
    kind = array.dtype.kind
    if kind == "b":
        array = array * np.uint8(255)
    elif kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN fails it
            raise DataError(
                f"{where}: expected floats from 0 to 1, received {array.min():g} to "
                f"{array.max():g}. Pass values from 0 to 255 as uint8."
            )
        array = np.rint(array * 255)
    elif kind not in "iu" or array.min() < 0 or array.max() > 255:
        raise DataError(
            f"{where}: expected whole numbers from 0 to 255 or floats from 0 to 1, "
            f"received {array.dtype}" + (f" up to {array.max()}." if kind in "iu" else ".")
        )
    values = array.astype(np.uint8)
    return Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)

"""From any picture to exactly the numbers a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.digit import as_digit, background_is_lighter
from pellucid.data.image_file import CHANNELS, read_image
from pellucid.data.image_header import MAX_PIXELS
from pellucid.errors import ArgumentError, LoadError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FITS", "INTERPOLATIONS", "ImagePreprocessing"]

Array = np.ndarray[Any, Any]

INTERPOLATIONS = {
    "nearest": "NEAREST",
    "bilinear": "BILINEAR",
    "bicubic": "BICUBIC",
    "area": "BOX",
    "lanczos3": "LANCZOS",
}
"""Ways to resize, as Keras names them, and Pillow's names for them."""

FITS = ("stretch", "crop", "pad", "digit")


@dataclass(frozen=True)
class ImagePreprocessing:
    """What is done to a picture before a model sees it: `x = scale · pixel + offset`.

    In order: colours, `invert`, `fit` to `size`, then `scale` and `offset`. It is saved with the
    model, so that prediction needs nothing but the model and the picture. Pillow resizes with
    antialiasing, so that a large photograph shrinks without losing thin lines.

    Args:
        size: (height, width) in pixels.
        color_mode: 'grayscale', 'rgb' or 'rgba'. Without 'rgba', transparent pixels become white.
        scale, offset: one number, or one for each channel; 1/255 and 0 give values from 0 to 1.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'area' or 'lanczos3'.
        fit: 'stretch' ignores the aspect ratio; 'crop' keeps the largest middle part that has it;
            'pad' adds black; 'digit' finds the one dark or light shape there is, scales it to 20/28
            of the size and centres its mass, as the pictures of MNIST were made. A picture that has
            the right size already is left as it is.
        invert: True exchanges dark and light; 'auto' does so when the border is lighter than what
            it surrounds, as on paper, for models trained on light shapes before black.
        class_names: the classes, in the order of the model's outputs.

    Raises:
        ArgumentError: an option has a value it cannot have.

    Example:
        >>> prepare = ImagePreprocessing((2, 2), "grayscale", scale=1 / 255, invert="auto")
        >>> prepare(np.full((4, 4), 255, np.uint8)).shape
        (2, 2, 1)
    """

    size: tuple[int, int]
    color_mode: str = "rgb"
    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0
    interpolation: str = "bilinear"
    fit: str = "stretch"
    invert: bool | str = False
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("color_mode", tuple(CHANNELS)),
            ("interpolation", tuple(INTERPOLATIONS)),
            ("fit", FITS),
        ):
            if getattr(self, name) not in choices:
                raise ArgumentError(
                    f"Expected {name} to be one of {', '.join(map(repr, choices))}; "
                    f"received {getattr(self, name)!r}."
                )
        if self.invert not in (True, False, "auto"):
            raise ArgumentError(f"Expected invert as True, False or 'auto'; got {self.invert!r}.")
        object.__setattr__(self, "size", _sides(self.size))
        for name in ("scale", "offset"):
            object.__setattr__(self, name, self._numbers(name))
        if self.class_names is not None:
            object.__setattr__(self, "class_names", tuple(map(str, self.class_names)))

    def _numbers(self, name: str) -> float | tuple[float, ...]:
        value = getattr(self, name)
        channels = CHANNELS[self.color_mode]
        given = list(value) if isinstance(value, list | tuple) else [value]
        if not all(isinstance(one, int | float) and math.isfinite(one) for one in given) or len(
            given
        ) not in (1, channels):
            raise ArgumentError(
                f"Expected {name} to be a finite number, or {channels} of them; received {value!r}."
            )
        return float(given[0]) if len(given) == 1 else tuple(map(float, given))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of one sample: (height, width, channels)."""
        return (*self.size, CHANNELS[self.color_mode])

    def __call__(self, source: object) -> Array:
        """Return a picture as the model wants it: float32 `(H, W, C)`.

        Args:
            source: whatever `read_image` takes: a path, bytes, a Pillow image or an array.

        Raises:
            DataError: the picture cannot be read.
        """
        return self.normalize(self.resize(source))

    def resize(self, source: object) -> Array:
        """Return a picture in the right size and colours, before scaling: uint8 `(H, W, C)`."""
        near = None if self.fit == "digit" else max(self.size)
        image = read_image(source, self.color_mode, near=near)
        if self.invert is True or (self.invert == "auto" and background_is_lighter(image)):
            image = _inverted(image)
        height, width = self.size
        if image.size != (width, height):
            image = self._fitted(image)
        return np.asarray(image).reshape(self.input_shape).copy()

    def normalize(self, images: Array) -> Array:
        """Return `scale · images + offset` as float32, for one image or a batch `(N, H, W, C)`."""
        values: Array = np.multiply(images, np.asarray(self.scale, np.float32), dtype=np.float32)
        if self.offset != 0.0:
            values += np.asarray(self.offset, np.float32)
        return values

    def _fitted(self, image: Image.Image) -> Image.Image:
        from PIL import Image

        resample = Image.Resampling[INTERPOLATIONS[self.interpolation]]
        height, width = self.size
        if self.fit == "digit":
            return as_digit(image, self.size)
        if self.fit == "stretch":
            return image.resize((width, height), resample)
        ratios = width / image.width, height / image.height
        if self.fit == "crop":
            part = width / max(ratios), height / max(ratios)
            left, top = (image.width - part[0]) / 2, (image.height - part[1]) / 2
            box = (left, top, left + part[0], top + part[1])
            return image.resize((width, height), resample, box=box)
        inner = (
            max(1, round(image.width * min(ratios))),
            max(1, round(image.height * min(ratios))),
        )
        framed = Image.new(image.mode, (width, height))
        corner = (width - inner[0]) // 2, (height - inner[1]) // 2
        framed.paste(image.resize(inner, resample), corner)
        return framed

    def to_config(self) -> dict[str, Any]:
        """Return the options as plain JSON-able values; `from_config` takes them back."""
        options = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        return {"kind": "image", **options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ImagePreprocessing:
        """Return the preprocessing that `to_config` described.

        Raises:
            LoadError: an option is missing, unknown or impossible.
        """
        known = {field.name for field in fields(cls)}
        if config.get("kind") != "image" or set(config) - known - {"kind"}:
            raise LoadError(
                f"Expected the image preprocessing's options ({', '.join(sorted(known))}), "
                f"received {', '.join(sorted(map(str, config)))}."
            )
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in config.items()
            if name != "kind"
        }
        try:
            return cls(**options)
        except (ArgumentError, TypeError) as error:
            raise LoadError(f"The saved image preprocessing cannot be used: {error}") from error


def _sides(size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    whole = all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if len(sides) != 2 or not whole or sides[0] * sides[1] > MAX_PIXELS:
        raise ArgumentError(
            f"Expected size as (height, width) in pixels, at most {MAX_PIXELS // 1_000_000} "
            f"megapixels; received {size!r}."
        )
    return int(sides[0]), int(sides[1])


def _inverted(image: Image.Image) -> Image.Image:
    from PIL import Image, ImageOps

    if image.mode == "RGBA":
        *colours, alpha = image.split()
        return Image.merge("RGBA", [*(ImageOps.invert(band) for band in colours), alpha])
    return ImageOps.invert(image)

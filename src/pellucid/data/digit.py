"""Making a photograph of a digit look like one of MNIST's.

MNIST's pictures were black and white; each digit was scaled to fit 20 × 20 pixels, its aspect ratio
kept and its edges made grey by antialiasing, and then placed in 28 × 28 pixels so that its centre
of mass is in the middle.

Sources: Y. LeCun et al., "The MNIST database of handwritten digits"; N. Otsu, "A threshold
selection method from gray-level histograms", IEEE Trans. SMC 9 (1), 1979.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["as_digit", "background_is_lighter"]

_INK_PART = 20 / 28
_LONGEST_SIDE = 512
# A shape that stands out by fewer levels than this is taken for noise.
_FAINTEST = 16


def background_is_lighter(image: Image.Image) -> bool:
    """Tell whether a picture's border is lighter than what it surrounds, as on paper.

    The border's median is compared with the middle between the picture's darkest and lightest
    levels, not counting two pixels in a thousand at either end. One even colour counts as light
    from 128 on.
    """
    grey = _small_grey(image)
    edge = max(1, min(grey.shape) // 20)
    inside = np.zeros(grey.shape, bool)
    inside[edge:-edge, edge:-edge] = True
    border = float(np.median(grey[~inside]))
    darkest, lightest = np.percentile(grey, (0.2, 99.8))
    return bool(border > ((darkest + lightest) / 2 if lightest > darkest else 127.5))


def as_digit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the light shape on the dark background of `image` as MNIST would show it.

    Args:
        image: a picture whose background is darker than the shape.
        size: (height, width) of the result, of which the shape takes 20/28.

    A picture without a shape comes back black.
    """
    from PIL import Image, ImageFilter

    height, width = size
    result = Image.new("L", (width, height))
    grey = _small_grey(image)
    if min(grey.shape) > 4 * max(size):
        # Specks would stretch the shape's outline; in a smaller picture they may be its lines.
        grey = np.asarray(Image.fromarray(grey).filter(ImageFilter.MedianFilter(3)))
    grey = _without_shading(grey)
    ink = grey > _otsu(grey)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size:
        shape = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = min(height * _INK_PART / shape.shape[0], width * _INK_PART / shape.shape[1])
        inner = tuple(max(1, round(side * scale)) for side in shape.shape[::-1])
        small = Image.fromarray(shape.astype(np.uint8) * 255).resize(
            (inner[0], inner[1]), Image.Resampling.BOX
        )
        mass = np.asarray(small, np.float64)
        down, right = (
            float((mass.sum(axis=1 - axis) * np.arange(mass.shape[axis])).sum() / mass.sum())
            for axis in (0, 1)
        )
        result.paste(small, (round((width - 1) / 2 - right), round((height - 1) / 2 - down)))
    return result.convert(image.mode)


def _small_grey(image: Image.Image) -> np.ndarray[Any, Any]:
    from PIL import Image

    grey = image.convert("L")
    grey.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BOX)
    return np.array(grey)


def _without_shading(grey: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what stands out from a background that is lit unevenly, as 0 to 255.

    The background is the surface of second degree, a + bx + cy + dx² + exy + fy², that fits the
    picture best; fitted once to all pixels, then twice to those that do not stand out.
    """
    down, right = np.meshgrid(*(np.linspace(-1, 1, side) for side in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(down), down, right, down**2, down * right, right**2], axis=-1)
    values = grey.astype(np.float64)
    fitted = np.ones(grey.shape, bool)
    for _ in range(3):
        surface = terms @ np.linalg.lstsq(terms[fitted], values[fitted], rcond=None)[0]
        excess = values - surface
        fitted = excess <= np.percentile(excess, 80)
    strongest = np.percentile(excess, 99.8)
    if strongest < _FAINTEST:
        return np.zeros(grey.shape, np.uint8)
    levels: np.ndarray[Any, Any] = np.clip(excess * (255 / strongest), 0, 255)
    return levels.astype(np.uint8)


def _otsu(grey: np.ndarray[Any, Any]) -> int:
    """Return the level that splits the pixels so that σ² between the two parts is greatest."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    levels = np.arange(256)
    below, above = counts.cumsum(), counts[::-1].cumsum()[::-1] - counts
    sums = (counts * levels).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = sums / below - (sums[-1] - sums) / above
    spread = np.where((below > 0) & (above > 0), below * above * difference**2, 0.0)
    return int(spread.argmax()) if spread.any() else 255

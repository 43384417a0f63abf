"""What an image file says about itself before any pixel is decoded.

The kind of file is told by its content, never by its name. The size is known before memory is
given to it. Only what the pixels need is passed on to the decoder: text, thumbnails, animation and
colour profiles stay behind, and the orientation a camera wrote is read here.

Sources: ITU-T T.81 (JPEG), the PNG specification (W3C), the GIF89a specification, RFC 9649 (WebP),
CIPA DC-008 (Exif).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pellucid.errors import DataError

__all__ = ["MAX_PIXELS", "ImageHeader", "image_format", "read_header"]

MAX_PIXELS = 50_000_000
"""No image with more pixels than this is decoded."""

_EXPECTED = "expected a JPEG, PNG, WEBP, BMP or GIF image"


@dataclass(frozen=True)
class ImageHeader:
    """A file's format, its size in pixels, its orientation (Exif's 1 to 8) and its pixels."""

    format: str
    width: int
    height: int
    orientation: int
    data: bytes


def image_format(head: bytes) -> str | None:
    """Return 'JPEG', 'PNG', 'WEBP', 'BMP' or 'GIF' from a file's first 32 bytes, else None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    # Two letters are weak evidence, so BMP's header size must be one of those in use as well.
    if head.startswith(b"BM") and head[14:18] in _BMP_HEADERS:
        return "BMP"
    return None


def read_header(data: bytes, where: str) -> ImageHeader:
    """Return the header of an image file's content; `where` names the file in errors.

    Raises:
        DataError: this is not one of the five formats, it is truncated or damaged, or it has more
            than 50 megapixels.
    """
    form = image_format(data[:32])
    if form is None:
        raise DataError(f"{where}: {_EXPECTED}, received {_other(data)}.")
    try:
        header = _READERS[form](data)
    except (struct.error, IndexError):
        raise DataError(f"{where}: the {form} image is truncated.") from None
    except _DamagedError as error:
        raise DataError(f"{where}: the {form} image is damaged ({error}).") from None
    if header.width < 1 or header.height < 1:
        raise DataError(f"{where}: the {form} image says it has no pixels.")
    if header.width * header.height > MAX_PIXELS:
        raise DataError(
            f"{where}: the image has {header.width:,} × {header.height:,} pixels; "
            f"expected at most {MAX_PIXELS // 1_000_000} megapixels. Scale it down first."
        )
    return header


class _DamagedError(Exception):
    pass


def _jpeg(data: bytes) -> ImageHeader:
    kept = [data[:2]]
    width = height = 0
    orientation = 1
    at = 2
    while True:
        if data[at] != 0xFF:
            raise _DamagedError(f"no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        if length < 2 or len(segment) < 2 + length:
            raise _DamagedError("a segment is truncated")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            high, wide = struct.unpack_from(">HH", segment, 5)
            width, height = max(width, wide), max(height, high)
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0":
            orientation = _orientation(segment[10:])
        # APP0 and APP14 say how colours are coded; the other APPn and comments carry no pixels.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
        at += 2 + length
        if marker == 0xDA:
            kept.append(data[at:])
            return ImageHeader("JPEG", width, height, orientation, b"".join(kept))


def _png(data: bytes) -> ImageHeader:
    width, height = struct.unpack_from(">II", data, 16)
    kept = [data[:8]]
    orientation = 1
    at = 8
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if at == 8 and (kind != b"IHDR" or length != 13):
            raise _DamagedError("no IHDR chunk at its start")
        stop = at + 12 + length
        if stop > len(data):
            raise _DamagedError(f"truncated in its {kind!r} chunk")
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[at:stop])
        if kind == b"eXIf":
            orientation = _orientation(data[at + 8 : stop - 4])
        if kind == b"IEND":
            return ImageHeader("PNG", width, height, orientation, b"".join(kept))
        at = stop


def _gif(data: bytes) -> ImageHeader:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while True:
        if data[at] == 0x2C:
            left, top, wide, high = struct.unpack_from("<4H", data, at + 1)
            # A first frame that reaches beyond the screen makes the screen larger.
            width, height = max(width, left + wide), max(height, top + high)
            return ImageHeader("GIF", width, height, 1, data)
        if data[at] == 0x21:
            at += 2
            while data[at]:
                at += 1 + data[at]
        elif data[at]:
            raise _DamagedError("no image in it")
        at += 1


def _webp(data: bytes) -> ImageHeader:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise _DamagedError("truncated")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        if len(data) < 30:
            raise _DamagedError("truncated")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    else:
        raise _DamagedError(f"unknown chunk {kind!r}")
    return ImageHeader("WEBP", width, height, _webp_orientation(data), data)


def _webp_orientation(data: bytes) -> int:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        if data[at : at + 4] == b"EXIF":
            return _orientation(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return 1


_BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)}


def _bmp(data: bytes) -> ImageHeader:
    layout = "<HH" if data[14] == 12 else "<ii"
    width, height = struct.unpack_from(layout, data, 18)
    return ImageHeader("BMP", width, abs(height), 1, data)  # a negative height: top row first


_READERS = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WEBP": _webp, "BMP": _bmp}


def _orientation(tiff: bytes) -> int:
    """Return tag 0x0112 of Exif's first directory; 1 (upright) when there is none to be read."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(
                order + "HHIH", tiff, directory + 2 + 12 * entry
            )
            if tag == 0x0112:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _other(data: bytes) -> str:
    """Say what a file is that is none of ours, and what to do about it where that is known."""
    if not data:
        return "an empty file"
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"):
            return "a HEIC photo (export it as JPEG)"
        return "an AVIF image (save it as PNG or JPEG)" if data[8:12] == b"avif" else "a video"
    for start, name in (
        (b"II*\0", "a TIFF image (save it as PNG)"),
        (b"MM\0*", "a TIFF image (save it as PNG)"),
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a zip file"),
        (b"\0\x05\x16\x07", "the extra information macOS keeps about another file"),
        (b"\xd0\xcf\x11\xe0", "an old Office document or a Thumbs.db"),
    ):
        if data.startswith(start):
            return name
    head = data[:512]
    if b"<svg" in head:
        return "an SVG drawing (save it as PNG)"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in head):
        return "a text file"
    return "something else"

"""What kind of file some bytes are: by what they hold, never by the file's name."""

from __future__ import annotations

import io
import zipfile

from pellucid.errors import LoadError
from pellucid.formats._hdf5 import SIGNATURE

__all__ = ["kind_of", "require_model", "require_weights"]

_MAGIC = {
    SIGNATURE: "hdf5",
    b"\x93NUMPY": "npy",
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
}
_LONGEST_LIST = 100_000_000


def kind_of(data: bytes) -> str:
    """Return the kind of a file, of which `data` is the whole.

    One of "hdf5", "keras", "npz", "pytorch" (a zip file with a pickle in it), "zip", "safetensors",
    "onnx", "npy", "pickle", "gzip", "picture", "tflite", "unknown".
    """
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[4:8] == b"TFL3":
        return "tflite"
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data)
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= min(len(data), _LONGEST_LIST):
        return "safetensors"
    # An ONNX file is a protocol buffer without a signature. Its first field is the version of the
    # format, a small number, and the next is the text of who made it, or another field of its kind.
    if (
        data[:1] == b"\x08"
        and 0 < data[1] < 0x20
        and data[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42")
    ):
        return "onnx"
    return "unknown"


def _kind_of_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):  # damaged, or unknown
        return "zip"
    if "config.json" in names or "model.weights.h5" in names:
        return "keras"
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return "pytorch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "zip"


def require_model(kind: str, where: str) -> None:
    """Raise a LoadError, which says what to do, for a kind of file that is known and no model."""
    _refuse_python_objects(kind, where)
    if kind in ("safetensors", "npz"):
        raise LoadError(
            f"{where} holds weights, but not the model that they are of. Make the model, and call "
            "its load_weights."
        )
    if kind == "tflite":
        raise LoadError(f"{where} is a TensorFlow Lite model, which is not known here.")


def require_weights(kind: str, where: str) -> None:
    """Raise a LoadError, which says what to do, for a kind of file that is known and no weights."""
    _refuse_python_objects(kind, where)
    if kind == "npy":
        raise LoadError(
            f"{where} holds one array, without a name. Expected a file of named arrays: .npz, "
            ".safetensors, .weights.h5 or .keras."
        )
    if kind == "onnx":
        raise LoadError(f"{where} is a whole ONNX model: open it with load_model.")


def _refuse_python_objects(kind: str, where: str) -> None:
    if kind not in ("pytorch", "pickle"):
        return
    converted = f"{where.rpartition('.')[0] or where}.safetensors"
    raise LoadError(
        f"{where} holds Python objects (a pickle). Reading it would run code that is in it, so it "
        "is not read. If you trust it, PyTorch converts its weights:\n"
        "  import torch, safetensors.torch\n"
        f"  safetensors.torch.save_file(torch.load({where!r}, map_location='cpu', "
        f"weights_only=True), {converted!r})"
    )

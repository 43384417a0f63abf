"""Reading and writing files: every reader is bounded and safe, every writer atomic."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.formats._atomic import atomic_file, atomic_write
    from pellucid.formats.keras_file import load_model, save_model
    from pellucid.formats.onnx.export import export_onnx
    from pellucid.formats.weight_files import load_weights, save_weights

__all__ = [
    "atomic_file",
    "atomic_write",
    "export_onnx",
    "load_model",
    "load_weights",
    "save_model",
    "save_weights",
]


def __getattr__(name: str) -> Any:
    # Models use this package and this package makes models, so neither is loaded with the other.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = {
        "atomic_file": "_atomic",
        "atomic_write": "_atomic",
        "export_onnx": "onnx.export",
        "load_weights": "weight_files",
        "save_weights": "weight_files",
    }.get(name, "keras_file")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)

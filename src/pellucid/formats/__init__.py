"""Reading and writing files: every reader is bounded and safe, every writer atomic."""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.formats._atomic import atomic_file as atomic_file
    from pellucid.formats._atomic import atomic_write as atomic_write
    from pellucid.formats.keras_file import load_model as load_model
    from pellucid.formats.keras_file import save_model as save_model
    from pellucid.formats.onnx.export import export_onnx as export_onnx
    from pellucid.formats.weight_files import load_weights as load_weights
    from pellucid.formats.weight_files import save_weights as save_weights

# Models use this package and this package makes models, so neither can be loaded with the other.
load_on_use(
    __name__,
    {
        "pellucid.formats._atomic": "atomic_file atomic_write",
        "pellucid.formats.keras_file": "load_model save_model",
        "pellucid.formats.onnx.export": "export_onnx",
        "pellucid.formats.weight_files": "load_weights save_weights",
    },
)

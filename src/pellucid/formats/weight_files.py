"""Loading and saving weights: Keras' files, safetensors and NPZ files.

What a file is, its bytes say and not its name. Files of Python objects (`.pt`, `.pth`, `.ckpt`,
`.pkl`) are refused, since reading them runs code that is in them.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np

from pellucid.errors import ArgumentError, DataError, LoadError
from pellucid.formats import keras_file
from pellucid.formats._archive import read_archive, read_file
from pellucid.formats._atomic import atomic_write
from pellucid.formats._kind import kind_of, require_weights
from pellucid.formats._placing import Placed, WeightTable, fitting, put
from pellucid.formats._safetensors import Tensor, read_safetensors, write_safetensors
from pellucid.formats._torch_names import placed_by_shape
from pellucid.formats._weights import by_place
from pellucid.models import Model
from pellucid.ops._operation import Array

__all__ = ["load_weights", "read_tensors", "save_weights"]

_ENDINGS = (".weights.h5", ".safetensors", ".npz")
_NOTES = {"format": "pellucid", "layout": "channels_last"}


def load_weights(
    model: Model,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    by_name: bool = False,
    mapping: Mapping[str, str | None] | None = None,
) -> WeightTable:
    """Set a model's weights from a file, of Keras', PyTorch's or Pellucid's.

    - `.weights.h5` and `.keras` of Keras 3 and Pellucid, with the optimiser's state; legacy `.h5`
      of Keras 2 and 3, of which only the weights are taken.
    - `.safetensors` and `.npz` with PyTorch's names and layouts: kernels (O, I, KH, KW), dense
      weights (O, I), `running_mean` and `running_var`. Entries go where their shapes fit; where
      several fit, their order decides, if there is one. Layouts are changed on the way, also that
      of a dense layer which reads flattened maps.
    - `.safetensors` and `.npz` that `save_weights` wrote.

    Nothing changes unless everything fits.

    Args:
        model: The model.
        filepath: The file.
        skip_mismatch: Whether to leave a layer as it is, with a warning, where the file has nothing
            that fits.
        by_name: For a legacy file: whether to load the layers whose names agree, and leave the
            others; otherwise layers agree by their order.
        mapping: For a file of PyTorch's: what goes where, as far as shapes and order do not say:
            {"layer1.0.conv1": "conv2d_3", "fc.weight": "dense/kernel", "aux.weight": None}. On the
            left a module or an entry of the file, on the right a layer or a weight, or None to
            leave the entry out.

    Returns:
        What went where; printed, it is a table.

    Raises:
        LoadError: The file is broken, is of Python objects, or is not of a model like this one.
        NotBuiltError: The model has no weights yet.
        ArgumentError: An option does not go with the file, or the mapping does not fit.

    Warns:
        UserWarning: Some weights are NaN or infinite, or `skip_mismatch` left something out.
    """
    keras_file.require_built(model)
    where = str(filepath)
    data = read_file(filepath)
    kind = kind_of(data)
    if kind not in ("safetensors", "npz"):
        require_weights(kind, where)
        if mapping is not None:
            raise ArgumentError(f"mapping is for .safetensors and .npz files; {where} is neither.")
        return keras_file.assign_weights(model, data, where, skip_mismatch, by_name)
    if by_name:
        raise ArgumentError("by_name is for legacy .h5 files; say with mapping what goes where.")
    tensors = read_tensors(filepath, data, kind)
    own = by_place(model)
    ignored: list[str] = []
    if set(tensors) == set(own) and not mapping:
        placed = [
            Placed(name, variable, array)
            for name, variable in own.items()
            if (array := fitting(tensors[name].array, variable, name, where, skip_mismatch))
            is not None
        ]
    else:
        placed, ignored = placed_by_shape(model, tensors, where, mapping or {}, skip_mismatch)
    put(placed, where)
    return WeightTable(placed, ignored)


def read_tensors(filepath: str | os.PathLike[str], data: bytes, kind: str) -> dict[str, Tensor]:
    """Return the arrays of a safetensors or NPZ file by name, in its order."""
    if kind == "safetensors":
        return read_safetensors(data, str(filepath))[0]
    from pellucid.data.npz import read_npz

    read_archive(data, (), str(filepath))  # refuses what would unpack to much more than the file
    try:
        arrays = read_npz(filepath)
    except DataError as error:
        raise LoadError(str(error)) from error
    return {name: Tensor(array, array.dtype.name) for name, array in arrays.items()}


def save_weights(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Save the weights as `.weights.h5`, which Keras 3 opens, or as `.safetensors` or `.npz`.

    A `.weights.h5` file has the optimiser's state as well. The entries of the others are called
    after a layer's class and its place among those of its class, such as `conv2d_1/kernel`,
    whatever the layer is called, and have the shapes that they have here, channels last.

    Raises:
        ArgumentError: The name has another ending, or the file is there and `overwrite` is False.
        NotBuiltError: The model has no weights yet.
        OSError: The file cannot be written.
    """
    path = keras_file.target(filepath, _ENDINGS, overwrite)
    keras_file.require_built(model)
    if path.name.endswith(".weights.h5"):
        data = keras_file.weights_file(model)
    else:
        arrays = {name: variable.value for name, variable in by_place(model).items()}
        npz = path.suffix == ".npz"
        data = _npz(arrays) if npz else write_safetensors(arrays, _NOTES)
    atomic_write(path, data)


def _npz(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()

"""ONNX files: read without trusting them, as models of ordinary layers with their channels last.

| file           | what it does                                                             |
|----------------|--------------------------------------------------------------------------|
| `_read`        | bytes → a graph of plain records, every claim in it checked              |
| `_tensors`     | the arrays in it                                                         |
| `_external`    | arrays that lie in files beside it, in one folder                        |
| `_convert`     | graph → model                                                            |
| `_builder`     | what makes the layers                                                    |
| `_layout`      | where a value's numbers lie, so that nothing is moved without need       |
| `_batch`       | shapes worked out while the batch size is open                           |
| `operators/`   | what each operator becomes                                               |
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.formats._archive import read_file

if TYPE_CHECKING:
    from pellucid.models import Model

__all__ = ["load_onnx"]

Path_ = str | os.PathLike[str]
InputShape = Sequence[int] | Mapping[str, Sequence[int]]


def load_onnx(
    filepath: Path_,
    external_data: Path_ | None = None,
    input_shape: InputShape | None = None,
) -> Model:
    """Return the model in an ONNX file.

    Args:
        filepath: the file.
        external_data: the folder that weights outside the file may be read from.
        input_shape: the shape of one input, channels last, if the file leaves it open; a dict by
            the inputs' names if there are several.

    Raises:
        LoadError: the file is broken, or holds something that is not supported.
    """
    from pellucid.formats.onnx._convert import load_graph
    from pellucid.formats.onnx._external import ExternalData
    from pellucid.formats.onnx._read import graph_of, parse

    where = str(filepath)
    model = parse(read_file(filepath), where)
    external = ExternalData(external_data, Path(filepath).name)
    return load_graph(graph_of(model, external, where), where, input_shape)

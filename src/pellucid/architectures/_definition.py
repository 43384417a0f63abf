"""Models from a file of the user's own: a list of layers in JSON, a Keras configuration, or code.

```json
{"layers": [
  {"layer": "Conv2D", "filters": 8, "kernel_size": 3, "activation": "relu"},
  {"layer": "MaxPooling2D"},
  {"layer": "Flatten"},
  {"layer": "Dense", "units": "outputs", "activation": "softmax"}
]}
```

Each entry names a layer of `pellucid.layers` and gives its arguments; "outputs" stands for the
number of classes, and the input's shape comes from the data. JSON as `model.to_json()` writes it,
here or in Keras, is taken as well. Neither kind of JSON runs any code. A `.py` file does: it has a
function `build_model(input_shape, classes)` that returns a model.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.architectures._head import Shape, start
from pellucid.errors import ArgumentError, LoadError, PellucidError, ShapeError
from pellucid.layers import Input, Layer, deserialize
from pellucid.models import Model, Sequential

__all__ = ["model_from_file"]

_MAX_BYTES = 16 << 20


def model_from_file(
    path: str, input_shape: Shape, outputs: int, task: str, augment: Sequence[Layer] = ()
) -> Model:
    """Return the model that a `.json` or `.py` file defines. A `.py` file is executed.

    Raises:
        LoadError: The file cannot be read, or does not define a model.
        ShapeError: The model does not take such samples, or gives another number of outputs.
    """
    del task  # a definition says itself how the model ends
    text = _read(path)
    if Path(path).suffix.lower() == ".py":
        model = _from_code(path, text, input_shape, outputs)
    else:
        model = _from_json(path, text, input_shape, outputs)
    if not model.built:
        model.build((None, *input_shape))
    _require_fit(path, model, input_shape, outputs)
    if not augment:
        return model
    image, x = start(input_shape, augment)
    return Model(image, model(x))


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise LoadError(f"{path}: expected at most 16 MiB of text.")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise LoadError(f"{path}: cannot be read ({reason}).") from error


def _from_json(path: str, text: str, input_shape: Shape, outputs: int) -> Model:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not valid JSON ({error}).") from error
    if isinstance(content, Mapping) and "class_name" in content:
        model = deserialize(content)
        if not isinstance(model, Model):
            raise LoadError(f"{path}: expected a model, found one layer, {content['class_name']}.")
        return model
    entries = content.get("layers") if isinstance(content, Mapping) else content
    if not isinstance(entries, list) or not entries:
        raise LoadError(
            f'{path}: expected {{"layers": [{{"layer": "Conv2D", …}}, …]}}, or what '
            f"model.to_json() writes."
        )
    layers: list[Any] = [Input(input_shape)]
    for number, entry in enumerate(entries, 1):
        where = f"{path}, layer {number}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("layer"), str):
            raise LoadError(f'{where}: expected {{"layer": NAME, …}}, received {entry!r}.')
        arguments = {
            key: outputs if value in ("outputs", "classes") else value
            for key, value in entry.items()
            if key != "layer"
        }
        try:
            layers.append(deserialize({"class_name": entry["layer"], "config": arguments}))
        except PellucidError as error:
            raise LoadError(f"{where}: {error}") from error
    return Sequential(layers)


def _from_code(path: str, text: str, input_shape: Shape, outputs: int) -> Model:
    namespace: dict[str, Any] = {"__name__": Path(path).stem, "__file__": path}

    def run(function: Callable[[], Any]) -> Any:
        try:
            return function()
        except PellucidError as error:
            raise LoadError(f"{path}{_line(path, error)}: {error}") from error
        except Exception as error:  # the user's code may fail in any way
            raise LoadError(
                f"{path}{_line(path, error)}: {type(error).__name__}: {error}"
            ) from error

    # The user named this file to have it run; that is what a .py definition is.
    run(lambda: exec(compile(text, path, "exec"), namespace))
    function = namespace.get("build_model")
    if not callable(function):
        raise LoadError(f"{path}: expected a function build_model(input_shape, classes).")
    model = run(lambda: function(input_shape, outputs))
    if not isinstance(model, Model):
        raise LoadError(f"{path}: build_model returned {model!r}; expected a model.")
    return model


def _line(path: str, error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename == path:
        return f", line {error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _require_fit(path: str, model: Model, input_shape: Shape, outputs: int) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ArgumentError(
            f"{path}: a model with several inputs or outputs is trained in Python, not from here."
        )
    if _differ(model.input_shape[1:], input_shape):
        raise ShapeError(
            f"{path}: the model takes {model.input_shape[1:]}, the data has {input_shape}."
        )
    if model.output_shape[1:] != (outputs,):
        raise ShapeError(
            f"{path}: the data needs {outputs} outputs, the model has {model.output_shape[1:]}."
        )


def _differ(taken: Sequence[int | None], given: Shape) -> bool:
    return len(taken) != len(given) or any(
        a is not None and a != b for a, b in zip(taken, given, strict=True)
    )

"""Model: any graph of layers between inputs and outputs."""

from __future__ import annotations

from typing import Any, Self

from pellucid.layers._names import automatic_name
from pellucid.models.training import Trainer

__all__ = ["Model"]


class Model(Trainer):
    """A model: a graph of layers from inputs to outputs, which can be trained, used and saved.

    Args:
        inputs: The symbolic tensor(s) that it starts from: one, a list, or a dict of them.
        outputs: The symbolic tensor(s) that it ends with, likewise.
        name: Its name.
        trainable: Whether training may change its weights.

    A model can be called like a layer, on symbolic tensors, to be a part of another model; and it
    can start or end anywhere in another model, which it then shares the layers of:

    >>> import pellucid as keras
    >>> image = keras.Input((28, 28, 1))
    >>> maps = keras.layers.Conv2D(4, 3, activation="relu", name="edges")(image)
    >>> scores = keras.layers.Dense(10)(keras.layers.Flatten()(maps))
    >>> model = keras.Model(image, scores)
    >>> keras.Model(model.input, model.get_layer("edges").output).output_shape
    (None, 26, 26, 4)
    """

    keras_module = "keras.src.models.functional"
    keras_class = "Functional"

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name or automatic_name("functional"))
        self.preprocessing: dict[str, Any] | None = None
        if inputs is not None or outputs is not None:
            self._connect(inputs, outputs)
        if not trainable:
            self.trainable = False

    # Looking at it, keeping it.

    def summary(self, line_length: int | None = None, print_fn: Any = None, **_: Any) -> None:
        """Print the table of layers: shapes, parameters, multiply-adds for one input.

        Args:
            line_length: The width of the table; by default the terminal's, at most 100.
            print_fn: Called with the text instead of printing it.
        """
        from pellucid.models.summary import render

        render(self, line_length, print_fn)

    def _repr_html_(self) -> str | None:
        """In a notebook: the page of every number, for an input of zeros; None if not built."""
        if not self.built:
            return None
        import numpy as np

        from pellucid.explain import explain

        blank = [np.zeros((1, *(n or 1 for n in t.shape[1:])), "float32") for t in self.inputs]
        page: str = explain(self, blank[0] if len(blank) == 1 else blank).notebook_html()
        return page

    def get_config(self) -> dict[str, Any]:
        """Return the model's layers and how they are connected, as JSON, with Keras' keys."""
        from pellucid.models._config import functional_config

        return functional_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a model from what `get_config` returned; its weights are new."""
        from pellucid.models._config import functional_from_config

        return functional_from_config(cls, config)

    def to_json(self, **options: Any) -> str:
        """Return the architecture, without the weights, as a JSON text."""
        import json

        from pellucid.layers import serialize

        return json.dumps(serialize(self), **options)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Save architecture, weights, optimiser state and preprocessing as a `.keras` file.

        The file is written whole or not at all, and opens in Keras 3 as well.
        """
        from pellucid.formats import save_model

        save_model(self, filepath, overwrite=overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights as `.weights.h5`, as Keras 3 writes it, `.safetensors` or `.npz`."""
        from pellucid.formats import save_weights

        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(
        self,
        filepath: Any,
        skip_mismatch: bool = False,
        by_name: bool = False,
        mapping: dict[str, str | None] | None = None,
    ) -> None:
        """Load the weights of a file into this model's layers.

        A `.weights.h5` or `.keras` file of Pellucid or Keras 3, a legacy `.h5` file of Keras, or a
        `.safetensors` or `.npz` file of PyTorch's or Pellucid's. `pellucid.load_weights` does the
        same, and returns a table of what went where.

        Args:
            filepath: The file.
            skip_mismatch: Whether to leave a layer as it is, with a warning, where the file's does
                not fit.
            by_name: For a legacy file: whether to load the layers whose names agree only.
            mapping: For a file of PyTorch's: what goes where, as far as shapes do not say.
        """
        from pellucid.formats import load_weights

        load_weights(self, filepath, skip_mismatch, by_name, mapping)

    def export(
        self,
        filepath: Any,
        format: str = "onnx",
        verbose: bool | None = None,
        input_signature: Any = None,
        opset_version: int | None = None,
    ) -> None:
        """Write the model for other programs to run: what it predicts, without what trains it.

        The file reads and makes what the model does, images channels last included, for batches of
        any size. It is written whole or not at all. Needs the extra `[onnx]`.

        Args:
            filepath: The file, such as "model.onnx".
            format: "onnx".
            verbose: Whether to say where it was written.
            input_signature: The shapes of the inputs with the batch, where they are to be others
                than the model's own, in its inputs' structure: (1, 28, 28, 1) is one image.
            opset_version: The version of ONNX's operators, from 13 on; by default 18.

        Raises:
            ArgumentError: The format is another, an operation cannot be said in ONNX (the message
                names all such), there is no such opset, or the model is too large for one file.
            MissingPackageError: onnx is not installed.
            NotBuiltError: The model does not know the shape of its input.
        """
        from pellucid.errors import ArgumentError
        from pellucid.formats import export_onnx

        if format != "onnx":
            raise ArgumentError(f"export: format must be 'onnx', received {format!r}.")
        export_onnx(self, filepath, verbose, input_signature, opset_version)

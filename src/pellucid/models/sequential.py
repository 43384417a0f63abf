"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pellucid.errors import ArgumentError, TypeMismatchError
from pellucid.layers._layer import Layer
from pellucid.layers._names import automatic_name
from pellucid.layers._symbolic import KerasTensor
from pellucid.layers.input import Input, InputLayer
from pellucid.models.functional import Model

__all__ = ["Sequential"]


class Sequential(Model):
    """A model of layers one after the other.

    Args:
        layers: The layers; the first may be an `Input`, or have an `input_shape`. Without either,
            the model is built when it first meets data.
        trainable: Whether training may change its weights.
        name: Its name.

    >>> import pellucid as keras
    >>> model = keras.Sequential([
    ...     keras.Input((28, 28, 1)),
    ...     keras.layers.Conv2D(8, 3, activation="relu"),
    ...     keras.layers.Flatten(),
    ...     keras.layers.Dense(10, activation="softmax"),
    ... ])
    >>> model.count_params()
    54170
    """

    keras_module = "keras"
    keras_class = "Sequential"

    def __init__(
        self,
        layers: Sequence[Layer | KerasTensor] | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or automatic_name("sequential"))
        self._stack: list[Layer] = []
        for layer in layers or ():
            self.add(layer)
        if not trainable:
            self.trainable = False

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order, without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @property
    def operations(self) -> list[Layer]:
        """The layers, in order, without the input."""
        return self.layers

    @property
    def sublayers(self) -> list[Layer]:
        """The layers, in order."""
        return self._stack

    def add(self, layer: Layer | KerasTensor) -> None:
        """Add a layer at the end; an Input only as the first."""
        if isinstance(layer, KerasTensor):
            layer = layer.call.layer
        if not isinstance(layer, Layer):
            raise TypeMismatchError(
                f"{self.name}: expected a layer, received {layer!r} ({type(layer).__name__})."
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise ArgumentError(f"{self.name}: an Input can only be its first layer.")
        if any(other.name == layer.name for other in self._stack):
            raise ArgumentError(
                f"{self.name} already has a layer called {layer.name!r}. Give one of them "
                f"another name."
            )
        first = not self._stack
        self._stack.append(layer)
        try:
            if first and isinstance(layer, InputLayer):
                tensor = layer.output
                self._connect(tensor, tensor)
            elif first and _declared_shape(layer) is not None:
                self.build((None, *(_declared_shape(layer) or ())))
            elif self.built:
                self._connect(self._inputs, layer(self._outputs))
        except Exception:
            self._stack.pop()
            raise

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer and return it."""
        if not self.layers:
            raise ArgumentError(f"{self.name} has no layer to remove.")
        layer = self._stack.pop()
        if self.built and rebuild:
            call = next(call for call in layer.calls if call.outputs is self._outputs)
            layer.calls.remove(call)
            self._connect(self._inputs, call.inputs)
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, the batch (None) included."""
        if self.built:
            return
        if input_shape is None:
            self._require_built()
        shape = tuple(input_shape)
        source = tensor = Input(shape[1:], batch_size=shape[0])
        calls = [(layer, len(layer.calls)) for layer in self.layers]
        try:
            for layer in self.layers:
                tensor = layer(tensor)
        except Exception:
            for layer, count in calls:
                del layer.calls[count:]
            raise
        self._stack = [source.call.layer, *self.layers]
        self._connect(source, tensor)

    def get_config(self) -> dict[str, Any]:
        """Return the model's layers as JSON, with Keras' keys."""
        from pellucid.models._config import sequential_config

        return sequential_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a model from what `get_config` returned; its weights are new."""
        from pellucid.models._config import sequential_from_config

        return sequential_from_config(cls, config)


def _declared_shape(layer: Layer) -> tuple[int | None, ...] | None:
    if isinstance(layer, Model):
        return layer.input_shape[1:] if layer.built else None
    return layer.declared_input_shape

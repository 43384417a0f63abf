"""What a layer is: it owns weights, and states its computation as operations."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from pellucid import initializers, regularizers
from pellucid.errors import ArgumentError, NotBuiltError, ShapeError, TypeMismatchError
from pellucid.graph import Program, Tracer, Value, Variable
from pellucid.graph import reference as engine
from pellucid.layers._names import automatic_name, snake_case
from pellucid.layers._symbolic import KerasTensor, LayerCall, flatten, pack
from pellucid.ops._operation import Array, Shape

__all__ = ["Layer", "LayerOptions", "require_channels_last", "require_none"]


class LayerOptions(TypedDict, total=False):
    """The options that every layer takes.

    Attributes:
        name: The layer's name; by default an automatic one, such as `conv2d_1`.
        trainable: Whether training may change its weights.
        dtype: The type of its numbers: "float32".
        input_shape: The shape of one input, without the batch; for a model's first layer.
    """

    name: str | None
    trainable: bool
    dtype: Any
    input_shape: Sequence[int | None] | None


class Layer:
    """The base of every layer.

    A layer of your own has a `build` that makes its weights, once the shape of its input is
    known, and a `call` that states what it computes by applying operations:

    ```python
    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight("factor", input_shape[-1:], "ones")

        def call(self, g, x):
            return g.apply(ops.multiply.Multiply(), x, g.weight(self.factor))
    ```

    Its gradient, its shape and its explanation follow from the operations.
    """

    keras_module: ClassVar[str] = "keras.layers"

    def __init__(self, **options: Unpack[LayerOptions]) -> None:
        unknown = set(options) - set(LayerOptions.__annotations__)
        if unknown:
            raise ArgumentError(
                f"{type(self).__name__}: unknown argument(s) {', '.join(sorted(unknown))}."
            )
        name = options.get("name")
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"A layer's name is a text without '/', received {name!r}.")
        self.name: str = name or automatic_name(snake_case(type(self).__name__))
        self._trainable = bool(options.get("trainable", True))
        self.dtype = _dtype_name(options.get("dtype"))
        shape = options.get("input_shape")
        self.declared_input_shape = None if shape is None else tuple(shape)
        self.built = False
        self.calls: list[LayerCall] = []
        self._own: list[Variable] = []
        self._eager: dict[Any, tuple[Program, Any]] = {}

    # What a subclass states.

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape (a list of shapes for several inputs)."""

    def call(self, g: Tracer, *inputs: Value) -> Any:
        """Apply the layer's operations through `g` and return the value they make."""
        raise NotImplementedError(f"{type(self).__name__} does not state its computation (call).")

    def add_weight(
        self,
        name: str,
        shape: Sequence[int],
        initializer: Any = "glorot_uniform",
        regularizer: Any = None,
        trainable: bool = True,
    ) -> Variable:
        """Return a new weight of this layer."""
        value = initializers.get(initializer)(tuple(shape))
        variable = Variable(
            value, name, f"{self.name}/{name}", trainable, regularizers.get(regularizer), self.dtype
        )
        self._own.append(variable)
        return variable

    # Calling it.

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Use the layer on symbolic tensors (to build a model) or on arrays (to get numbers)."""
        leaves = flatten(inputs)
        symbolic = [isinstance(leaf, KerasTensor) for leaf in leaves]
        if all(symbolic) and leaves:
            return self._call_symbolic(inputs, leaves, training)
        if any(symbolic) or not leaves:
            raise TypeMismatchError(
                f"{self.name}: expected symbolic tensors only or arrays only, received "
                f"{[type(leaf).__name__ for leaf in leaves]}."
            )
        return self._call_eager(inputs, leaves, bool(training))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for inputs of this shape, the batch (None) included."""
        shapes = [input_shape] if _is_shape(input_shape) else list(input_shape)
        self._ensure_built([tuple(shape) for shape in shapes])
        _, outputs = self._traced([tuple(shape) for shape in shapes], training=False)
        return pack(outputs, [value.shape for value in flatten(outputs)])

    def _call_symbolic(self, inputs: Any, leaves: list[Any], training: bool | None) -> Any:
        self._ensure_built([leaf.shape for leaf in leaves])
        _, values = self._traced([leaf.shape for leaf in leaves], training=False)
        call = LayerCall(self, inputs, training=training)
        outputs = [
            KerasTensor(value.shape, self.dtype, automatic_name("keras_tensor"), call, index)
            for index, value in enumerate(flatten(values))
        ]
        call.outputs = pack(values, outputs)
        self.calls.append(call)
        return call.outputs

    def _call_eager(self, inputs: Any, leaves: list[Any], training: bool) -> Any:
        arrays = [np.asarray(leaf).astype(self.dtype, copy=False) for leaf in leaves]
        shapes = [(None, *array.shape[1:]) for array in arrays]
        self._ensure_built(shapes)
        key = (training, self.trainable, *shapes)
        if key not in self._eager:
            program, values = self._traced(shapes, training)
            self._eager[key] = program, pack(values, list(range(len(flatten(values)))))
        program, structure = self._eager[key]
        random = engine.draw(program, len(arrays[0]), ("call", self.name))
        values = engine.forward(program, arrays, random)
        return pack(structure, [values[output] for output in program.outputs])

    def _traced(self, shapes: Sequence[Shape], training: bool) -> tuple[Program, Any]:
        g = Tracer(training)
        inputs = [g.input(tuple(shape)) for shape in shapes]
        with g.scope(self.name):
            outputs = self.call(g, *inputs)
        return g.program(inputs, flatten(outputs)), outputs

    def _ensure_built(self, shapes: Sequence[Shape]) -> None:
        if not self.built:
            self.build(shapes[0] if len(shapes) == 1 else list(shapes))
            self.built = True

    # Its weights.

    @property
    def sublayers(self) -> list[Layer]:
        """The layers inside this one; none, unless it is a model."""
        return []

    @property
    def trainable(self) -> bool:
        """Whether training may change the weights. Setting it sets it for all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self.sublayers:
            layer.trainable = value

    @property
    def weights(self) -> list[Variable]:
        """Every weight, trainable or not, in Keras' order."""
        own = [v for v in self._own if v.trainable] + [v for v in self._own if not v.trainable]
        return _unique(own + [v for layer in self.sublayers for v in layer.weights])

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        if not self.trainable:
            return []
        own = [v for v in self._own if v.trainable]
        return _unique(own + [v for layer in self.sublayers for v in layer.trainable_weights])

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone: running statistics, frozen layers."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[Array]:
        """Return copies of all weights, in order."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Set all weights, in order; ShapeError, and nothing changed, if one does not fit."""
        arrays = [np.asarray(weight) for weight in weights]
        expected = [variable.shape for variable in self.weights]
        if [array.shape for array in arrays] != expected:
            raise ShapeError(
                f"{self.name}: expected weights of the shapes {expected}, "
                f"received {[array.shape for array in arrays]}."
            )
        for variable, array in zip(self.weights, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """Return how many numbers the weights have."""
        if not self.built:
            raise NotBuiltError(
                f"{self.name} has no weights yet: call it on data, give it an input_shape, or "
                f"build it first."
            )
        return sum(variable.size for variable in self.weights)

    # Its place in a model.

    @property
    def input(self) -> Any:
        """The symbolic tensor(s) that the layer was called on."""
        return self._only_call("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic tensor(s) that the layer makes."""
        return self._only_call("output").outputs

    def _only_call(self, what: str) -> LayerCall:
        if not self.calls:
            raise NotBuiltError(
                f"{self.name} has no {what} yet: it was not called on a symbolic tensor. "
                f"Give the model an Input, or build it, first."
            )
        if len(self.calls) > 1:
            raise NotBuiltError(
                f"{self.name} was called {len(self.calls)} times, so its {what} is not one "
                f"tensor. Use {self.name}.calls[k].{what}s."
            )
        return self.calls[0]

    # Its configuration.

    def get_config(self) -> dict[str, Any]:
        """Return what it takes to make this layer again, as JSON, with Keras' keys."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        config["dtype"] = {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": self.dtype},
            "registered_name": None,
        }
        for parameter in inspect.signature(type(self).__init__).parameters.values():
            if parameter.name != "self" and parameter.kind != parameter.VAR_KEYWORD:
                config[parameter.name] = as_config(getattr(self, parameter.name))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def as_config(value: Any) -> Any:
    """Return a constructor's argument as JSON: tuples as lists, objects as Keras writes them."""
    if isinstance(value, initializers.Initializer):
        return initializers.serialize(value)
    if isinstance(value, regularizers.Regularizer):
        return regularizers.serialize(value)
    if isinstance(value, list | tuple):
        return [as_config(part) for part in value]
    return value


def require_channels_last(layer: str, data_format: str | None) -> str:
    """Return "channels_last"; ArgumentError if another data format was asked for."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{layer}: data_format must be 'channels_last' (N, H, W, C), received "
            f"{data_format!r}. Transpose the data with x.transpose(0, 2, 3, 1)."
        )
    return "channels_last"


def require_none(layer: str, **arguments: Any) -> None:
    """Raise ArgumentError if one of Keras' arguments that are not supported here was given."""
    for name, value in arguments.items():
        if value is not None:
            raise ArgumentError(f"{layer}: {name}={value!r} is not supported; leave it out.")


def _dtype_name(dtype: Any) -> str:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    name = "float32" if dtype is None else str(getattr(dtype, "name", dtype))
    if name not in ("float32", "float64"):
        raise ArgumentError(f"dtype must be 'float32' or 'float64', received {name!r}.")
    return name


def _is_shape(shape: Any) -> bool:
    return all(n is None or isinstance(n, int | np.integer) for n in shape)


def _unique(variables: Sequence[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())

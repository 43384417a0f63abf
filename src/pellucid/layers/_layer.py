"""What a layer is: it owns weights, and states its computation as operations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from pellucid import constraints, initializers, regularizers
from pellucid.errors import ArgumentError, NotBuiltError, ShapeError, TypeMismatchError
from pellucid.graph import Program, Tracer, Variable
from pellucid.graph import reference as engine
from pellucid.layers._names import automatic_name, snake_case
from pellucid.layers._symbolic import KerasTensor, LayerCall, flatten, pack
from pellucid.layers._unfilled import first_value
from pellucid.ops._operation import Array, Shape

__all__ = ["Layer", "LayerOptions", "as_config", "require_channels_last", "serialize"]


class LayerOptions(TypedDict, total=False):
    """The options that every layer takes.

    Attributes:
        name: The layer's name; by default an automatic one, such as `conv2d_1`.
        trainable: Whether training may change its weights.
        dtype: The type of its numbers: "float32".
        input_shape: The shape of one input, without the batch; for a model's first layer.
        input_dim: The same for an input that is a row of numbers: how many.
        kernel_constraint: What the kernel is brought back to after each step, for layers that have
            one; likewise the others for layers that have such weights.
    """

    name: str | None
    trainable: bool
    dtype: Any
    input_shape: Sequence[int | None] | None
    input_dim: int | None
    kernel_constraint: Any
    bias_constraint: Any
    depthwise_constraint: Any
    pointwise_constraint: Any
    gamma_constraint: Any
    beta_constraint: Any
    alpha_constraint: Any


_OWN_OPTIONS = {"name", "trainable", "dtype", "input_shape", "input_dim"}

KERAS_ONLY: Mapping[str, Any] = {
    "activity_regularizer": None,
    "autocast": True,
    "bounding_box_format": None,
    "lora_alpha": None,
    "lora_rank": None,
}
"""Options that any layer of Keras may have, with the one value that they can have here."""


class Layer:
    """The base of every layer.

    A layer of your own has a `build` that makes its weights, once the shape of its input is
    known, and a `call` that states what it computes by applying operations:

    >>> from pellucid.ops.multiply import Multiply
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight("factor", (1, *input_shape[1:]), "ones")
    ...
    ...     def call(self, g, x):
    ...         return g.apply(Multiply(), x, g.weight(self.factor))
    >>> scale = Scale()
    >>> scale([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    >>> scale.weights
    [<Variable path=scale/factor, shape=(1, 2), dtype=float32>]

    Its gradient, its shape and its explanation follow from the operations.
    """

    keras_module: ClassVar[str] = "keras.layers"
    keras_class: ClassVar[str | None] = None
    """Keras' name of the class, if it is another one."""
    keras_only: ClassVar[Mapping[str, Any]] = {}
    """Arguments that Keras' layer has, with the one value that they can have here.

    They may be given, and stand in the configuration, as Keras expects."""
    constrainable: ClassVar[tuple[str, ...]] = ()
    """The options among `LayerOptions` that are constraints of this layer's weights."""

    switches: ClassVar[int] = 0
    """How often `trainable` was set, of all layers."""

    def __init__(self, **options: Unpack[LayerOptions]) -> None:
        self._refuse_unsupported(dict(options))
        name = options.get("name")
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"A layer's name is a text without '/', received {name!r}.")
        self.name: str = name or automatic_name(snake_case(type(self).__name__))
        self._trainable = bool(options.get("trainable", True))
        self.dtype = _dtype_name(self.name, options.get("dtype"))
        dim = options.get("input_dim")
        shape = options.get("input_shape") if dim is None else (dim,)
        self.declared_input_shape = None if shape is None else tuple(shape)
        given: Mapping[str, Any] = options
        for constraint in self.constrainable:
            setattr(self, constraint, constraints.get(given.get(constraint)))
        self.built = False
        self.calls: list[LayerCall] = []
        self._own: list[Variable] = []
        self._eager: dict[Any, tuple[Program, Any]] = {}
        self._eager_calls = 0

    # What a subclass states.

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape (a list of shapes for several inputs)."""

    # Its signature is the widest one: a subclass names its own inputs.
    def call(self, g: Tracer, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer's operations through `g` and return the value they make."""
        raise NotImplementedError(f"{type(self).__name__} does not state its computation (call).")

    def add_weight(
        self,
        name: str,
        shape: Sequence[int],
        initializer: Any = "glorot_uniform",
        regularizer: Any = None,
        trainable: bool = True,
        constraint: Any = None,
    ) -> Variable:
        """Return a new weight of this layer.

        Raises:
            ShapeError: The initialiser cannot make, or did not make, an array of that shape.
        """
        made = initializers.get(initializer)
        if made is None:
            raise ArgumentError(f"{self.name}: {name} needs an initialiser, received None.")
        try:
            value = first_value(partial(made, dtype=self.dtype), tuple(shape))
        except ShapeError as error:
            raise ShapeError(f"{self.name}, {name}: {error}") from error
        if np.shape(value) != tuple(shape):
            raise ShapeError(
                f"{self.name}: the initialiser of {name} must return an array of shape "
                f"{tuple(shape)}, but returned one of shape {np.shape(value)}."
            )
        variable = Variable(
            value,
            name,
            f"{self.name}/{name}",
            trainable,
            regularizers.get(regularizer),
            self.dtype,
            constraints.get(constraint),
        )
        self._own.append(variable)
        return variable

    # Calling it.

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Use the layer on symbolic tensors (to build a model) or on arrays (to get numbers)."""
        leaves = flatten(inputs)
        if leaves and all(isinstance(leaf, int | float) for leaf in leaves):
            leaves = [inputs]  # one array, written as lists
        symbolic = [isinstance(leaf, KerasTensor) for leaf in leaves]
        if all(symbolic) and leaves:
            return self._call_symbolic(inputs, leaves, training)
        if any(symbolic) or not leaves:
            raise TypeMismatchError(
                f"{self.name}: expected symbolic tensors only or arrays only, received "
                f"{[type(leaf).__name__ for leaf in leaves]}."
            )
        return self._call_eager(leaves, bool(training))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for inputs of this shape, the batch (None) included."""
        shapes = [input_shape] if _is_shape(input_shape) else list(input_shape)
        self.build_for([tuple(shape) for shape in shapes])
        _, outputs = self._traced([tuple(shape) for shape in shapes], training=False)
        return pack(outputs, [value.shape for value in flatten(outputs)])

    def _call_symbolic(self, inputs: Any, leaves: list[Any], training: bool | None) -> Any:
        self.build_for([leaf.shape for leaf in leaves])
        _, values = self._traced([leaf.shape for leaf in leaves], training=False)
        call = LayerCall(self, inputs, training=training)
        outputs = [
            KerasTensor(
                value.shape, self.output_dtype(index), automatic_name("keras_tensor"), call, index
            )
            for index, value in enumerate(flatten(values))
        ]
        call.outputs = pack(values, outputs)
        self.calls.append(call)
        return call.outputs

    @property
    def kind(self) -> str:
        """What it is, for people: its class."""
        return type(self).__name__

    def output_dtype(self, index: int) -> str:  # noqa: ARG002 (all are of one type)
        """Return the type of the numbers of one output."""
        return self.dtype

    def _call_eager(self, leaves: list[Any], training: bool) -> Any:
        arrays = [self._as_array(leaf) for leaf in leaves]
        shapes: list[Shape] = [(None, *array.shape[1:]) for array in arrays]
        if len({len(array) for array in arrays}) > 1:
            raise ShapeError(
                f"{self.name}: expected inputs with the same number of samples (axis 0), received "
                f"shapes {', '.join(str(array.shape) for array in arrays)}."
            )
        self.build_for(shapes)
        key = (training, self.trainable, *shapes)
        if key not in self._eager:
            program, values = self._traced(shapes, training)
            self._eager[key] = program, pack(values, list(range(len(flatten(values)))))
        program, structure = self._eager[key]
        random = engine.draw(program, len(arrays[0]), ("call", self._eager_calls))
        self._eager_calls += 1
        values = engine.forward(program, arrays, random)
        return pack(structure, [values[output] for output in program.outputs])

    def _as_array(self, leaf: Any) -> Array:
        try:
            array = np.asarray(leaf)
        except ValueError:  # lists of different lengths
            array = np.asarray(None)
        if array.dtype.kind not in "biuf":
            raise TypeMismatchError(
                f"{self.name}: expected an array of numbers, received {type(leaf).__name__} "
                f"{np.shape(array)} of {array.dtype}."
            )
        if array.ndim == 0:
            raise ShapeError(
                f"{self.name}: expected an array whose axis 0 counts the samples, received the "
                f"single number {array}."
            )
        return array.astype(self.dtype, copy=False)

    def _traced(self, shapes: Sequence[Shape], training: bool) -> tuple[Program, Any]:
        g = Tracer(training)
        inputs = [g.input(tuple(shape)) for shape in shapes]
        with g.scope(self.name):
            outputs = self.call(g, *inputs)
        return g.program(inputs, flatten(outputs)), outputs

    def build_for(self, shapes: Sequence[Shape]) -> None:
        """Make the weights, unless they are there, for inputs of these shapes."""
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
        Layer.switches += 1
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
        """The symbolic tensor(s) that the layer was first called on."""
        return self._first_call("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic tensor(s) that the layer made when it was first called."""
        return self._first_call("output").outputs

    def _first_call(self, what: str) -> LayerCall:
        if not self.calls:
            raise NotBuiltError(
                f"{self.name} has no {what} yet: it was not called on a symbolic tensor. "
                f"Give the model an Input, or build it, first."
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
        for constraint in self.constrainable:
            config[constraint] = as_config(getattr(self, constraint))
        return config | dict(self.keras_only)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from what `get_config`, here or in Keras, returned.

        Raises:
            ArgumentError: A key is not known, missing, or has a value that it cannot have here.
        """
        taken = inspect.signature(cls).parameters.values()
        required = {p.name for p in taken if p.default is p.empty and p.kind != p.VAR_KEYWORD}
        if missing := sorted(required - set(config)):
            raise ArgumentError(
                f"{config.get('name') or cls.__name__}: the configuration of a {cls.__name__} "
                f"lacks {', '.join(missing)}."
            )
        return cls(**config)

    def _refuse_unsupported(self, options: dict[str, Any]) -> None:
        layer = options.get("name") or type(self).__name__
        only = {**KERAS_ONLY, **self.keras_only}
        for key, value in options.items():
            if key in only and value != only[key]:
                raise ArgumentError(
                    f"{layer}: {key}={value!r} is not supported; leave it out, or give "
                    f"{only[key]!r}."
                )
            if key not in only and key not in _OWN_OPTIONS and key not in self.constrainable:
                raise ArgumentError(f"{layer}: unknown argument {key!r}.")

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle needs: all but the traces, which are made when needed."""
        return self.__dict__ | {"_eager": {}}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def as_config(value: Any) -> Any:
    """Return a constructor's argument as JSON: tuples as lists, objects as Keras writes them."""
    if isinstance(value, initializers.Initializer):
        return initializers.serialize(value)
    if isinstance(value, regularizers.Regularizer):
        return regularizers.serialize(value)
    if isinstance(value, constraints.Constraint):
        return constraints.serialize(value)
    if isinstance(value, Layer):
        return serialize(value)
    if isinstance(value, list | tuple):
        return [as_config(part) for part in value]
    if isinstance(value, dict):
        return {key: as_config(part) for key, part in value.items()}
    if isinstance(value, slice):
        ends = {end: as_config(getattr(value, end)) for end in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": ends}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        written = {"value": value.tolist(), "dtype": value.dtype.name}
        return {"class_name": "__numpy__", "config": written}
    if callable(value):
        raise ArgumentError(
            f"{value!r} is a function of your own, which cannot be written down. Use one by name, "
            f"or save the weights only."
        )
    return value


def serialize(layer: Layer) -> dict[str, Any]:
    """Return the dictionary that Keras writes for a layer or model: its class and configuration."""
    cls = type(layer)
    own = cls.__module__.partition(".")[0] == "pellucid"
    name = (own and cls.keras_class) or cls.__name__
    public = own and cls.keras_module in ("keras", "keras.layers")
    return {
        "module": cls.keras_module if own else cls.__module__,
        "class_name": name,
        "config": layer.get_config(),
        "registered_name": None if public else name,
    }


def require_channels_last(layer: str, data_format: str | None) -> str:
    """Return "channels_last"; ArgumentError if another data format was asked for."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{layer}: data_format must be 'channels_last' (N, H, W, C), received "
            f"{data_format!r}. Transpose the data with x.transpose(0, 2, 3, 1)."
        )
    return "channels_last"


def _dtype_name(layer: str, dtype: Any) -> str:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    name = "float32" if dtype is None else str(getattr(dtype, "name", dtype))
    if name not in ("float32", "float64"):
        raise ArgumentError(f"{layer}: dtype must be 'float32' or 'float64', received {name!r}.")
    return name


def _is_shape(shape: Any) -> bool:
    return all(n is None or isinstance(n, int | np.integer) for n in shape)


def _unique(variables: Sequence[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())

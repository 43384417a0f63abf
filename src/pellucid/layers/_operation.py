"""The layer behind `x + y`, `x[:, 1:]` and every function of `pellucid.ops` in a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np

from pellucid.errors import ArgumentError, ShapeError, unknown_name
from pellucid.graph import Tracer, Value, Variable
from pellucid.layers._layer import Layer, as_config
from pellucid.layers._names import automatic_name
from pellucid.layers._symbolic import KerasTensor, flatten, pack
from pellucid.ops._arguments import apply
from pellucid.ops._operation import Array, Operation, common_type
from pellucid.ops._registry import functions, operations
from pellucid.ops._symbolic import FUNCTIONS, Symbolic

__all__ = ["OperationLayer"]


class OperationLayer(Layer):
    """One operation, or one function of `pellucid.ops`, as a part of a model.

    Calling a function of `pellucid.ops` on symbolic tensors makes one by itself, and so do `x + y`
    and its kind.

    Args:
        operation: An operation, such as `Add()`, or the name of a function: "add".
        constants: Operands that are known: an array or a number by the operand's name ("x1", or
            "alpha"). The layer is called on the others, in their order. Those of a function are
            named as its arguments; those of one that takes a list, x0, x1, ….
        trainable: Whether the constants are weights that training changes. Otherwise they are, as
            in Keras, no weights at all, but a part of the configuration.
        options: A function's arguments that are no tensors, by name.
        name: The layer's name; by default the operation's, numbered.

    Raises:
        ArgumentError: There is no such function, operand or option, or a function's constants are
            to be trained: only those of an operation can.
        ShapeError: What it is called on does not fit.

    >>> import numpy as np
    >>> from pellucid.ops.multiply import Multiply
    >>> scale = OperationLayer(Multiply(), {"x1": [2.0, 3.0]}, trainable=True)
    >>> scale(np.ones((1, 2)))
    array([[2., 3.]], dtype=float32)
    >>> scale.weights
    [<Variable path=multiply/x1, shape=(2,), dtype=float32>]
    """

    keras_module: ClassVar[str] = "pellucid.layers"

    def __init__(
        self,
        operation: Operation | str,
        constants: Mapping[str, Any] | None = None,
        trainable: bool = False,
        *,
        options: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        named = isinstance(operation, str)
        # One that has been called is among those loaded; a name in a file may be of any.
        if named and operation not in FUNCTIONS and operation not in functions():
            raise unknown_name("function of pellucid.ops", operation, FUNCTIONS)
        if trainable and isinstance(operation, str):
            raise ArgumentError(
                f"The constants of {operation} are arguments of a function, which cannot be "
                f"trained; give the operation itself in place of its name."
            )
        kind = operation if isinstance(operation, str) else operation.name
        super().__init__(name=name or automatic_name(kind))
        self.operation = operation
        self.constants = {key: _plain(value) for key, value in (constants or {}).items()}
        self.options = dict(options or {})
        self.learns = trainable and bool(self.constants)
        self._variables: list[Variable] = []
        self._dtypes: tuple[str, ...] = ()
        self._made: tuple[str, ...] = ()
        self._check()
        if self.learns:
            for operand, value in self.constants.items():
                weight = self.add_weight(operand, np.shape(value), "zeros")
                weight.assign(value)
                self.constants[operand] = weight.value

    @classmethod
    def of(cls, function: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return what a function makes of operands of which some are symbolic tensors."""
        given = [x for x in operands if isinstance(x, KerasTensor)]
        listed = FUNCTIONS[function].listed
        names = [f"x{i}" for i in range(len(operands))] if listed else FUNCTIONS[function].tensors
        constants = {
            name: x for name, x in zip(names, operands, strict=True)
            if not isinstance(x, KerasTensor)
        }  # fmt: skip
        layer = cls(function, constants, options=options)
        return layer(given[0] if len(given) == 1 and not listed else given)

    # What it computes.

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Apply it to a symbolic tensor or a list of them, or to arrays."""
        leaves = flatten(inputs)
        symbolic = [leaf.dtype for leaf in leaves if isinstance(leaf, KerasTensor)]
        self._dtypes = tuple(symbolic)
        return super().__call__(inputs, training=training)

    def operands(self, given: Sequence[Any]) -> list[Any]:
        """Return all operands in order: the given ones, and the constants among them."""
        count = len(given) + len(self.constants)
        rest = list(given)
        made = [
            self.constants[operand] if operand in self.constants else rest.pop(0) if rest else None
            for operand in self._names(count)
        ]
        if rest:
            raise ShapeError(
                f"{self.name}: expected {len(made) - len(self.constants)} tensors beside the "
                f"constants {list(self.constants)}, received {len(given)}."
            )
        return made

    def call(self, g: Tracer, *values: Value) -> Any:
        """State the operations that it comes to."""
        stated = _Statement(self, Tracer(g.training))
        dtypes = self._dtypes or (self.dtype,) * len(values)
        inputs = [stated.tracer.input(value.shape) for value in values]
        given = [_Stated(value, d, stated) for value, d in zip(inputs, dtypes, strict=True)]
        operands = self.operands(given)
        if self.learns:
            names = self._names(len(operands))
            weights = {v.name: stated.tracer.weight(v) for v in self._own}
            operands = [
                _Stated(weights[n], self.dtype, stated) if n in weights else x
                for n, x in zip(names, operands, strict=True)
            ]
        with stated.tracer.scope(self.name):
            if isinstance(self.operation, str):
                results = FUNCTIONS[self.operation](operands, self.options)
            else:
                results = apply(self.operation, *operands)
        ends = flatten(results)
        self._made = tuple(end.dtype for end in ends)
        outputs = [end.value for end in ends]
        made = dict(zip(inputs, values, strict=True))
        for node in stated.tracer.program(inputs, outputs).nodes:
            reads = [
                value if value is None
                else made[value] if value.variable is None
                else g.weight(value.variable)
                for value in node.inputs
            ]  # fmt: skip
            role = "output" if node.output in outputs else node.op.name
            made[node.output] = g.apply(node.op, *reads, role=role)
        return pack(results, [made[output] for output in outputs])

    @property
    def kind(self) -> str:
        """What it is, for people: its operation."""
        name = self.operation if isinstance(self.operation, str) else self.operation.name
        return "".join(part.capitalize() for part in name.split("_"))

    def output_dtype(self, index: int) -> str:
        """Return the type of the numbers of one output."""
        return self._made[index]

    def constant(self, index: int, name: str, value: Array) -> Variable:
        """Return the variable that stands for a constant operand, each time the same one."""
        while len(self._variables) <= index:
            self._variables.append(
                Variable(value, name, f"{self.name}/{name}", False, dtype=value.dtype)
            )
        return self._variables[index]

    def _names(self, count: int) -> tuple[str, ...]:
        if isinstance(self.operation, Operation):
            if self.operation.variadic:
                return self.operation.input_names(count)
            return self.operation.inputs
        function = FUNCTIONS[self.operation]
        return tuple(f"x{i}" for i in range(count)) if function.listed else function.tensors

    def _check(self) -> None:
        known = FUNCTIONS[self.operation].options if isinstance(self.operation, str) else {}
        if unknown := sorted(set(self.options) - set(known)):
            raise ArgumentError(
                f"{self.name}: {self.operation} has no argument {', '.join(unknown)}; it has "
                f"{', '.join(known) or 'none'} beside its tensors."
            )
        names = self._names(MOST_OPERANDS)
        if unknown := sorted(set(self.constants) - set(names)):
            raise ArgumentError(
                f"{self.name}: there is no operand {', '.join(unknown)}; there are "
                f"{', '.join(names[:9])}."
            )

    # Its configuration.

    def get_config(self) -> dict[str, Any]:
        """Return what it takes to make this layer again, as JSON."""
        operation: Any = self.operation
        if isinstance(operation, Operation):
            made = {f.name: getattr(operation, f.name) for f in fields(operation)}  # type: ignore[arg-type]  # every operation is a dataclass
            operation = {"name": operation.name, "fields": as_config(made)}
        fixed = {} if self.learns else self.constants
        learned = self.constants if self.learns else {}
        return {
            "name": self.name,
            "trainable": self.trainable,
            "operation": operation,
            "constants": {key: as_config(value) for key, value in fixed.items()},
            "weights": {key: list(np.shape(value)) for key, value in learned.items()},
            "options": as_config(self.options),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OperationLayer:
        """Make a layer from what `get_config` returned; its weights are zeros.

        `models.clone_model` copies them.

        Raises:
            ArgumentError: A key or an operation is not known, or an operation's field has a value
                of another type than it must have.
        """
        if unknown := set(config) - CONFIG:
            raise ArgumentError(
                f"An operation's configuration has no {', '.join(sorted(unknown))}."
            )
        weights = config.get("weights") or {}
        constants = config.get("constants") or {}
        if weights and constants:
            raise ArgumentError("An operation's operands are all weights, or all constants.")
        operation = config.get("operation")
        layer = cls(
            operation if isinstance(operation, str) else made_of(operation),
            {key: unwritten(value) for key, value in constants.items()}
            or {key: np.broadcast_to(0.0, shape_of(value)) for key, value in weights.items()},
            trainable=bool(weights),
            options={k: _read_option(v) for k, v in (config.get("options") or {}).items()},
            name=config.get("name"),
        )
        if config.get("trainable") is False:
            layer.trainable = False
        return layer


MOST_OPERANDS = 1000
"""More operands than any list of constants names."""

CONFIG = {"name", "trainable", "operation", "constants", "weights", "options"}


class _Statement:
    """One account of what a layer comes to: the operations, and how many constants were met."""

    def __init__(self, layer: OperationLayer, tracer: Tracer) -> None:
        self.layer = layer
        self.tracer = tracer
        self.constants = 0


class _Stated(Symbolic):
    """A value of a program, on which the body of a function applies operations."""

    def __init__(self, value: Value, dtype: str, statement: _Statement) -> None:
        self.value = value
        self.shape = value.shape
        self.dtype = dtype
        self.statement = statement

    def state(self, name: str, operands: Sequence[Any], options: dict[str, Any]) -> Any:
        """Run the function's body."""
        return FUNCTIONS[name](operands, options)

    def apply(self, op: Operation, inputs: Sequence[Any]) -> _Stated:
        """Apply the operation."""
        values: list[Value | None] = []
        dtypes = []
        kinds = [np.dtype(x.dtype) for x in inputs if isinstance(x, _Stated)]
        floating = common_type([k for k in kinds if k.kind == "f"] or [np.dtype(np.float32)])
        for name, x in zip(op.input_names(len(inputs)), inputs, strict=True):
            if x is None:
                values.append(None)
                continue
            if isinstance(x, _Stated):
                values.append(x.value)
                dtypes.append(x.dtype)
                continue
            array = np.asarray(x)
            if array.dtype.kind == "f":
                array = array.astype(floating)
            variable = self.statement.layer.constant(self.statement.constants, name, array)
            self.statement.constants += 1
            values.append(self.statement.tracer.weight(variable))
            dtypes.append(array.dtype.name)
        made = self.statement.tracer.apply(op, *values)
        return _Stated(made, op.output_dtype(*dtypes), self.statement)


def made_of(entry: Any) -> Operation:
    """Return the operation that a configuration names; ArgumentError if it is not known."""
    name = entry.get("name") if isinstance(entry, Mapping) else None
    values = entry.get("fields", {}) if isinstance(entry, Mapping) else None
    known = operations()
    if name not in known or not isinstance(values, Mapping):
        raise ArgumentError(f"There is no operation {entry!r}.")
    allowed = _field_types()[name]
    arguments = {key: _as_tuples(value) for key, value in values.items()}
    for key, value in arguments.items():
        if key not in allowed or not _is(value, allowed[key]):
            raise ArgumentError(f"The operation {name} cannot have {key}={value!r}.")
    return known[name](**arguments)


@cache
def _field_types() -> dict[str, dict[str, Any]]:
    """Return the types of every operation's fields, all at once: a file's contents call nothing."""
    hints = {name: (cls, get_type_hints(cls)) for name, cls in operations().items()}
    return {
        name: {field.name: of[field.name] for field in fields(cls)}  # type: ignore[arg-type]  # every operation is a dataclass
        for name, (cls, of) in hints.items()
    }


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _is(value: Any, hint: Any) -> bool:
    """Return whether a value is of the type that a field is annotated with."""
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        if parts and parts[-1] is Ellipsis:
            return all(_is(part, parts[0]) for part in value)
        return len(parts) == len(value) and all(map(_is, value, parts))
    if get_origin(hint) is Literal:
        return value in parts
    if parts:
        return any(_is(value, part) for part in parts)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None if hint is type(None) else type(value) is hint


def shape_of(value: Any) -> tuple[int, ...]:
    """Return a shape that a configuration claims; ArgumentError if it is none."""
    if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
        raise ArgumentError(f"{value!r} is no shape.")
    return tuple(value)


def unwritten(value: Any) -> Any:
    """Return a constant operand as it was before it was written down."""
    if isinstance(value, Mapping) and value.get("class_name") in ("__numpy__", "__tensor__"):
        return np.array(value["config"]["value"], dtype=value["config"]["dtype"])
    if value is None or isinstance(value, (bool, int, float, list)):
        return _plain(value)
    raise ArgumentError(f"A constant operand is a number or an array, received {value!r}.")


def _read_option(value: Any) -> Any:
    """Return an option as it was before it was written down."""
    if isinstance(value, list):
        return [_read_option(part) for part in value]
    if isinstance(value, Mapping) and value.get("class_name") == "__slice__":
        ends = value["config"]
        return slice(ends["start"], ends["stop"], ends["step"])
    if isinstance(value, Mapping) and value.get("class_name") == "__ellipsis__":
        return Ellipsis
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(f"An option of a function is a plain value, received {value!r}.")


def _plain(value: Any) -> Any:
    """Return a constant operand as an array or a plain number."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"A constant operand is an array of numbers, received {value!r}.")
    return array.copy() if array.flags.writeable else array

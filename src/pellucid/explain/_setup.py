"""From a model, samples and targets to a program with its inputs: what `explain` records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import losses as losses_module
from pellucid import optimizers as optimizers_module
from pellucid.errors import ArgumentError, unknown_name
from pellucid.graph import Program, Value
from pellucid.graph.reference import draw
from pellucid.layers import Layer
from pellucid.models import _feeding as feeding
from pellucid.models._loss_program import loss_program
from pellucid.ops._operation import Array, known

if TYPE_CHECKING:
    from pellucid.models import Model

__all__ = ["Setup", "layer_names", "prepare", "value_names"]

_OF_TWO_CLASSES = losses_module.BinaryCrossentropy | losses_module.BinaryFocalCrossentropy

COPIED = 64 * 2**20
"""Weights of so many bytes in all are copied, so that later training does not change a trace."""


@dataclass(frozen=True)
class Predicted:
    """A target that was not given: the class that an output gives the highest chance.

    Attributes:
        output: The output.
        shape: The target's shape.
        loss: The loss that reads it.
    """

    output: Value
    shape: tuple[int, ...]
    loss: Any

    def target(self, prediction: Array) -> Array:
        """Return the target for a prediction, as the loss reads it."""
        if isinstance(self.loss, _OF_TWO_CLASSES):
            middle = 0.0 if self.loss.from_logits else 0.5
            return np.asarray(prediction > middle, prediction.dtype)
        classes = np.asarray(prediction.argmax(axis=-1))
        if self.shape == prediction.shape:
            classes = np.eye(self.shape[-1], dtype=prediction.dtype)[classes]
        return classes.reshape(self.shape)


@dataclass(frozen=True)
class Setup:
    """What a trace is made from.

    Attributes:
        model: The model.
        program: The operations; its first output is the loss, if there is one.
        given: The arrays of inputs, targets, random values and copied weights.
        predicted: Targets that were not given: their shapes, and the output whose class is taken.
        outputs: The model's outputs.
        output_names: What the model calls them.
        targets: The targets that the loss reads.
        weightings: The weights of the samples, if there are any.
        parts: Each output's own loss.
        optimizer: The optimiser.
        has_loss: Whether there is a loss.
        training: Whether it is a step of training.
        dtype: The type in which all is computed.
        size: The number of samples.
        class_names: The names of the classes, or None.
        notes: What was assumed.
    """

    model: Model
    program: Program
    given: Mapping[Value, Array]
    predicted: Mapping[Value, Predicted]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...]
    targets: tuple[Value, ...]
    weightings: tuple[Value, ...]
    parts: tuple[Value, ...]
    optimizer: optimizers_module.Optimizer
    has_loss: bool
    training: bool
    dtype: str
    size: int
    class_names: list[str] | None
    notes: tuple[str, ...]


def prepare(
    model: Model,
    x: Any,
    target: Any,
    optimizer: Any,
    samples: int | Sequence[int] | slice | None,
    class_names: Sequence[str] | None,
    sample_weight: Any,
    *,
    training: bool,
    dtype: str,
) -> Setup:
    """Return what is to be recorded; see `explain` for the arguments and errors."""
    if dtype not in ("float32", "float64"):
        raise ArgumentError(f"explain: expected dtype 'float32' or 'float64', received {dtype!r}.")
    notes: list[str] = []
    rows = [samples] if isinstance(samples, int | np.integer) else samples
    inputs = [_selected(array, rows) for array in feeding.inputs(model, _batch(model, x))]
    size = len(inputs[0])
    names = None if class_names is None else [str(name) for name in class_names]
    optimizer = _optimizer(model, optimizer, notes)

    chosen = _losses(model, target is not None, notes)
    if target is None and not all(_has_classes(loss) for loss, _ in chosen if loss):
        notes.append("There is no target, and the outputs are not classes: there is no loss.")
        chosen = [(None, weight) for _, weight in chosen]
    if target is not None and not any(loss for loss, _ in chosen):
        raise ArgumentError(f"explain: {model.name} has no loss that reads a target.")
    losses = [loss for loss, _ in chosen]
    trained = [index for index, loss in enumerate(losses) if loss is not None]
    if trained:
        weights = [weight for _, weight in chosen]
        weighted = () if sample_weight is None else trained
        program = loss_program(model, losses, weights, training, weighted, model.trainable_weights)
    elif sample_weight is None:
        program = model.program(training)
    else:
        raise ArgumentError("explain: sample_weight was given, but there is no loss to weigh.")
    count = len(trained)
    fed = program.inputs[len(inputs) :]
    targets, weightings = fed[:count], fed[count:]
    parts = program.outputs[1 : 1 + count] if count else ()
    outputs = program.outputs[1 + count :] if count else program.outputs

    given = {value: _cast(a, dtype) for value, a in zip(program.inputs, inputs, strict=False)}
    predicted: dict[Value, Predicted] = {}
    if trained and target is None:
        notes.append("No target was given: the class predicted is taken for the right one.")
    asked = _per_output(target, model.output_names)
    for index, value in zip(trained, targets, strict=True):
        shape = (size, *known(model.outputs[index].shape[1:]))
        wanted = (size, *losses[index].target_shape(shape)[1:])
        if asked is None:
            predicted[value] = Predicted(outputs[index], wanted, losses[index])
        else:
            found = _target(losses[index], asked[index], shape, wanted, rows, names)
            given[value] = _cast(found, dtype)
    for index, value in zip(trained, weightings, strict=False):
        given[value] = _cast(_weights(model, sample_weight, index, rows, size), dtype)
    if program.training:
        random = draw(program, size, ("step", optimizer.iterations))
        given.update({value: _cast(a, dtype) for value, a in random.items()})
    given.update(_copied(program, dtype))
    return Setup(
        model,
        program,
        given,
        predicted,
        tuple(outputs),
        tuple(model.output_names),
        tuple(targets),
        tuple(weightings),
        tuple(parts),
        optimizer,
        bool(trained),
        training,
        dtype,
        size,
        names,
        tuple(notes),
    )


def _cast(array: Array, dtype: str) -> Array:
    return array.astype(dtype, copy=False) if array.dtype.kind == "f" else array


def _copied(program: Program, dtype: str) -> dict[Value, Array]:
    """Return copies of the weights, or nothing if they are too large to be copied."""
    weights = {
        value: value.variable.value
        for node in program.nodes
        for value in node.inputs
        if value is not None and value.variable is not None
    }
    if sum(array.nbytes for array in weights.values()) > COPIED:
        return {}
    return {value: array.astype(dtype) for value, array in weights.items()}


def _batch(model: Model, x: Any) -> Any:
    """Give one sample its batch axis."""
    if isinstance(x, Mapping):
        shapes = dict(zip(model.input_names, (t.shape for t in model.inputs), strict=True))
        return {name: _one(part, shapes.get(name, ())) for name, part in x.items()}
    if len(model.inputs) > 1 and isinstance(x, list | tuple):
        shapes_ = [tensor.shape for tensor in model.inputs]
        if len(shapes_) == len(x):
            return [_one(part, shape) for part, shape in zip(x, shapes_, strict=True)]
        return x
    return _one(x, model.inputs[0].shape)


def _one(x: Any, shape: Sequence[int | None]) -> Array:
    array = np.asarray(x)
    sample = tuple(shape[1:])
    fits = array.ndim == len(sample) and all(
        want in (None, have) for have, want in zip(array.shape, sample, strict=True)
    )
    flat = sample[-1:] == (1,) and array.shape == sample[:-1]
    return np.asarray(array[None] if fits or flat else array)


def _selected(array: Array, rows: Any) -> Array:
    if rows is None:
        return array
    try:
        return np.asarray(array[rows])
    except IndexError:
        raise ArgumentError(
            f"explain: samples={rows!r}, but x has the rows 0–{len(array) - 1}."
        ) from None


def _optimizer(model: Model, given: Any, notes: list[str]) -> optimizers_module.Optimizer:
    if given is not None:
        return optimizers_module.get(given)
    if model.compiled:
        compiled: optimizers_module.Optimizer = model.optimizer
        return compiled
    notes.append("The model is not compiled: the update is plain SGD's, learning rate 0.01.")
    return optimizers_module.SGD()


def _losses(model: Model, has_target: bool, notes: list[str]) -> list[tuple[Any, float]]:
    """Return (loss, how much it counts) of each output."""
    chosen = model.output_losses()
    if any(loss for loss, _ in chosen):
        return chosen
    forward = model.program(False)
    producers = {node.output: node for node in forward.nodes}
    found: list[tuple[Any, float]] = []
    for output in forward.outputs:
        node = producers.get(output)
        loss = _loss_for(node.op if node else None, has_target)
        if loss is not None:
            notes.append(f"No loss was compiled: {loss.name}, which fits {output.name}, is taken.")
        found.append((loss, 1.0))
    return found


def _loss_for(op: Any, has_target: bool) -> Any:
    if op is not None and op.name == "softmax":
        return losses_module.SparseCategoricalCrossentropy()
    if op is not None and getattr(op, "function", None) == "sigmoid":
        return losses_module.BinaryCrossentropy()
    return losses_module.MeanSquaredError() if has_target else None


def _has_classes(loss: Any) -> bool:
    return isinstance(
        loss,
        losses_module.SparseCategoricalCrossentropy
        | losses_module.CategoricalCrossentropy
        | losses_module.CategoricalFocalCrossentropy
        | _OF_TWO_CLASSES,
    )


def _target(
    loss: Any,
    target: Any,
    shape: tuple[int, ...],
    wanted: tuple[int, ...],
    rows: Any,
    names: list[str] | None,
) -> Array:
    """Return one output's target as its loss reads it."""
    given = _numbers(target, names)
    if rows is not None and given.ndim and len(given) != shape[0]:
        given = _selected(given, rows)
    given = _spread(given, wanted, shape)
    loss.check(given, shape)
    return np.asarray(loss.prepare(given, shape))


def _weights(model: Model, given: Any, index: int, rows: Any, size: int) -> Array:
    """Return how much each of the samples recorded counts in the loss of one output."""
    names = model.output_names
    if len(names) > 1 and isinstance(given, list | tuple | Mapping):
        given = feeding.per_output(given, names, "sample_weight")[index]
    weights = np.asarray(given)
    if rows is not None and weights.ndim and len(weights) != size:
        weights = _selected(weights, rows)
    return feeding.sample_weights(weights, size)


def _per_output(target: Any, names: Sequence[str]) -> list[Any] | None:
    if target is None:
        return None
    if isinstance(target, Mapping):
        missing = [name for name in names if name not in target]
        if missing:
            raise ArgumentError(f"explain: the target of {missing[0]} is missing.")
        return [target[name] for name in names]
    if len(names) == 1:
        return [target]
    if not isinstance(target, list | tuple) or len(target) != len(names):
        raise ArgumentError(
            f"explain: expected a list or dict of {len(names)} targets ({', '.join(names)})."
        )
    return list(target)


def _numbers(target: Any, names: list[str] | None) -> Array:
    """Return a target as numbers, class names looked up."""
    array = np.asarray(target)
    if array.dtype.kind not in "US":
        return array
    known = names or []
    for name in array.reshape(-1).tolist():
        if name not in known:
            raise unknown_name("class", name, known)
    numbers = [known.index(name) for name in array.reshape(-1).tolist()]
    return np.array(numbers).reshape(array.shape)


def _spread(given: Array, wanted: tuple[int, ...], prediction: tuple[int, ...]) -> Array:
    """Give one target for all samples to each, and class numbers their one-hot rows."""
    classes = prediction[-1]
    one_hot = wanted == prediction and classes > 1 and given.dtype.kind in "iu"
    if one_hot and given.shape in ((), wanted[:-1], wanted[1:-1]):
        given = np.eye(classes, dtype="float32")[given]
    if given.ndim == 0 or given.shape == wanted[1:]:
        return np.broadcast_to(given, wanted).copy()
    return given


def layer_names(model: Layer, within: str) -> set[str]:
    """The names of all layers, those of models within models as "base/conv2d"."""
    names: set[str] = set()
    for layer in model.sublayers:
        names |= {within + layer.name} | layer_names(layer, f"{within}{layer.name}/")
    return names


def value_names(setup: Setup, values: Iterable[Value]) -> dict[Value, str]:
    """Return what each value is called in addresses: "loss" is always the whole loss."""
    names = {value: value.name for value in values}
    if not setup.has_loss:
        return names
    total, parts = setup.program.outputs[0], setup.parts
    for index, part in enumerate(parts):
        if part is not total:
            only = len(parts) == 1
            names[part] = "data_loss" if only else f"{setup.output_names[index]}_loss"
    names[total] = "loss"
    return names

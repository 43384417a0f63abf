"""From what users hand over to what programs read: structures, ranks, types, weights, checks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import metrics
from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset, map_leaves
from pellucid.data.iterables import SequenceDataset, as_dataset
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.layers._symbolic import flatten
from pellucid.ops._operation import Array, Shape

if TYPE_CHECKING:
    from pellucid.models._steps import PreparedBatch
    from pellucid.models.network import Network

Batch = tuple[Any, ...]

SHAPE_DEPENDENT = ("accuracy", "acc", "crossentropy", "ce")
"""Names of metrics that only the shapes of predictions and targets give a meaning."""


# Arguments of compile, one for each output.


def per_output(given: Any, names: Sequence[str], what: str) -> list[Any]:
    """Return one entry for each output from a single one, a list, or a dict by output name."""
    if isinstance(given, Mapping):
        unknown = set(given) - set(names)
        if unknown:
            raise ArgumentError(
                f"{what}: no output is called {', '.join(sorted(map(str, unknown)))}; "
                f"the outputs are {', '.join(names)}."
            )
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple):
        if len(given) != len(names):
            raise ArgumentError(
                f"{what}: expected {len(names)} entries, one for each output "
                f"({', '.join(names)}), received {len(given)}."
            )
        return list(given)
    return [given] * len(names)


def lists_per_output(given: Any, names: Sequence[str], what: str) -> list[list[Any]]:
    """Return a list of metrics for each output."""
    if given is None:
        return [[] for _ in names]
    if isinstance(given, Mapping):
        chosen = per_output(given, names, what)
    elif isinstance(given, list | tuple):
        nested = any(isinstance(entry, list | tuple) for entry in given)
        if nested or (len(names) > 1 and len(given) == len(names)):
            chosen = per_output(list(given), names, what)
        else:
            chosen = [given] * len(names)
    else:
        chosen = [given] * len(names)
    return [
        [] if entry is None else list(entry) if isinstance(entry, list | tuple) else [entry]
        for entry in chosen
    ]


def require_metric(request: Any) -> None:
    """Raise NameLookupError for a metric's name that means none, before any step is made."""
    if not isinstance(request, str) or request.lower() not in SHAPE_DEPENDENT:
        metrics.get(request)


def require_single(request: Any) -> None:
    """Raise ArgumentError for a metric of several numbers, as far as that shows before a step."""
    if isinstance(request, str) and request.lower() in SHAPE_DEPENDENT:
        return
    metric = metrics.get(request)
    try:
        with warnings.catch_warnings(action="ignore"):
            result = metric.result()
    except Exception:  # noqa: BLE001  # one of a user's own may have no result of no samples
        return
    require_number(metric.name, result)


def require_number(name: str, result: Any) -> None:
    """Raise ArgumentError unless a metric's result is a single number."""
    if np.ndim(result) or isinstance(result, Mapping):
        raise ArgumentError(
            f"{name} gives several numbers, where one is needed to follow training: say how they "
            f"are to be averaged, or ask for one of them."
        )


def require_whole(least: int, **given: Any) -> None:
    """Raise ArgumentError unless each number is a whole one, and not less than `least`."""
    for name, value in given.items():
        if not isinstance(value, int | np.integer) or value < least:
            raise ArgumentError(
                f"{name}: expected a whole number of at least {least}, received {value!r}."
            )


# Batches.


def inputs(model: Network, x: Any, *, pixels: bool = False) -> list[Array]:
    """Return a batch's inputs as arrays of the model's types, in the model's order.

    With `pixels`, uint8 stays as it is where float32 is wanted: engines take it.
    """
    first = model.inputs[0]
    fits = isinstance(x, np.ndarray) and x.ndim > 0 and x.shape[1:] == first.shape[1:]
    if fits and len(model.inputs) == 1 and _suits(x, first, pixels):
        return [x]  # the usual case, without a second look: that counts where batches are small
    return [
        a if _suits(a, t, pixels) else a.astype(t.dtype)
        for a, t in zip(fitted_inputs(model, x), model.inputs, strict=True)
    ]


def _suits(array: Array, tensor: Any, pixels: bool) -> bool:
    """Whether an array can be fed as it is."""
    if array.dtype == tensor.dtype:
        return True
    return pixels and array.dtype == np.uint8 and tensor.dtype == "float32"


def fitted_inputs(model: Network, x: Any) -> list[Array]:
    """Return the inputs in the model's order and ranks; ShapeError if one does not fit."""
    parts = _parts(x, model.input_names, "inputs")
    arrays = [
        _fitted(np.asarray(part), tensor.shape, f"{model.name}, {tensor.call.layer.name}")
        for tensor, part in zip(model.inputs, parts, strict=True)
    ]
    _same_length(arrays, model.input_names)
    return arrays


def feeds(
    model: Network, batch: Batch, losses: Sequence[Any]
) -> tuple[list[Array], dict[int, Array], dict[int, Array]]:
    """Return a batch's inputs, and its targets and sample weights by the index of their output."""
    x, y, sample_weight = (*batch, None, None)[:3]
    arrays = inputs(model, x, pixels=True)
    if y is None:
        raise DataError(f"{model.name}: targets (y) are needed to compute a loss; received none.")
    names = model.output_names
    trained = [index for index, loss in enumerate(losses) if loss is not None]
    parts = _parts(y, names, "targets")
    targets = {
        index: losses[index].prepare(np.asarray(parts[index]), model.outputs[index].shape)
        for index in trained
    }
    _same_length(
        [arrays[0], *targets.values()], [model.input_names[0], *(names[i] for i in trained)]
    )
    weights: dict[int, Array] = {}
    if sample_weight is not None:
        shared = not isinstance(sample_weight, list | tuple | Mapping)
        given = (
            [sample_weight] * len(names)
            if shared
            else _parts(sample_weight, names, "sample weights")
        )
        for index in trained:
            weights[index] = sample_weights(given[index], len(arrays[0]))
    return arrays, targets, weights


def weighted_by_class(batch: Batch, class_weight: Mapping[int, float] | None) -> Batch:
    """Return the batch with each sample's weight multiplied by that of its class."""
    if class_weight is None:
        return batch
    x, y, sample_weight = (*batch, None, None)[:3]
    if isinstance(y, list | tuple | Mapping) and _arrays_in(y) > 1:
        raise ArgumentError(
            "class_weight is for models of one output. Give each output's samples their weights "
            "with sample_weight."
        )
    labels = np.asarray(y)
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    classes = labels.reshape(len(labels), -1)
    if classes.shape[1] != 1:
        raise ArgumentError("class_weight needs one class label for each sample.")
    weight = np.array([class_weight.get(int(c), 1.0) for c in classes[:, 0]], "float32")
    return x, y, weight if sample_weight is None else weight * np.asarray(sample_weight, "float32")


def _parts(structure: Any, names: Sequence[str], what: str) -> list[Any]:
    """Return the parts of a batch in the order of `names`."""
    if isinstance(structure, Mapping):
        missing = [name for name in names if name not in structure]
        if missing:
            raise ArgumentError(
                f"{what}: expected {', '.join(names)}, received {', '.join(map(str, structure))}."
            )
        return [structure[name] for name in names]
    if isinstance(structure, list | tuple) and (len(names) > 1 or _is_one_array(structure)):
        parts = flatten(structure)
        if len(parts) != len(names):
            raise ArgumentError(
                f"{what}: expected {len(names)} arrays ({', '.join(names)}), received {len(parts)}."
            )
        return parts
    if len(names) > 1:
        raise ArgumentError(
            f"{what}: expected a list or dict of {len(names)} arrays ({', '.join(names)}), "
            f"received {type(structure).__name__}."
        )
    if isinstance(structure, list | tuple) and _arrays_in(structure) > 1:
        raise ArgumentError(
            f"{what}: expected one array for {names[0]}, received a list of {len(structure)}. "
            f"np.stack joins a list of samples to one array."
        )
    return [structure]


def _arrays_in(structure: Any) -> int:
    return sum(isinstance(part, np.ndarray) and part.ndim > 0 for part in flatten(structure))


def _is_one_array(structure: Sequence[Any]) -> bool:
    return len(structure) == 1 and isinstance(structure[0], np.ndarray)


def _fitted(array: Array, shape: Shape, where: str) -> Array:
    """Return the array in the model's rank: Keras adds or drops a last axis of one, so do we."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: expected numbers, received an array of {array.dtype}.")
    given = array.shape
    if array.ndim == len(shape) - 1 and shape[-1] == 1:
        array = array[..., None]
    elif array.ndim == len(shape) + 1 and array.shape[-1] == 1:
        array = array[..., 0]
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"{where}: expected an input of shape {shape}, received {given}."
            + (" Is the batch axis missing? x[None] adds it." if given == shape[1:] else "")
        )
    return array


def sample_weights(given: Any, count: int) -> Array:
    """Return the weight of each sample as an array; ShapeError if they are not as many."""
    weight = np.asarray(given, "float32")
    if weight.shape == (count, 1):
        weight = weight[:, 0]
    if weight.shape != (count,):
        raise ShapeError(
            f"sample_weight: expected shape ({count},), one number for each sample, "
            f"received {weight.shape}."
        )
    return weight


def _same_length(arrays: Sequence[Array], names: Sequence[str]) -> None:
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        pairs = ", ".join(f"{name}: {n}" for name, n in zip(names, lengths, strict=True))
        raise ShapeError(f"Inputs and targets must have as many samples as each other; {pairs}.")


# Datasets.


def split(
    x: Any, y: Any, sample_weight: Any, share: float, validation_data: Any
) -> tuple[tuple[Any, Any, Any], Any]:
    """Take the last `share` of the samples away, for validation."""
    if validation_data is not None:
        return (x, y, sample_weight), validation_data
    if not 0 < share < 1:
        raise ArgumentError(f"validation_split must lie between 0 and 1, received {share}.")
    if isinstance(x, Dataset) or hasattr(x, "__next__") or y is None:
        raise ArgumentError("validation_split needs arrays; give validation_data instead.")
    count = len(flatten(x)[0])
    first = int(count * (1 - share))
    if not 0 < first < count:
        raise ArgumentError(
            f"validation_split={share} of {count} samples leaves none to "
            f"{'train on' if first == 0 else 'validate on'}."
        )
    return (
        tuple(_sliced(part, slice(None, first)) for part in (x, y, sample_weight)),
        tuple(_sliced(part, slice(first, None)) for part in (x, y, sample_weight)),
    )


def _sliced(structure: Any, rows: slice) -> Any:
    if structure is None:
        return None
    if isinstance(structure, Mapping):
        return {key: _sliced(part, rows) for key, part in structure.items()}
    if isinstance(structure, list | tuple) and any(np.ndim(part) > 0 for part in structure):
        return [_sliced(part, rows) for part in structure]
    return np.asarray(structure)[rows]


def validation_dataset(data: Any, batch_size: int) -> Dataset:
    """Return the validation data as a dataset that is not shuffled."""
    if isinstance(data, list | tuple):
        if not 2 <= len(data) <= 3:
            raise ArgumentError(
                f"validation_data: expected (x, y) or (x, y, sample_weight), received "
                f"{len(data)} parts."
            )
        return as_dataset(*data, batch_size=batch_size)
    return as_dataset(data, batch_size=batch_size)


def seed(data: Dataset, value: int) -> None:
    """Let the order of a dataset that was made here depend on `value`."""
    if isinstance(data, ArrayDataset | SequenceDataset):
        data.seed = value


def first(batches: Iterator[Batch], steps: int | None) -> Iterator[Batch]:
    """Return the first `steps` batches, or all."""
    return batches if steps is None else islice(batches, steps)


class Stream:
    """A dataset's batches, epoch by epoch; with `steps`, an epoch is that many of them."""

    def __init__(self, data: Dataset, steps: int | None) -> None:
        self.data = data
        self.steps = steps
        self._open: Iterator[Batch] | None = None

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the epoch's batches."""
        if self.steps is None:
            yield from self.data.batches(epoch)
            return
        for _ in range(self.steps):
            if self._open is None:
                self._open = iter(self.data.batches(epoch))
            batch = next(self._open, None)
            if batch is None:
                self._open = iter(self.data.batches(epoch))
                batch = next(self._open, None)
            if batch is None:
                return
            yield batch


AHEAD, AHEAD_BYTES = 8, 2**22
"""How many batches are prepared at a time, at most, and how many bytes they may take together."""


class Ahead:
    """Batches, prepared for a step; the next ones while a step is running.

    A step leaves little in the caches of what Python needs. Several batches that are prepared one
    after the other take little more time than one.

    Args:
        batches: The batches.
        prepare: Prepares one for the next step, or for one that comes so many steps after it.
        also: Done besides, each time: what is left to do of the last step.
        most: How many may be prepared before they are asked for.
    """

    def __init__(
        self,
        batches: Iterator[Batch],
        prepare: Callable[[Batch, int], PreparedBatch],
        also: Callable[[], None],
        most: int = AHEAD,
    ) -> None:
        self._batches = batches
        self._prepare = prepare
        self._also = also
        self._most = most
        self._begun = False
        self._waiting: list[PreparedBatch] = []
        self._error: BaseException | None = None

    def fetch(self, ahead: int = 1) -> None:
        """Prepare the next batches.

        What goes wrong is raised when it is that batch's turn; what goes wrong with `also`, and
        Ctrl-C, after the step.
        """
        try:
            self._also()
            if not self._waiting and self._error is None:
                self._prepare_some(ahead)
        except BaseException as error:  # noqa: BLE001  # whatever it is, the step goes on
            self._waiting.clear()
            self._error = error

    def _prepare_some(self, ahead: int) -> None:
        size = 0
        try:
            for batch in islice(self._batches, self._most if self._begun else 1):
                self._begun = True  # what takes the steps is known after the first
                prepared = self._prepare(batch, ahead + len(self._waiting))
                self._waiting.append(prepared)
                size += prepared.nbytes
                if size + prepared.nbytes > AHEAD_BYTES:
                    break
        except Exception as error:  # noqa: BLE001  # those before it come first
            self._error = error

    def __iter__(self) -> Iterator[PreparedBatch]:
        while True:
            if not self._waiting and self._error is None:
                self.fetch(0)
            if self._waiting:
                yield self._waiting.pop(0)
            elif self._error is not None:
                raise self._error
            else:
                return


def is_due(epoch: int, frequency: int | Sequence[int]) -> bool:
    """Return whether to validate after this epoch (counted from 0)."""
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def check(model: Network, data: Dataset, losses: Sequence[Any] | None) -> None:
    """Look, before the first step, for whatever could only fail later.

    What is in memory is looked through whole; of anything else the shapes are compared.

    Raises:
        ShapeError: Inputs or targets do not have the model's shapes.
        DataError: They hold a NaN or an infinity, or labels are out of range.
    """
    if not isinstance(data, ArrayDataset):
        fitted_inputs(model, map_leaves(_dummy, data.element_spec[0]))
        return
    fitted_inputs(model, data.arrays[0])
    data.validate()
    if losses is not None:
        feeds(model, data.first(1).arrays, losses)
        names = model.output_names
        for index, part in enumerate(_parts(data.arrays[1], names, "targets")):
            if losses[index] is not None:
                losses[index].check(np.asarray(part), model.outputs[index].shape)


def _dummy(spec: Any) -> Array:
    """One sample of the shape and type of `spec`, without memory of its own."""
    return np.broadcast_to(np.zeros((), spec.dtype), (1, *(n or 1 for n in spec.shape[1:])))

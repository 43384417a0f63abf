"""compile, fit, evaluate, predict: what turns a graph of layers into a model that learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pellucid import callbacks as callbacks_module
from pellucid import losses as losses_module
from pellucid import metrics as metrics_module
from pellucid import optimizers as optimizers_module
from pellucid.compiler import engine as compiler
from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset, leaves
from pellucid.data.iterables import as_dataset
from pellucid.errors import ArgumentError, DataError, NonFiniteError, NotBuiltError
from pellucid.graph import Program, Variable
from pellucid.layers._symbolic import KerasTensor, flatten, pack
from pellucid.models import _feeding as feeding
from pellucid.models._loss_program import loss_program
from pellucid.models._shortcut import remember, take
from pellucid.models._steps import (
    Losses,
    PreparedBatch,
    Step,
    Steps,
    predict_step,
    test_step,
)
from pellucid.models.network import Network
from pellucid.ops._operation import Array
from pellucid.random import get_seed

__all__ = ["Trainer"]

Logs = dict[str, float]
Feeds = tuple[list[Array], dict[int, Array], dict[int, Array]]
"""A batch's inputs, and its targets and sample weights by the index of their output."""


class Trainer(Network):
    """The part of a model that trains, evaluates and predicts."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.optimizer: Any = None
        self.loss: Any = None
        self._engine_asked: str | None = None
        self.stop_training = False
        self.history: Any = None
        self._compile_arguments: dict[str, Any] | None = None
        self._losses: list[Any] = []
        self._loss_weights: list[float] = []
        self._metric_requests: list[list[tuple[Any, bool]]] = []
        self._metrics: list[list[tuple[Any, bool]]] | None = None
        self._trackers: list[metrics_module.Mean] = []
        self._unrecorded: list[Callable[[], None]] = []

    # Compiling.

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        engine: str | None = None,
    ) -> None:
        """Choose how the model is trained.

        Args:
            optimizer: An optimiser or its name.
            loss: A loss, its name, or a list or dict of them, one for each output.
            loss_weights: A number for each output's loss, as a list or dict.
            metrics: Metrics or their names, for all outputs or as a list or dict of such lists.
            weighted_metrics: Likewise; these count the sample weights.
            run_eagerly: Accepted for Keras' sake; it changes nothing.
            steps_per_execution: Likewise.
            jit_compile: Likewise.
            auto_scale_loss: Likewise.
            engine: "auto" compiles what can be compiled; "reference" runs the operations' own
                NumPy. By default what the environment variable PELLUCID_ENGINE says, or "auto".

        Raises:
            NameLookupError: No optimiser, loss or metric has this name.
            ArgumentError: There is not one loss for each output.
        """
        del run_eagerly, jit_compile, auto_scale_loss, steps_per_execution
        self._engine_asked = engine
        self._engine()
        self.optimizer = optimizers_module.get(optimizer)
        self.loss = loss
        self._compile_arguments = {
            "optimizer": self.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        self._forget()
        self._losses = []
        self._metrics = None
        if self.built:
            self._settle()

    def output_losses(self) -> list[tuple[Any, float]]:
        """Return the loss of each output, None for one without, and how much it counts."""
        names = self.output_names
        given = self._compile_arguments or {"loss": None, "loss_weights": None}
        chosen = feeding.per_output(given["loss"], names, "loss")
        weights = feeding.per_output(given["loss_weights"], names, "loss_weights")
        return [
            (None if loss is None else losses_module.get(loss), 1.0 if w is None else float(w))
            for loss, w in zip(chosen, weights, strict=True)
        ]

    def _settle(self) -> None:
        """Give each output its losses and metrics, now that the outputs are known."""
        given = self._require_compiled()
        if self._losses:
            return
        names = self.output_names
        chosen = self.output_losses()
        if not any(loss for loss, _ in chosen) and given["loss"] is not None:
            raise ArgumentError(f"{self.name}: at least one output needs a loss.")
        self._loss_weights = [weight for _, weight in chosen]
        plain = feeding.lists_per_output(given["metrics"], names, "metrics")
        weighted = feeding.lists_per_output(given["weighted_metrics"], names, "weighted_metrics")
        self._metric_requests = [
            [(m, False) for m in of_plain] + [(m, True) for m in of_weighted]
            for of_plain, of_weighted in zip(plain, weighted, strict=True)
        ]
        for requests in self._metric_requests:
            for request, _ in requests:
                feeding.require_metric(request)
        self._losses = [loss for loss, _ in chosen]
        self._trackers = [metrics_module.Mean(name="loss")]
        if len(names) > 1:
            self._trackers += [metrics_module.Mean(name=f"{name}_loss") for name in names]
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_weights)

    def _engine(self) -> str:
        """The engine that runs the model's programs."""
        return compiler.choose(self._engine_asked)

    def _require_compiled(self) -> dict[str, Any]:
        if self._compile_arguments is None:
            raise NotBuiltError(
                f"{self.name} is not compiled. Call compile(optimizer=…, loss=…, metrics=…) first."
            )
        return self._compile_arguments

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compile_arguments is not None

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile` as JSON, as Keras writes them; {} if not compiled."""
        from pellucid.models._config import compile_config

        return {} if self._compile_arguments is None else compile_config(self._compile_arguments)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says."""
        from pellucid.models._config import compile_from_config

        compile_from_config(self, config)

    # Training.

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> Any:
        """Train the model.

        Args:
            x: The inputs: an array (N, …), a list or dict of arrays for several inputs, a dataset,
                or a generator of (x, y) or (x, y, sample weight) batches.
            y: The targets, likewise; not for datasets and generators, which bring their own.
            batch_size: How many samples make one step; 32 by default.
            epochs: The epoch to stop at; from `initial_epoch` 0 on that is how many there are.
            verbose: 0 for silence, 1 for a progress bar, 2 for one line an epoch, "auto" for 1 in
                a terminal or notebook and 2 elsewhere.
            callbacks: Callbacks, called as training goes on.
            validation_split: The share of the samples, taken from the end, to validate on.
            validation_data: (x, y) or (x, y, sample weight) or a dataset to validate on.
            shuffle: Whether every epoch sees the samples in a new order.
            class_weight: How much a sample of each class counts.
            sample_weight: How much each sample counts, (N,).
            initial_epoch: The epoch to begin with, to go on with earlier training.
            steps_per_epoch: How many batches make an epoch; needed for endless generators.
            validation_steps: How many batches to validate on.
            validation_batch_size: The batch size for validation; `batch_size` by default.
            validation_freq: Validate every so many epochs, or in the epochs listed.

        Returns:
            The History, whose `history` holds a list of values for each name.

        Raises:
            ShapeError, DataError: The data does not fit the model; found before the first step.
            NonFiniteError: The loss or a gradient became NaN or infinite; the weights are those
                before that step.
        """
        batch_size = 32 if batch_size is None else batch_size
        feeding.require_whole(0, epochs=epochs, initial_epoch=initial_epoch)
        if isinstance(validation_freq, int):
            feeding.require_whole(1, validation_freq=validation_freq)
        if class_weight is not None and not isinstance(class_weight, Mapping):
            raise ArgumentError(
                f"class_weight: expected a dict such as {{0: 1.0, 1: 2.5}}, received "
                f"{class_weight!r}."
            )
        if validation_split:
            (x, y, sample_weight), validation_data = feeding.split(
                x, y, sample_weight, validation_split, validation_data
            )
        data = as_dataset(x, y, sample_weight, batch_size=batch_size, shuffle=shuffle)
        self._prepare(data, needs_targets=True)
        validation = None
        if validation_data is not None:
            validation = feeding.validation_dataset(
                validation_data, validation_batch_size or batch_size
            )
            self._prepare(validation, needs_targets=True)
        calls = callbacks_module.CallbackList(
            callbacks,
            add_history=True,
            add_progress=verbose,
            model=self,
            epochs=epochs,
            steps=steps_per_epoch or data.batch_count,
            batch_size=data.batch_size,
        )
        self.stop_training = False
        calls.on_train_begin()
        if data is not x:
            feeding.seed(data, get_seed())  # not before: a restored run brings its own seed
        logs: Logs = {}
        stream = feeding.Stream(data, steps_per_epoch)
        for epoch in range(calls.first_epoch(initial_epoch), epochs):
            calls.on_epoch_begin(epoch)
            steps: Steps = {}
            # Where callbacks may change what a step depends on, only its data is fetched ahead.
            # What is in memory may be read ahead; any other source is asked when it is its turn.
            known = {} if calls.changes_between_batches else steps
            in_memory = isinstance(data, ArrayDataset)
            prepared = feeding.Ahead(
                stream.batches(epoch),
                partial(self._prepare_batch, class_weight, known),
                self._catch_up,
                feeding.AHEAD if in_memory and not calls.changes_between_batches else 1,
            )
            meanwhile = prepared.fetch if in_memory else None
            logs = self._epoch(prepared, epoch, calls, steps, meanwhile)
            if validation is not None and feeding.is_due(epoch, validation_freq):
                found = self._evaluated(validation, validation_steps, calls)
                logs |= {f"val_{name}": value for name, value in found.items()}
            calls.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if epochs:
            self.optimizer.finalize_variable_values(self.trainable_weights)
        calls.on_train_end(logs)
        return self.history

    def _epoch(
        self,
        batches: Iterable[PreparedBatch],
        epoch: int,
        calls: Any,
        steps: Steps,
        meanwhile: Callable[[], None] | None,
    ) -> Logs:
        self.reset_metrics()
        done = calls.batches_done(epoch)
        variables = self.trainable_weights
        watched = calls.watches_batches  # else nobody reads what they are told after each
        changing = calls.changes_between_batches
        logs: Logs | None = None
        step = -1
        for step, batch in enumerate(batches):
            if step < done:
                continue
            if watched:
                calls.on_train_batch_begin(step)
            if changing:
                steps.clear()  # the next is made of what there is now
            try:
                self._train_batch(batch, variables, steps, meanwhile)
                logs = self._results() if watched else None
            except NonFiniteError as error:
                if not calls.handles_non_finite:
                    raise NonFiniteError(
                        f"Training stopped in epoch {epoch + 1}, batch {step + 1} (step "
                        f"{self.optimizer.iterations + 1}): {error}. The weights are those before "
                        f"this step. A lower learning rate, clipnorm=1.0 or scaled inputs may help."
                    ) from None
                logs = {"loss": float("nan")}
            if watched:
                calls.on_train_batch_end(step, logs)
            if self.stop_training:
                break
        if step < 0:
            raise DataError("fit: the data has no batches.")
        return logs if logs and not np.isfinite(logs["loss"]) else self._results()

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step on one batch; return loss and metrics since `reset_metrics`."""
        self._ready(np.shape(flatten(x)[0])[1:], needs_targets=True)
        batch = self._prepare_batch(class_weight, {}, (x, y, sample_weight), 0)
        self._train_batch(batch, self.trainable_weights, {})
        return self._returned(return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Evaluate one batch; return loss and metrics since `reset_metrics`."""
        self._ready(np.shape(flatten(x)[0])[1:], needs_targets=True)
        self._test_batch((x, y, sample_weight))
        return self._returned(return_dict)

    def _prepare_batch(
        self,
        class_weight: Mapping[int, float] | None,
        steps: Steps,
        batch: tuple[Any, ...],
        ahead: int,
    ) -> PreparedBatch:
        """Prepare a batch for the next step, or for one that comes `ahead` steps after it."""
        inputs, targets, weights = self._feeds(feeding.weighted_by_class(batch, class_weight))
        feeds = [*inputs, *targets.values(), *weights.values()]
        kind = (tuple(weights), len(inputs[0]), *(array.dtype.char for array in inputs))
        prepared = steps[kind].prepare(feeds, ahead) if kind in steps else None
        return PreparedBatch(kind, feeds, targets, weights, prepared)

    def _train_batch(
        self,
        batch: PreparedBatch,
        variables: Sequence[Variable],
        steps: Steps,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Take a step; `steps` keeps what takes those of one kind."""
        kind, feeds, targets, weights, prepared = batch
        if kind not in steps:
            program = self._loss_program(True, weights, variables)
            steps[kind] = Step(
                program, feeds, len(targets), variables, self.optimizer, self._engine()
            )
        step = steps[kind]
        found = step.take(prepared or step.prepare(feeds), meanwhile)
        self._unrecorded.append(lambda: self._record(found(), len(feeds[0]), targets, weights))
        if self._metrics is None:  # what metrics object to is said after the first step
            self._catch_up()

    # Evaluating.

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss, and then the metrics, on data that is not trained on.

        Args:
            x: The inputs, as in `fit`.
            y: The targets, as in `fit`.
            batch_size: How many samples are run at a time; 32 by default.
            verbose: As in `fit`.
            sample_weight: How much each sample counts, (N,).
            steps: How many batches; all by default.
            callbacks: Callbacks.
            return_dict: Whether to return {name: value} instead of a list.

        Returns:
            The loss alone, or [loss, metric, …], or a dict.
        """
        data = as_dataset(x, y, sample_weight, batch_size=32 if batch_size is None else batch_size)
        self._prepare(data, needs_targets=True)
        calls = callbacks_module.CallbackList(
            callbacks,
            add_progress=verbose,
            model=self,
            epochs=1,
            steps=steps or data.batch_count,
            batch_size=data.batch_size,
        )
        logs = self._evaluated(data, steps, calls)
        return self._returned(return_dict, logs)

    def _evaluated(self, data: Dataset, steps: int | None, calls: Any) -> Logs:
        self.reset_metrics()
        calls.on_test_begin()
        step = -1
        for step, batch in enumerate(feeding.first(data.batches(0), steps)):
            calls.on_test_batch_begin(step)
            self._test_batch(batch)
            calls.on_test_batch_end(step, self._results())
        if step < 0:
            raise DataError("evaluate: the data has no batches.")
        logs = self._results()
        calls.on_test_end(logs)
        return logs

    def _test_batch(self, batch: tuple[Any, ...]) -> None:
        inputs, targets, weights = self._feeds(batch)
        program = self._loss_program(False, weights, self.trainable_weights)
        found = test_step(
            program, [*inputs, *targets.values(), *weights.values()], len(targets), self._engine()
        )
        self._record(found, len(inputs[0]), targets, weights)

    # Predicting.

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the outputs for `x`.

        Args:
            x: The inputs, as in `fit`.
            batch_size: How many samples are run at a time; 32 by default.
            verbose: As in `fit`; "auto" is silent here.
            steps: How many batches; all by default.
            callbacks: Callbacks.

        Returns:
            An array (N, …), or arrays in the structure of the model's outputs.
        """
        data = as_dataset(x, batch_size=32 if batch_size is None else batch_size)
        self._prepare(data)
        calls = callbacks_module.CallbackList(
            callbacks,
            add_progress=0 if verbose == "auto" else verbose,
            model=self,
            epochs=1,
            steps=steps or data.batch_count,
            batch_size=data.batch_size,
        )
        calls.on_predict_begin()
        parts: list[list[Array]] = []
        for step, batch in enumerate(feeding.first(data.batches(0), steps)):
            calls.on_predict_batch_begin(step)
            inputs = feeding.inputs(self, batch[0], pixels=True)
            parts.append(self._typed(predict_step(self.program(), inputs, self._engine())))
            calls.on_predict_batch_end(step)
        calls.on_predict_end()
        if not parts:
            raise DataError("predict: the data has no batches.")
        joined = [np.concatenate(of_output) for of_output in zip(*parts, strict=True)]
        return pack(self.output, joined)

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Use the model as a layer on symbolic tensors, or run it on arrays."""
        alone = not training and self.built and type(inputs) is np.ndarray and len(inputs) > 0
        if alone and [inputs.shape[1:]] == [tensor.shape[1:] for tensor in self.inputs]:
            return self.predict_on_batch(inputs)
        return super().__call__(inputs, training=training)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch: the quickest way to those of one sample."""
        if type(x) is np.ndarray and self._shortcuts:
            found = take(self._shortcuts, x, self._engine())
            if found is not None:
                return found
        self._ready(np.shape(flatten(x)[0])[1:], needs_targets=False)
        program, chosen = self.program(), self._engine()
        inputs = feeding.inputs(self, x, pixels=True)
        outputs = predict_step(program, inputs, chosen)
        single = isinstance(self.output, KerasTensor) and np.dtype(self.output.dtype).kind == "f"
        if single and chosen != "reference":
            remember(self._shortcuts, program, inputs)
        return pack(self.output, self._typed(outputs))

    def _typed(self, outputs: list[Array]) -> list[Array]:
        """Return outputs in their own types: machine code has whole numbers as floats."""
        kinds = [np.dtype(tensor.dtype) for tensor in self.outputs]
        return [
            y if kind.kind == "f" else y.astype(kind)
            for kind, y in zip(kinds, outputs, strict=True)
        ]

    def plan(self, batch_size: int = 32, *, training: bool = False, measure: bool = True) -> str:
        """Return how the compiled engine runs the model, as a table for people.

        Every line is one kernel: the phase it runs in, its layer, the shapes of one sample,
        multiply-adds of a batch, time on one core, and the share of the core's multiply-adds that
        it reaches. What runs through the reference is listed with the reason.

        Args:
            batch_size: How many samples the batch has.
            training: Whether to show a training step (the model must be compiled) or inference.
            measure: Whether to time the kernels; weights are not changed by that.
        """
        from pellucid.compiler.report import describe

        if not training:
            return describe(self.program(), batch_size, measure=measure)
        self._require_compiled()
        self._settle()
        variables = self.trainable_weights
        program = self._loss_program(True, {}, variables)
        return describe(program, batch_size, variables, self.optimizer, measure=measure)

    # Losses and metrics.

    @property
    def metrics(self) -> list[Any]:
        """The loss's mean and the metrics, in the order in which they are reported."""
        chosen = [metric for of_output in self._metrics or () for metric, _ in of_output]
        return [*self._trackers, *chosen]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns."""
        return list(self._results())

    def reset_metrics(self) -> None:
        """Begin counting anew."""
        self._unrecorded.clear()
        for metric in self.metrics:
            metric.reset_state()

    def _record(
        self,
        found: Losses,
        count: int,
        targets: Mapping[int, Array],
        weights: Mapping[int, Array],
    ) -> None:
        """Add a batch to the running loss and metrics."""
        for tracker, value in zip(self._trackers, [found.total, *found.parts], strict=False):
            tracker.update_state(value, sample_weight=count)
        if self._metrics is None:
            self._metrics = self._resolved_metrics(targets)
        for index, of_output in enumerate(self._metrics):
            for metric, weighted in of_output:
                weight = weights.get(index) if weighted else None
                metric.update_state(targets[index], found.outputs[index], sample_weight=weight)

    def _catch_up(self) -> None:
        """Record the steps that are not recorded yet."""
        while self._unrecorded:
            self._unrecorded.pop(0)()

    def _resolved_metrics(self, targets: Mapping[int, Array]) -> list[list[tuple[Any, bool]]]:
        """Find the metrics asked for by name, which depends on the loss and the shapes."""
        resolved = []
        for index, requests in enumerate(self._metric_requests):
            shape = self.outputs[index].shape
            target = targets[index].shape if index in targets else None
            resolved.append(
                [
                    (metrics_module.get(request, self._losses[index], shape, target), weighted)
                    for request, weighted in requests
                ]
            )
        return resolved

    def _results(self) -> Logs:
        self._catch_up()
        logs = {tracker.name: float(tracker.result()) for tracker in self._trackers}
        for index, of_output in enumerate(self._metrics or ()):
            prefix = f"{self.output_names[index]}_" if len(self.outputs) > 1 else ""
            for metric, _ in of_output:
                name = base = prefix + metric.name
                repeat = 0
                while name in logs:
                    repeat += 1
                    name = f"{base}_{repeat}"
                result = metric.result()
                feeding.require_number(metric.name, result)
                logs[name] = float(result)
        return logs

    def _returned(self, return_dict: bool, logs: Logs | None = None) -> Any:
        logs = self._results() if logs is None else logs
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    # Between data and programs.

    def _prepare(self, data: Dataset, needs_targets: bool = False) -> None:
        """Check all that can be checked of the data before the first step."""
        spec = leaves(data.element_spec[0])[0]
        self._ready(spec.shape[1:], needs_targets)
        feeding.check(self, data, self._losses if needs_targets else None)

    def _ready(self, sample_shape: Sequence[int | None], needs_targets: bool) -> None:
        """Build the model, and settle losses and metrics, if that was not done yet."""
        if needs_targets:
            self._require_compiled()
        if not self.built:
            self.build((None, *sample_shape))
        if needs_targets:
            self._settle()
            if not any(self._losses):
                raise NotBuiltError(f"{self.name} was compiled without a loss.")
            if self._metrics is None:
                for requests in self._metric_requests:
                    for request, _ in requests:
                        feeding.require_single(request)

    def _feeds(self, batch: tuple[Any, ...]) -> Feeds:
        """Return a batch's inputs, and its targets and weights by the index of their output."""
        return feeding.feeds(self, batch, self._losses)

    def _loss_program(
        self, training: bool, weights: Mapping[int, Array], variables: Sequence[Variable]
    ) -> Program:
        """Return the program from inputs, targets and weights to [loss, parts…, outputs…]."""
        key = ("loss", training, tuple(weights), self._frozen())
        if key not in self._programs:
            self._programs[key] = loss_program(
                self, self._losses, self._loss_weights, training, weights, variables
            )
        return self._programs[key]

"""Normalization: features brought to mean 0 and variance 1 by statistics of the training data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Unpack

import numpy as np
import numpy.typing as npt

from pellucid.errors import ArgumentError, ShapeError, TypeMismatchError
from pellucid.graph import Tracer, Value, Variable
from pellucid.layers._arguments import normal_axis
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.ops._operation import Array, Shape
from pellucid.ops.batch_normalization import BatchNormalization as BatchOperation

__all__ = ["Normalization"]

_LEAST_DEVIATION = 1e-7


class Normalization(Layer):
    """Each feature less its mean, divided by its standard deviation; the shape is kept.

    y = (x − mean) / √(variance + 1e-14). The statistics do not change in training: they are given,
    or `adapt` measures them on data beforehand.

    Args:
        axis: The axis of the features, each of which has statistics of its own.
        mean: The means, (C,), or one for all; None if `adapt` will measure them.
        variance: The variances, likewise.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: Only one of mean and variance is given, or axis is not one axis.
        ShapeError: The input has no such axis, its size is not known, or mean and variance are not
            of that size.

    >>> layer = Normalization()
    >>> layer.adapt([[1.0, 10.0], [3.0, 30.0]])
    >>> layer([[1.0, 30.0]])
    array([[-1.,  1.]], dtype=float32)
    """

    keras_only: ClassVar[Mapping[str, Any]] = {"invert": False}

    def __init__(
        self,
        axis: int = -1,
        mean: npt.ArrayLike | None = None,
        variance: npt.ArrayLike | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        if isinstance(axis, list | tuple) and len(axis) == 1:
            axis = axis[0]  # as files have it
        if not isinstance(axis, int):
            raise ArgumentError(f"{self.name}: axis must be one axis, received {axis!r}.")
        if (mean is None) != (variance is None):
            raise ArgumentError(f"{self.name}: give both mean and variance, or neither.")
        self.axis = axis
        self.input_mean = _array(mean)
        self.input_variance = _array(variance)
        self.mean: Variable | None = None
        self.variance: Variable | None = None
        self._op = BatchOperation(axis, epsilon=_LEAST_DEVIATION**2)

    def build(self, input_shape: Shape) -> None:
        """Make the statistics: weights that are not trained, unless they were given."""
        size = input_shape[normal_axis(self.name, self.axis, input_shape)]
        if size is None:
            raise ShapeError(
                f"{self.name}: the size of axis {self.axis} must be known, received shape "
                f"{input_shape}. Say it in Input(shape)."
            )
        if self.input_mean is None or self.input_variance is None:
            self.mean = self.add_weight("mean", (size,), "zeros", trainable=False)
            self.variance = self.add_weight("variance", (size,), "ones", trainable=False)
            # Keras saves a count, which nothing reads.
            self.count = Variable(0, "count", f"{self.name}/count", False, dtype="int32")
            self._own.append(self.count)
            return
        self.mean = self._given("mean", self.input_mean, size)
        self.variance = self._given("variance", self.input_variance, size)

    def call(self, g: Tracer, x: Value) -> Value:
        """Subtract and divide."""
        mean, variance = self._statistics()
        return g.apply(self._op, x, None, None, g.weight(mean), g.weight(variance))

    def adapt(self, data: Any) -> None:
        """Measure the mean and the variance of each feature.

        Args:
            data: An array whose axis 0 counts the samples; or batches, of which the first part is
                taken if they have several.

        Raises:
            ArgumentError: The statistics were given, or there is no data.
            ShapeError: The data has another number of features.
        """
        if self.input_mean is not None:
            raise ArgumentError(f"{self.name}: its mean and variance were given, so do not adapt.")
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in _batches(self.name, data):
            self.build_for([(None, *batch.shape[1:])])
            kept = normal_axis(self.name, self.axis, batch.shape)
            axes = tuple(axis for axis in range(batch.ndim) if axis != kept)
            size = self._statistics()[0].size
            if batch.shape[kept] != size:
                raise ShapeError(
                    f"{self.name}: expected {size} features along axis {self.axis}, received data "
                    f"of shape {batch.shape}."
                )
            added = batch.size // size
            share = added / (count + added)
            step = batch.mean(axes) - mean
            variance = (1 - share) * variance + share * batch.var(axes)
            variance = variance + share * (1 - share) * step**2
            mean = mean + share * step
            count += added
        if not count:
            raise ArgumentError(f"{self.name}: adapt needs data, received none.")
        for variable, value in zip(self._statistics(), (mean, variance), strict=True):
            variable.assign(value)

    def get_config(self) -> dict[str, Any]:
        """Return what it takes to make this layer again, as JSON, with Keras' keys."""
        config: dict[str, Any] = {"axis": [self.axis]}
        for key, value in (("mean", self.input_mean), ("variance", self.input_variance)):
            config[key] = None if value is None else value.tolist()
        return super().get_config() | config

    def _statistics(self) -> tuple[Variable, Variable]:
        assert self.mean is not None
        assert self.variance is not None
        return self.mean, self.variance

    def _given(self, name: str, value: Array, size: int) -> Variable:
        if value.shape not in ((), (1,), (size,)):
            raise ShapeError(
                f"{self.name}: {name} must be one number or {size}, received {value.shape}."
            )
        return Variable(np.broadcast_to(value, (size,)), name, f"{self.name}/{name}", False)


def _array(value: Any) -> Array | None:
    if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
        value = value["config"].get("value")  # an array, as a model file holds it
    return None if value is None else np.asarray(value, np.float64)


def _batches(layer: str, data: Any) -> Iterator[Array]:
    """Yield the inputs in float64: of one array, or of batches."""
    for batch in [data] if isinstance(data, np.ndarray | list) else data:
        array = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
        if array.dtype.kind not in "biuf" or array.ndim < 2:
            raise TypeMismatchError(
                f"{layer}: adapt takes arrays of numbers whose axis 0 counts the samples, "
                f"received {array.dtype} of shape {array.shape}."
            )
        yield array.astype(np.float64)

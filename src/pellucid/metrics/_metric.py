"""What metrics have in common: state that batches are added to, and the weighted mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config, snake_case
from pellucid.errors import ShapeError

__all__ = ["Array", "Averaged", "Mean", "MeanMetricWrapper", "Metric", "aligned", "spread"]

Array = npt.NDArray[Any]
Function = Callable[..., npt.ArrayLike]


class Metric:
    """The base of all metrics: a subclass defines `reset_state`, `update_state` and `result`.

    Args:
        name: What it is called in logs; by default its class's name in snake_case.
        dtype: Accepted for Keras' sake; counting is always in double precision.

    Attributes:
        direction: "up" if more is better, "down" if less is, None if that cannot be said.
    """

    direction: ClassVar[Literal["up", "down"] | None] = None

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = "float32" if dtype is None else dtype
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError  # every subclass has its own

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        raise NotImplementedError  # every subclass has its own

    def result(self) -> Any:
        """Return the metric over all batches since the last reset."""
        raise NotImplementedError  # every subclass has its own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and return the metric so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> Config:
        """Return the arguments that make this metric again."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Config) -> Metric:
        """Make a metric from its arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Averaged(Metric):
    """A metric that is a weighted mean of values: Σ wᵢ·vᵢ / Σ wᵢ."""

    def reset_state(self) -> None:
        """Forget all batches."""
        self.total = 0.0
        self.count = 0.0

    def result(self) -> float:
        """Return the mean; 0 if there was no value."""
        return self.total / self.count if self.count else 0.0

    def _add(self, values: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> None:
        """Add values; one with more axes than its weight is averaged over those first."""
        if isinstance(values, float) and isinstance(sample_weight, int):  # a step's mean loss
            self.total += values * sample_weight
            self.count += sample_weight
            return
        array = np.asarray(values, np.float64)
        if sample_weight is None:
            self.total += float(_over(array, 1).sum())
            self.count += len(array) if array.ndim else 1
            return
        weight = np.asarray(sample_weight, np.float64)
        if weight.ndim == array.ndim + 1 and weight.shape[-1] == 1:
            weight = weight[..., 0]
        if weight.shape != array.shape[: weight.ndim]:
            raise ShapeError(
                f"{self.name}: expected sample weights of shape {array.shape}, or of its first "
                f"axes, received {weight.shape}."
            )
        self.total += float(_over(_over(array, weight.ndim) * weight, 1).sum())
        self.count += float(_over(weight, 1).sum())


class Mean(Averaged):
    """The weighted mean of values: Σ wᵢ·vᵢ / Σ wᵢ.

    A value with more axes than its weight is averaged over those first.

    Example:
        >>> mean = Mean()
        >>> mean.update_state([1.0, 2.0])
        >>> mean.update_state(6.0, sample_weight=2)
        >>> mean.result()
        3.75
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(
        self, values: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        """Add values, each with weight 1 or its `sample_weight`."""
        self._add(values, sample_weight)


class MeanMetricWrapper(Averaged):
    """The mean of a function of targets and predictions.

    Args:
        fn: A function (y_true, y_pred) → a value for each sample.
        name: What it is called in logs; by default the function's name.
        dtype: See `Metric`.
        **kwargs: Further arguments for the function.
    """

    def __init__(
        self, fn: Function, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name or fn.__name__, dtype)
        self._fn = fn
        self._options = kwargs

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Add a batch."""
        self._add(self._fn(y_true, y_pred, **self._options), sample_weight)

    def get_config(self) -> Config:
        """Return the arguments that make this metric again; options that Keras names so too."""
        return {**super().get_config(), **self._options}


def aligned(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
    """Return both as arrays of one shape.

    Where one has a last axis of size 1 that the other lacks, (N,) and (N, 1), the shorter is
    given it. Nothing is ever repeated to fit: other differences raise ShapeError.
    """
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.shape == (*pred.shape, 1):
        pred = pred[..., None]
    elif pred.shape == (*true.shape, 1):
        true = true[..., None]
    if true.shape != pred.shape:
        raise ShapeError(
            f"Expected targets of the predictions' shape {pred.shape}, received {true.shape}."
            + (
                " Are they class numbers? utils.to_categorical makes one-hot rows of them, and "
                "metrics that begin with Sparse read them as they are."
                if true.shape in (pred.shape[:-1], (*pred.shape[:-1], 1))
                else ""
            )
        )
    return true, pred


def spread(sample_weight: npt.ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """Return weights for an array of `shape`: given for its first axes, and 1 if not given."""
    weight = np.ones(shape[:1]) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if weight.ndim and weight.shape == (*shape[: weight.ndim - 1], 1):
        weight = weight[..., 0]
    if weight.shape != shape[: weight.ndim]:
        raise ShapeError(
            f"Expected sample weights of shape {shape}, or of its first axes, received "
            f"{weight.shape}."
        )
    return np.broadcast_to(weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)), shape)


def _over(array: Array, first: int) -> Array:
    """The mean over the axes from `first` on."""
    axes = tuple(range(first, array.ndim))
    return np.asarray(array.mean(axis=axes)) if axes else array

"""Losses: the one number that training makes smaller.

A loss compares each sample's prediction with its target; the mean over all, each counted by its
sample weight if there is one, is what the gradients belong to.

| loss                            | target              | for each sample                     |
|---------------------------------|---------------------|-------------------------------------|
| `CategoricalCrossentropy`       | one-hot (N, …, C)   | −Σ_c y_c · log p_c                  |
| `SparseCategoricalCrossentropy` | class number (N, …) | −log p[y]                           |
| `BinaryCrossentropy`            | 0 or 1, as p        | mean of −y·log p − (1−y)·log(1−p)   |
| `CategoricalFocalCrossentropy`  | one-hot (N, …, C)   | −Σ_c α·(1−p_c)^γ·y_c·log p_c        |
| `BinaryFocalCrossentropy`       | 0 or 1, as p        | mean of |y−p|^γ · cross-entropy     |
| `KLDivergence`                  | probabilities, as p | Σ_c y_c·log(y_c / p_c)              |
| `Poisson`                       | counts, as p        | mean of p − y·log p                 |
| `MeanSquaredError`              | as p                | mean of (y − p)²                    |
| `MeanAbsoluteError`             | as p                | mean of |y − p|                     |
| `MeanAbsolutePercentageError`   | as p                | mean of 100·|y − p| / |y|           |
| `MeanSquaredLogarithmicError`   | as p                | mean of log²((1 + y) / (1 + p))     |
| `Huber`                         | as p                | mean of (y−p)²/2, straight beyond δ |
| `LogCosh`                       | as p                | mean of log cosh(p − y)             |
| `CosineSimilarity`              | as p                | −cosine of the angle                |
| `Hinge`, `SquaredHinge`         | −1 or 1, as p       | mean of max(1 − y·p, 0), squared    |
| `CategoricalHinge`              | one-hot (N, …, C)   | max(1 + wrong − right score, 0)     |

"mean" is over the last axis. A loss states itself as operations (`build`), like a layer. Where the
prediction comes straight from a softmax or sigmoid, cross-entropy is computed from what went into
that, in one stable step, and log 0 cannot occur. Probabilities from elsewhere are kept 10⁻⁷ away
from 0 and 1, as in Keras.

Targets are never repeated to fit predictions. (N,) and (N, 1) are taken for each other; all else
that differs is refused before the first step, as are labels out of range and targets with NaN.

To define a loss of one's own, derive from `Loss` and state `per_sample`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pellucid._registry import Registry
from pellucid.errors import TypeMismatchError
from pellucid.losses._loss import Loss
from pellucid.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from pellucid.losses.divergence import KLDivergence, Poisson, kl_divergence, poisson
from pellucid.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from pellucid.losses.margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from pellucid.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

_REGISTRY: Registry[Loss] = Registry(
    "loss",
    "keras.losses",
    Loss,
    [
        BinaryCrossentropy,
        BinaryFocalCrossentropy,
        CategoricalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalHinge,
        CosineSimilarity,
        Hinge,
        Huber,
        KLDivergence,
        LogCosh,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        Poisson,
        SparseCategoricalCrossentropy,
        SquaredHinge,
    ],
    {
        "bce": BinaryCrossentropy,
        "BCE": BinaryCrossentropy,
        "kld": KLDivergence,
        "KLD": KLDivergence,
        "mae": MeanAbsoluteError,
        "MAE": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "MAPE": MeanAbsolutePercentageError,
        "mse": MeanSquaredError,
        "MSE": MeanSquaredError,
        "msle": MeanSquaredLogarithmicError,
        "MSLE": MeanSquaredLogarithmicError,
    },
)
_FUNCTIONS: dict[Callable[..., Any], str] = {
    function: function.__name__
    for function in (
        binary_crossentropy,
        binary_focal_crossentropy,
        categorical_crossentropy,
        categorical_focal_crossentropy,
        categorical_hinge,
        cosine_similarity,
        hinge,
        huber,
        kl_divergence,
        log_cosh,
        mean_absolute_error,
        mean_absolute_percentage_error,
        mean_squared_error,
        mean_squared_logarithmic_error,
        poisson,
        sparse_categorical_crossentropy,
        squared_hinge,
    )
}


def get(identifier: object) -> Loss | None:
    """Return the loss meant by a name ("mse"), a function of this module, or a `Loss`.

    None stays None.

    Raises:
        NameLookupError: no loss has that name.
        TypeMismatchError: it is a function of one's own, which has no gradients, or no loss at all.
    """
    if identifier is None:
        return None
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        if identifier not in _FUNCTIONS:
            raise TypeMismatchError(
                f"{getattr(identifier, '__name__', identifier)!r} is a plain function, of which "
                "no gradient is known. Derive from losses.Loss and state per_sample(g, "
                "prediction, target) with operations of pellucid.ops."
            )
        identifier = _FUNCTIONS[identifier]
    return _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize


def deserialize(
    config: Mapping[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Loss:
    """Return the loss that `serialize` wrote down, or that a name means."""
    if isinstance(config, str):
        return _REGISTRY.find(config, custom_objects)()
    return _REGISTRY.deserialize(config, custom_objects)

"""Metrics: what is watched during training and reported after it.

A metric is fed batch by batch, `update_state(y_true, y_pred, sample_weight=None)`, and tells its
`result()` over all of them. Targets and predictions of different shapes are refused, never
repeated to fit each other.
"""

from collections.abc import Mapping
from typing import Any

from pellucid._registry import Registry
from pellucid.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
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
from pellucid.metrics._metric import Mean, MeanMetricWrapper, Metric
from pellucid.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from pellucid.metrics.confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
    confusion_matrix,
)
from pellucid.metrics.of_losses import (
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
)
from pellucid.metrics.overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from pellucid.metrics.regression import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
)
from pellucid.metrics.scores import F1Score, FBetaScore, R2Score
from pellucid.ops._operation import Shape

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "Poisson",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "confusion_matrix",
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
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

_REGISTRY: Registry[Metric] = Registry(
    "metric",
    "keras.metrics",
    Metric,
    [
        AUC,
        Accuracy,
        FalseNegatives,
        FalsePositives,
        TrueNegatives,
        TruePositives,
        CategoricalHinge,
        CosineSimilarity,
        Hinge,
        KLDivergence,
        LogCoshError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        Poisson,
        SquaredHinge,
        BinaryIoU,
        IoU,
        MeanIoU,
        OneHotIoU,
        OneHotMeanIoU,
        F1Score,
        FBetaScore,
        R2Score,
        BinaryAccuracy,
        BinaryCrossentropy,
        CategoricalAccuracy,
        CategoricalCrossentropy,
        Mean,
        MeanAbsoluteError,
        MeanSquaredError,
        Precision,
        Recall,
        RootMeanSquaredError,
        SparseCategoricalAccuracy,
        SparseCategoricalCrossentropy,
        SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy,
    ],
    {
        "bce": BinaryCrossentropy,
        "BCE": BinaryCrossentropy,
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


def get(
    identifier: object,
    loss: object = None,
    output_shape: Shape | None = None,
    target_shape: Shape | None = None,
) -> Metric:
    """Return the metric meant by a name, a function, a configuration, a class or an instance.

    'accuracy' (or 'acc') and 'crossentropy' (or 'ce') mean, as in Keras, the binary form for one
    output, the sparse form for class numbers, and otherwise the categorical form; the metric is
    called as it was asked for.

    Args:
        identifier: "accuracy", "mse", a function (y_true, y_pred) → values, or a `Metric`.
        loss: The loss of the output, which tells a 'crossentropy' whether predictions are logits.
        output_shape: The shape of the predictions, for these names.
        target_shape: The shape of the targets, for these names.

    Raises:
        NameLookupError: no metric has that name.
        TypeMismatchError: it is none of these.
    """
    if isinstance(identifier, str):
        metric = _by_shapes(identifier, loss, output_shape, target_shape)
        metric = metric or _REGISTRY.get(identifier)
        metric.name = identifier
        return metric
    if callable(identifier) and not isinstance(identifier, (Metric, type)):
        return MeanMetricWrapper(identifier)
    return _REGISTRY.get(identifier)


def _by_shapes(
    name: str, loss: object, output: Shape | None, target: Shape | None
) -> Metric | None:
    kind = {"acc": "accuracy", "ce": "crossentropy"}.get(name.lower(), name.lower())
    if kind not in ("accuracy", "crossentropy") or output is None or target is None:
        return None
    binary = output[-1] == 1
    sparse = len(target) < len(output) or target[-1] == 1
    if kind == "accuracy":
        if binary:
            return BinaryAccuracy()
        return SparseCategoricalAccuracy() if sparse else CategoricalAccuracy()
    logits = bool(getattr(loss, "from_logits", False))
    if binary:
        return BinaryCrossentropy(from_logits=logits)
    if sparse:
        return SparseCategoricalCrossentropy(from_logits=logits)
    return CategoricalCrossentropy(from_logits=logits)


serialize = _REGISTRY.serialize


def deserialize(
    config: Mapping[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Metric:
    """Return the metric that `serialize` wrote down, or that a name means."""
    if isinstance(config, str):
        return _REGISTRY.find(config, custom_objects)()
    return _REGISTRY.deserialize(config, custom_objects)

"""The metrics by name: the closed list that a configuration, or `compile`, may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid import metrics
from pellucid._lazy import names_of
from pellucid._registry import Registry
from pellucid.metrics._metric import MeanMetricWrapper, Metric
from pellucid.ops._operation import Shape

__all__ = ["deserialize", "get", "serialize"]

_REGISTRY: Registry[Metric] = Registry(
    "metric",
    "keras.metrics",
    Metric,
    {name for name in names_of(metrics) if name[0].isupper()} - {"MeanMetricWrapper", "Metric"},
    {
        "bce": "BinaryCrossentropy",
        "BCE": "BinaryCrossentropy",
        "mae": "MeanAbsoluteError",
        "MAE": "MeanAbsoluteError",
        "mape": "MeanAbsolutePercentageError",
        "MAPE": "MeanAbsolutePercentageError",
        "mse": "MeanSquaredError",
        "MSE": "MeanSquaredError",
        "msle": "MeanSquaredLogarithmicError",
        "MSLE": "MeanSquaredLogarithmicError",
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
            return metrics.BinaryAccuracy()
        return metrics.SparseCategoricalAccuracy() if sparse else metrics.CategoricalAccuracy()
    logits = bool(getattr(loss, "from_logits", False))
    if binary:
        return metrics.BinaryCrossentropy(from_logits=logits)
    if sparse:
        return metrics.SparseCategoricalCrossentropy(from_logits=logits)
    return metrics.CategoricalCrossentropy(from_logits=logits)


serialize = _REGISTRY.serialize


def deserialize(
    config: Mapping[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Metric:
    """Return the metric that `serialize` wrote down, or that a name means."""
    return _REGISTRY.get(config, custom_objects)

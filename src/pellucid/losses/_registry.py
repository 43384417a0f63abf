"""The losses by name: the closed list that a configuration, or `compile`, may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid import losses
from pellucid._lazy import names_of
from pellucid._registry import Registry
from pellucid.errors import TypeMismatchError
from pellucid.losses._loss import Loss

__all__ = ["deserialize", "get", "serialize"]

_REGISTRY: Registry[Loss] = Registry(
    "loss",
    "keras.losses",
    Loss,
    [name for name in names_of(losses) if name[0].isupper() and name != "Loss"],
    {
        "bce": "BinaryCrossentropy",
        "BCE": "BinaryCrossentropy",
        "kld": "KLDivergence",
        "KLD": "KLDivergence",
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


def get(identifier: object) -> Loss | None:
    """Return the loss meant by a name ("mse"), a function of `pellucid.losses`, or a `Loss`.

    None stays None.

    Raises:
        NameLookupError: no loss has that name.
        TypeMismatchError: it is a function of one's own, which has no gradients, or no loss at all.
    """
    if identifier is None:
        return None
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        name: str = getattr(identifier, "__name__", "")
        if name not in _REGISTRY or getattr(losses, name, None) is not identifier:
            raise TypeMismatchError(
                f"{getattr(identifier, '__name__', identifier)!r} is a plain function, of which "
                "no gradient is known. Derive from losses.Loss and state per_sample(g, "
                "prediction, target) with operations of pellucid.ops."
            )
        identifier = name
    return _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize


def deserialize(
    config: Mapping[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Loss:
    """Return the loss that `serialize` wrote down, or that a name means."""
    return _REGISTRY.get(config, custom_objects)

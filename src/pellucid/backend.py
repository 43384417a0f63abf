"""`keras.backend`, as far as tutorials use it: a fresh start, and the constants behind it all."""

from __future__ import annotations

from pellucid.layers._names import clear_session

__all__ = ["clear_session", "epsilon", "floatx", "image_data_format"]


def floatx() -> str:
    """Return the type of weights and activations unless a layer says otherwise: "float32"."""
    return "float32"


def epsilon() -> float:
    """Return how far probabilities are kept from 0 and 1 before a logarithm: 1e-7."""
    return 1e-7


def image_data_format() -> str:
    """Return the order of an image's axes, (N, H, W, C): "channels_last"."""
    return "channels_last"

"""Automatic names: Keras' snake case of the class, numbered from the second one on."""

from __future__ import annotations

import re

_counts: dict[str, int] = {}


def snake_case(name: str) -> str:
    """Return a class name as Keras writes it in automatic names.

    Example:
        >>> [snake_case(n) for n in ("Conv2D", "MaxPooling2D", "ReLU", "UpSampling2D")]
        ['conv2d', 'max_pooling2d', 're_lu', 'up_sampling2d']
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def automatic_name(base: str) -> str:
    """Return `base`, `base_1`, `base_2` …, each once."""
    count = _counts[base] = _counts.get(base, -1) + 1
    return base if count == 0 else f"{base}_{count}"


def clear_session() -> None:
    """Start automatic names again from the beginning: the next convolution is `conv2d`."""
    _counts.clear()

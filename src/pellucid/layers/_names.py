"""Automatic names: Keras' snake case of the class, numbered from the second one on."""

from __future__ import annotations

from pellucid._registry import snake_case

__all__ = ["automatic_name", "clear_session", "snake_case"]

_counts: dict[str, int] = {}


def automatic_name(base: str) -> str:
    """Return `base`, `base_1`, `base_2` …, each once."""
    count = _counts[base] = _counts.get(base, -1) + 1
    return base if count == 0 else f"{base}_{count}"


def clear_session() -> None:
    """Start automatic names again from the beginning: the next convolution is `conv2d`."""
    _counts.clear()

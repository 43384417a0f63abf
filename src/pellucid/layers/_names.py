"""Automatic names: Keras' snake case of the class, numbered from the second one on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from pellucid._registry import snake_case

__all__ = ["automatic_name", "clear_session", "fresh_names", "snake_case"]

_global: dict[str, int] = {}
_counts: ContextVar[dict[str, int]] = ContextVar("names", default=_global)


def automatic_name(base: str) -> str:
    """Return `base`, `base_1`, `base_2` …, each once."""
    counts = _counts.get()
    count = counts[base] = counts.get(base, -1) + 1
    return base if count == 0 else f"{base}_{count}"


def clear_session() -> None:
    """Start automatic names again from the beginning: the next convolution is `conv2d`."""
    _counts.get().clear()


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """Name what is made inside as if nothing had been made before; outside, nothing changes."""
    token = _counts.set({})
    try:
        yield
    finally:
        _counts.reset(token)

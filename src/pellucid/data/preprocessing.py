"""The preprocessing that was saved with a model, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.table_preprocessing import TablePreprocessing
from pellucid.errors import LoadError

__all__ = ["preprocessing_from_config"]


def preprocessing_from_config(config: Any) -> ImagePreprocessing | TablePreprocessing:
    """Return the preprocessing that `to_config()` of either kind described.

    Raises:
        LoadError: the configuration is of no known kind, or something in it is impossible.
    """
    kind = config.get("kind") if isinstance(config, Mapping) else None
    if kind == "image":
        return ImagePreprocessing.from_config(config)
    if kind == "table":
        return TablePreprocessing.from_config(config)
    raise LoadError(f"Expected preprocessing of kind 'image' or 'table', received {kind!r}.")

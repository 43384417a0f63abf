"""`keras.saving`: reading and writing models."""

from __future__ import annotations

from pellucid.formats import load_model, load_weights, save_model, save_weights

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]

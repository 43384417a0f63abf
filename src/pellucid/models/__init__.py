"""Models: layers put together, trained, evaluated, used, saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.layers._registry import register
from pellucid.models.cloning import clone_model
from pellucid.models.functional import Model
from pellucid.models.sequential import Sequential

if TYPE_CHECKING:
    from pellucid.formats import load_model, save_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "save_model"]

for _name, _class in {"Functional": Model, "Model": Model, "Sequential": Sequential}.items():
    register(_name, _class)


def __getattr__(name: str) -> Any:
    # Reading a file makes models, so what reads can only be loaded after them.
    if name in ("load_model", "save_model"):
        from pellucid import formats

        return getattr(formats, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Models: layers put together, trained, evaluated, used, saved."""

from pellucid.layers._registry import register
from pellucid.models.functional import Model
from pellucid.models.sequential import Sequential

__all__ = ["Model", "Sequential"]

for _name, _class in {"Functional": Model, "Model": Model, "Sequential": Sequential}.items():
    register(_name, _class)

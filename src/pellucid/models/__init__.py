"""Models: layers put together, trained, evaluated, used, saved."""

from pellucid.models.functional import Model
from pellucid.models.sequential import Sequential

__all__ = ["Model", "Sequential"]

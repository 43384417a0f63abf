"""Models: layers put together, trained, evaluated, used, saved."""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use
from pellucid.layers._registry import register
from pellucid.models.cloning import clone_model as clone_model
from pellucid.models.functional import Model as Model
from pellucid.models.sequential import Sequential as Sequential

if TYPE_CHECKING:
    from pellucid.formats import load_model as load_model
    from pellucid.formats import save_model as save_model

# Reading a file makes models, so what reads can only be loaded after them.
load_on_use(
    __name__, {"pellucid.formats": "load_model save_model"}, own="Model Sequential clone_model"
)

for _name, _class in {"Functional": Model, "Model": Model, "Sequential": Sequential}.items():
    register(_name, _class)

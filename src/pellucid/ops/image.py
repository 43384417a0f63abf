"""Functions on images alone: `pellucid.ops.image.resize`."""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.ops._image_functions import resize as resize

load_on_use(__name__, {"pellucid.ops._image_functions": "resize"})

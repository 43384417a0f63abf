"""Functions on images alone: `pellucid.ops.image.resize`."""

from pellucid.ops._image_functions import resize

__all__ = ["resize"]
